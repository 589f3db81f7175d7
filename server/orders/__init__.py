"""Orders: versioned, never overwritten."""
