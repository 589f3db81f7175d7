"""Handhelds: a change feed with a cursor, the server's own check, and events in."""
