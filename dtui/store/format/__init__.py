"""Defines what a run holds, and the names of its files and arrays."""
