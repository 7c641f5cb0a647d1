"""Answers one row a run for a list of runs: each is opened, asked and closed.

Owns the rate, the time left, and what a run that cannot be read says instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dtui.errors import DtuiError, RunNotBegunError
from dtui.model import FloatArray, RunInfo, RunStatus, TimeAxis
from dtui.model.compare import RunRow, RunTold
from dtui.query.compare.settings import settings_of
from dtui.query.run import RunQuery, open_run
from dtui.run_path import SUFFIX, with_suffix
from dtui.store import find_runs
from dtui.store.run.footprint import seconds_at_work, size_of

SPARKLINE = 24
"""Columns of a sparkline."""
SHOWN = ("validation_error", "train_error", "loss")
"""What a sparkline is of, the best first."""
TOTALS = ("iterations", "max_iterations", "max_steps", "total_steps", "num_steps", "steps")
"""Hyper-parameters that say how many updates the training will do."""


def run_row(path: str | Path) -> RunRow:
    """Return one row on a run, also if it cannot be read: then with the reason."""
    try:
        with open_run(path) as query:
            return row_of(query)
    except DtuiError as error:
        reason = str(error).removeprefix(f"{path}: ").removeprefix(f"{path}/")
        return RunRow(str(path), reason, is_claimed=isinstance(error, RunNotBegunError))
    except OSError as error:
        return RunRow(str(path), f"cannot be read, {error.strerror or error}")


def row_of(query: RunQuery) -> RunRow:
    """Return one row on an open run."""
    info, metadata = query.info(), query.metadata()
    rate, seconds_left = pace_of(query, info)
    of, line = _sparkline(query)
    return RunRow(
        path=str(query.path),
        info=info,
        bytes=size_of(query.path),
        settings=settings_of(info, metadata),
        last=query.curves_at(info.last_iteration) if info.last_iteration is not None else {},
        sparkline=line,
        sparkline_of=of,
        rate=rate,
        seconds_left=seconds_left,
        incidents=_incidents(query),
    )


def told_of(query: RunQuery, columns: int) -> RunTold:
    """Return what is told of an open run, with its curves over some columns."""
    has_curves = len(query.record_iterations()) or len(query.validation_iterations())
    curves = query.curves(TimeAxis(*query.limits(), columns)) if has_curves else None
    return RunTold(str(query.path), query.verdict(), curves)


def pace_of(query: RunQuery, info: RunInfo) -> tuple[float, float]:
    """Return the iterations a second of a live run, and the seconds that are left; NaN where they are not known."""
    rate = _rate(query, info)
    left = _planned(query.metadata().hyperparameters) - 1 - (info.last_iteration or 0)
    is_known = info.status is RunStatus.LIVE and rate > 0 and not np.isnan(left)
    return rate, max(0.0, left / rate) if is_known else float("nan")


def located(path: Path) -> Path:
    """Return an absolute path of a run, with its suffix; links stay links."""
    try:
        found = path if path.exists() or not with_suffix(path).exists() else with_suffix(path)
    except OSError:
        found = path
    return found.absolute()


def runs_beside(path: Path) -> tuple[Path, ...]:
    """Return the runs in the folder of a run, the newest first, and the run itself, also if the folder is lost."""
    try:
        found = find_runs(path.parent, has_claims=True, is_deep=False)
    except (DtuiError, OSError):
        found = ()
    return found if path in found else (path, *found)


def names_run(path: Path) -> bool:
    """Whether a path names a run, and not a folder to look into."""
    return path.suffix == SUFFIX or not path.is_dir() or (bool(path.name) and with_suffix(path).exists())


def runs_at(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the runs at some paths, each once: a run stands for itself, a folder for those in it, the newest first.

    Raises:
        RunNotFoundError: One of them is a folder that is not there.
        RunDamagedError: The permissions do not allow reading a folder.
    """
    found: list[Path] = []
    for path in paths:
        found += [path] if names_run(path) else find_runs(path, has_claims=True)
    return tuple(dict.fromkeys(located(path) for path in found))


def _rate(query: RunQuery, info: RunInfo) -> float:
    """Return the iterations a second of a live run since its present recorder began; NaN for any other."""
    if info.status is not RunStatus.LIVE or info.last_iteration is None:
        return float("nan")
    begun = info.joins[-1] if info.joins else info.first_iteration or 0
    return (info.last_iteration - begun) / seconds_at_work(query.path)


def _planned(hyperparameters: Mapping[str, str]) -> float:
    """Return the number of updates that the training says it will do; NaN if it says none."""
    for name in TOTALS:
        try:
            planned = float(hyperparameters[name])
        except (KeyError, ValueError):
            continue
        if planned > 0 and np.isfinite(planned):
            return planned
    return float("nan")


def _sparkline(query: RunQuery) -> tuple[str, FloatArray | None]:
    if not len(query.record_iterations()) and not len(query.validation_iterations()):
        return "", None
    curves = query.curves(TimeAxis(*query.limits(), SPARKLINE))
    name = next((name for name in SHOWN if name in curves.series), "")
    return name, curves.series.get(name)


def _incidents(query: RunQuery) -> Mapping[str, int]:
    return Counter(one.status for one in query.incidents())
