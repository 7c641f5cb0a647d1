"""Folds journals and small parts into larger parts, in a process of its own."""
