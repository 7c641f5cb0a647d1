"""Answers every question about a run, each in one place.

Owns the meaning of each number on a screen or in a report. Front ends call it and compute nothing themselves.
"""

from dtui.query.run import RunQuery, open_run

__all__ = ["RunQuery", "open_run"]
