"""Cells, colours and terminal output: the base for all drawing."""
