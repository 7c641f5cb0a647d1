"""Kinds of files: sealed HDF5, journals, JSON lines. Knows nothing of runs."""
