"""Printable labels with the right barcodes."""
