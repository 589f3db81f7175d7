"""Who looks after which beds in a shift."""
