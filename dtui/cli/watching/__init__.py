"""The command that watches runs and calls somebody: watch."""
