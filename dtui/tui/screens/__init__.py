"""Screens of the TUI: data screens made of panes, and the dialogs over them."""
