"""Draws each pane with a pure function from numbers and a size to cells."""
