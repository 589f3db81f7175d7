"""Measured values of patients."""
