"""Draws the panes of the Layers screen, and of the screens inside it."""
