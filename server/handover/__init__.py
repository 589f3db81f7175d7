"""From one shift to the next: what happened, what is open, what to watch, and who has taken it over."""
