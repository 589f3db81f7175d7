"""The nursing chart: fluids with their sums, scales, rounds."""
