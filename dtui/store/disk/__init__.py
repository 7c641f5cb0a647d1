"""Reads and writes three kinds of files: sealed HDF5, journals and JSON lines. It knows nothing about runs."""
