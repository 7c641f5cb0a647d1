"""Computes relations between filters, classes and images: pure NumPy."""
