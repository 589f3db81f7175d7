"""The handhelds: nurse and doctor apps over shared presenters."""
