"""Numbered, forward-only steps of the schema; a released one is never edited."""
