"""Wristbands: a new one retires the old one."""
