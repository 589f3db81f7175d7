"""One module per command of the wardlink program, imported only when that command runs."""
