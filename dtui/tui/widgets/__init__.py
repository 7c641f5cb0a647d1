"""Widgets of the TUI. Each is thin and shows a picture that a pure function draws."""
