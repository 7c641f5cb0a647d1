"""Checks arguments and collects information when a recorder is made."""
