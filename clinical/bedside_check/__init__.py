"""The bedside check, ruleset bc-1: one pure function on handheld and server."""
