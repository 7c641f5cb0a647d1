"""Reads the weights: with compiled kernels if they are available, else with torch."""
