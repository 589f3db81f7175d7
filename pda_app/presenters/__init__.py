"""What each screen shows and what a person can do there; no window, no toolkit."""
