"""Screens of the TUI: which panes stand together, and what is laid over them."""
