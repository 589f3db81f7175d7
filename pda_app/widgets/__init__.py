"""Widgets of both handheld apps: they draw presenter states and hold no clinical arithmetic."""
