"""Skin tests: placed, read by two, and what follows from a positive one."""
