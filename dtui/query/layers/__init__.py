"""Answers questions about layers and modules, other than their series."""
