"""Packs a run into one file, in a process of its own."""
