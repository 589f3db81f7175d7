"""From the broker to the disk, and only then back to the node: committed."""
