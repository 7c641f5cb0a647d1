"""Makes and reads the lines of nonfinite.jsonl: where gradients were NaN or Inf, and which updates were looked at."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.store.format.joins import Join, line_limits
from dtui.store.format.schema import LAST_ITERATION, NONFINITE_FILE

LARGEST_NONFINITE = 1 << 20
"""Bytes of nonfinite.jsonl that are written."""
MOST_NAMES = 4_096
"""Names in one list."""
LONGEST_NAME = 1_024
_LISTS = ("broken", "finite", "weights", "statistics", "sound_statistics")


def nonfinite_lines(path: Path, found: BrokenGradients | LookPlan) -> list[dict[str, object]]:
    """Return the line of something found; no line once the file at `path` has LARGEST_NONFINITE."""
    with contextlib.suppress(OSError):  # it is not there yet; or the disk fails, and the line waits
        if path.stat().st_size >= LARGEST_NONFINITE:
            return []
    if isinstance(found, LookPlan):
        return [{"iteration": found.iteration, "layers": found.layers, "share": found.share}]
    lists = {name: list(getattr(found, name)[:MOST_NAMES]) for name in _LISTS}
    return [{"iteration": found.iteration, **lists, "loss": found.is_loss_finite}]


def parse_nonfinite(line: Mapping[str, object]) -> BrokenGradients | LookPlan | None:
    """Return what a line says, None if it is not valid."""
    iteration = line.get("iteration")
    if type(iteration) is not int or not 0 <= iteration <= LAST_ITERATION:
        return None
    if "share" in line:
        return _parse_plan(iteration, line)
    lists = {name: _names(line.get(name, [])) for name in _LISTS}
    if any(names is None for names in lists.values()) or not (lists["broken"] or lists["weights"]):
        return None
    loss = line.get("loss")
    known = {name: names for name, names in lists.items() if names is not None}
    return BrokenGradients(iteration, **known, is_loss_finite=loss if isinstance(loss, bool) else None)


def nonfinite_in(
    lines: Sequence[Mapping[str, object]], joins: Sequence[Join]
) -> tuple[list[BrokenGradients], LookPlan | None]:
    """Return what counts of the lines of nonfinite.jsonl, and the last plan; invalid lines are left out."""
    limits = line_limits(joins, NONFINITE_FILE, len(lines))
    parsed = [(parse_nonfinite(line), limit) for line, limit in zip(lines, limits, strict=True)]
    found = [one for one, limit in parsed if one is not None and one.iteration < limit]
    plans = [one for one in found if isinstance(one, LookPlan)]
    return [one for one in found if isinstance(one, BrokenGradients)], plans[-1] if plans else None


def _parse_plan(iteration: int, line: Mapping[str, object]) -> LookPlan | None:
    layers, share = line.get("layers"), line.get("share")
    if type(layers) is not int or not 0 <= layers <= LAST_ITERATION or not isinstance(share, int | float):
        return None
    if isinstance(share, bool) or not math.isfinite(share) or share < 0:
        return None
    return LookPlan(iteration, layers, float(share))


def _names(values: object) -> tuple[str, ...] | None:
    """Return a list of names, None if it is not one."""
    if not isinstance(values, list) or len(values) > MOST_NAMES:
        return None
    found = tuple(value for value in values if isinstance(value, str) and len(value) <= LONGEST_NAME)
    return found if len(found) == len(values) else None
