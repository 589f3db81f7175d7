"""What was done at the bedside; a dose reported as given is never refused."""
