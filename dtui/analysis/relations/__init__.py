"""How filters, classes and images belong together: pure NumPy."""
