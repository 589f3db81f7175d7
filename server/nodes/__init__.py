"""Bedside nodes: presence, beds, what they are told."""
