"""Draws the panes of a batch."""
