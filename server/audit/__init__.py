"""Who did what to whose data: an append-only chain that shows when a line was changed."""
