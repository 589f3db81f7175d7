"""Samples: planned from orders, labelled at the bed, taken, handed over."""
