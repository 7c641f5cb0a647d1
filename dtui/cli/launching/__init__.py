"""Starts the command of `dtui run`, and says afterwards what was recorded."""
