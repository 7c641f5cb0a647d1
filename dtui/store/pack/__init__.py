"""Packs a run into one file, in a child process."""
