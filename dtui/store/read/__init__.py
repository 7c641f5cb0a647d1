"""Reads a run, live or ended, from a folder or a packed file."""
