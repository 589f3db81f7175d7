"""One ward on one machine: every part of the product as its own program, on simulated devices."""
