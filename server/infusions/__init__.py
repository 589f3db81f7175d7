"""Bags being given: what was started against what really flows."""
