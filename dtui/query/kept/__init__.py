"""Keeps answers about a run in its cache: see `tables`."""
