"""Cells, colours and terminal output: what everything is drawn on."""
