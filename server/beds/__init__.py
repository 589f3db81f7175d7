"""Beds of the ward and who lies in them."""
