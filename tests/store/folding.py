"""Folds a run in the test's own process and at once; `compact_run` takes a process and waits seconds for readers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from dtui.store.compact.worker import RunCompactor


def fold(path: Path, *, finish: bool = False, sweep: bool = True) -> list[Path]:
    """Fold full journals, or all that there is, and remove what was replaced; returns the new parts.

    Args:
        path: Path of the run.
        finish: Whether to fold everything, of a run that has ended.
        sweep: Whether to remove what the parts replace.
    """
    with closing(RunCompactor(path)) as compactor:
        published = compactor.compact(finish=finish)
        if sweep:
            compactor.sweep(0.0)
    assert published is not None, "somebody else is compacting"
    return published
