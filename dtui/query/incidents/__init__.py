"""Incidents of a run and its state at the end: read once, kept, and gone on with while it grows."""
