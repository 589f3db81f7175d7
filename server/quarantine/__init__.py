"""What could not be read is put aside; here people see it, and let it be tried again."""
