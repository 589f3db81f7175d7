"""How the server is, in numbers and never in names."""
