"""Every question about a run, answered once.

Owns the meaning of each number on a screen or in a report. A second copy would let the TUI and the report
disagree about the same run. Front ends call it and compute nothing themselves.
"""

from dtui.query.run import RunQuery, open_run

__all__ = ["RunQuery", "open_run"]
