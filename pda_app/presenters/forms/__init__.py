"""What a nurse writes down of one patient: vital signs, intake and output, critical values."""
