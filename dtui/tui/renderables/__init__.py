"""Draws everything in the TUI with pure functions of numbers and a size; without Textual and Rich."""
