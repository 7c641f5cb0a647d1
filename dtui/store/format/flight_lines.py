"""Makes and reads the lines of what the flight recorder found: triggers, and weights around them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dtui.model import TRIGGER_KINDS, Trigger
from dtui.model.findings.kept_weights import WeightsAt
from dtui.store.format.joins import Join, line_limits
from dtui.store.format.schema import LAST_ITERATION, MOST_FILTERS, WEIGHTS_FILE

LARGEST_WEIGHTS = 12 << 20
"""Bytes of weights.jsonl that are written; a packed run holds them in its document."""
MOST_AXES = 16
MOST_NAMED = 4_096
"""Filters in one line; a recorder names far fewer."""


def trigger_line(trigger: Trigger) -> dict[str, object]:
    """Return the line of a trigger."""
    numbers = {"score": trigger.score, "times": trigger.times}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    where = {"layer": trigger.layer, "filters": list(trigger.filters)}
    return {"iteration": trigger.iteration, "kind": trigger.kind, **where, **known}


def parse_trigger(line: Mapping[str, object]) -> Trigger | None:
    """Return the trigger in a line, None if the line is not valid."""
    iteration, kind, filters = line.get("iteration"), line.get("kind"), line.get("filters")
    if not isinstance(iteration, int) or kind not in TRIGGER_KINDS or not isinstance(filters, list):
        return None
    if not 0 <= iteration <= LAST_ITERATION:
        return None
    numbers = [value for value in filters if type(value) is int and 0 <= value < MOST_FILTERS]
    score, times = (_number(line.get(name)) for name in ("score", "times"))
    return Trigger(iteration, str(kind), str(line.get("layer", "")), tuple(numbers), score, times)


def weights_lines(path: Path, weights: WeightsAt) -> list[dict[str, object]]:
    """Return the line of some weights; no line once the file at `path` has LARGEST_WEIGHTS."""
    with contextlib.suppress(OSError):  # it is not there yet; or the disk fails, and the line waits
        if path.stat().st_size >= LARGEST_WEIGHTS:
            return []
    values = base64.b64encode(weights.values.astype("<f4").tobytes()).decode()
    return [
        {
            "iteration": weights.iteration,
            "layer": weights.layer,
            "at": weights.at,
            "shape": list(weights.shape),
            "filters": list(weights.filters),
            "values": values,
        }
    ]


def parse_weights(line: Mapping[str, object]) -> WeightsAt | None:
    """Return the weights in a line, None if the line is not valid."""
    iteration, at, layer, text = (line.get(name) for name in ("iteration", "at", "layer", "values"))
    shape, filters = _integers(line.get("shape"), MOST_AXES, 1), _integers(line.get("filters"), MOST_NAMED, 0)
    if not isinstance(layer, str) or not isinstance(text, str) or shape is None or not filters:
        return None
    if type(iteration) is not int or type(at) is not int:
        return None
    if not (0 <= iteration <= LAST_ITERATION and 0 <= at <= LAST_ITERATION) or len(set(filters)) != len(filters):
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    elements, rest = divmod(len(data), 4 * len(filters))
    if rest or not 1 <= elements <= math.prod(shape):
        return None
    values = np.frombuffer(data, "<f4").astype(np.float32).reshape(len(filters), elements)
    return WeightsAt(iteration, layer, at, shape, filters, values)


def weights_in(lines: Sequence[Mapping[str, object]], joins: Sequence[Join]) -> list[WeightsAt]:
    """Return the weights that count of the lines of weights.jsonl; invalid lines are left out."""
    limits = line_limits(joins, WEIGHTS_FILE, len(lines))
    found = [(parse_weights(line), limit) for line, limit in zip(lines, limits, strict=True)]
    return [one for one, limit in found if one is not None and one.iteration < limit]


def _integers(values: object, most: int, least: int) -> tuple[int, ...] | None:
    """Return a list of bounded integers, None if it is not one."""
    if not isinstance(values, list) or len(values) > most:
        return None
    found = tuple(value for value in values if type(value) is int and least <= value < MOST_FILTERS * 64)
    return found if len(found) == len(values) else None


def _number(value: object) -> float:
    if isinstance(value, int) and abs(value) > LAST_ITERATION:
        return math.nan
    return float(value) if isinstance(value, int | float) else math.nan
