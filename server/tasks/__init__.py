"""Planned executions of orders, advancing with time."""
