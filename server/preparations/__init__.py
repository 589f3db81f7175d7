"""Bags and doses made up for one task: labelled, prepared by one person, checked by another."""
