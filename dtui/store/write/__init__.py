"""Writes a run, or goes on with one."""
