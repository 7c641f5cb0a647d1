"""Finds the runs that the paths of a command line stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dtui.errors import RunNotFoundError
from dtui.run_path import SUFFIX, nearest_run, with_suffix


def runs_to_open(paths: Sequence[str]) -> tuple[list[Path], Sequence[Path]]:
    """Return the places that paths stand for, ./runs for none, and the runs there; of one run, that run unread.

    Raises:
        RunNotFoundError: A place does not exist, or none holds a run.
    """
    places = [Path(path) for path in paths or ["runs"]]
    if len(places) == 1 and _is_run(places[0]):
        return places, places
    from dtui.query.compare.listing import runs_at

    for place in places:
        if not _is_run(place) and not place.exists():
            near = nearest_run(place)
            raise RunNotFoundError(
                f"{place}: no such run or folder; did you mean {near}?"
                if near
                else f"{place}: no such run or folder; give the path of one, or try dtui demo"
            )
    runs = runs_at(places)
    if not runs:
        raise RunNotFoundError(f"{places[0]}: no run in this folder; record one, or try dtui demo")
    return places, runs


def _is_run(path: Path) -> bool:
    """Whether a path names a run, or a file, which is one or not."""
    return path.suffix == SUFFIX or path.is_file() or (bool(path.name) and with_suffix(path).exists())
