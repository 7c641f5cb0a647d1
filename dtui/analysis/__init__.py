"""Computes numbers from arrays. Pure NumPy: no files, no screens, and no knowledge of runs."""
