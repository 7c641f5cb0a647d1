"""Answers questions about a folder of runs: which there are, which have changed, and who works on a folder."""

from dtui.query.folders.lease import Lease, LeaseHeldError
from dtui.query.folders.listing import FoundRun, find_all_runs, has_recorded_nothing

__all__ = ["FoundRun", "Lease", "LeaseHeldError", "find_all_runs", "has_recorded_nothing"]
