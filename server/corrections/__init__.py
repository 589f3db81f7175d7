"""What a machine could not settle and a person must: put-aside messages, unknown codes, unfiled readings."""
