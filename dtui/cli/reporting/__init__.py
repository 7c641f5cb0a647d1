"""The commands that write reports of many runs at once."""
