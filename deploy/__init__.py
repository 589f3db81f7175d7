"""The wardlink command: demo, checks, provisioning, operations."""
