"""Widgets of the TUI: thin, each shows a picture that a pure function draws."""
