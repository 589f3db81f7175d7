"""Simulated devices that speak real bytes over real transports; whatever they emit is marked ``Demo``."""
