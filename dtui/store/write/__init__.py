"""Writes a new run, or continues one."""
