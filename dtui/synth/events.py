"""Plants events in an invented run.

Owns the kinds and places of planted events.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dtui.model import Structure

CLASS_LOST = "class lost"
CLASS_GAINED = "class gained"
FILTER_BURST = "filter burst"
DEAD_FILTERS = "dead filters"
RATE_SPIKE = "learning-rate spike"


@dataclass(frozen=True, slots=True)
class Event:
    """One planted event.

    Attributes:
        kind: What happens.
        start: First record concerned.
        stop: Record after the last one concerned.
        label: Label of the class concerned; -1 for none.
        share: Share of the class's images that flip, [0, 1].
        layer: Index of the layer concerned, -1 for none.
        filters: Within the layer.
    """

    kind: str
    start: int
    stop: int
    label: int = -1
    share: float = 0.0
    layer: int = -1
    filters: tuple[int, ...] = ()

    def note(self, every: int, structure: Structure, classes: Sequence[str]) -> dict[str, object]:
        """Return it as the run's metadata lists it."""
        note: dict[str, object] = {"iteration": self.start * every, "kind": self.kind, "until": self.stop * every}
        if self.label >= 0:
            note |= {"class": classes[self.label], "class_index": self.label, "share": round(self.share, 2)}
        if self.layer >= 0:
            note |= {"layer": structure.layers[self.layer].name, "filters": list(self.filters)}
        return note


def plant_events(structure: Structure, classes: int, records: int, seed: int) -> tuple[Event, ...]:
    """Choose events for a run, by record; none in a run of fewer than 20 records.

    Each class event comes with a burst in some layer at the same record, so that the correlation has something to find.
    """
    if records < 20:
        return ()
    rng = np.random.default_rng([seed, 1])
    count = int(np.clip(records // 25, 4, 40))
    slots = np.linspace(0.1, 0.95, count + 1)
    events: list[Event] = []
    for low, high in itertools.pairwise(slots):
        start = int(rng.uniform(low, (low + high) / 2) * records)
        length = int(np.clip(records // 50, 2, 12))
        label, share = int(rng.integers(classes)), float(rng.uniform(0.4, 0.9))
        events.append(Event(CLASS_LOST, start, start + length, label, share))
        events.append(Event(CLASS_GAINED, start + length, start + length + 1, label, share))
        layer = int(rng.integers(1, len(structure.layers) - 1))
        filters = _choose(rng, structure.layers[layer].filters, 12)
        events.append(Event(FILTER_BURST, start, start + 1, layer=layer, filters=filters))
    layer = int(rng.integers(1, len(structure.layers) - 1))
    filters = _choose(rng, structure.layers[layer].filters, max(2, structure.layers[layer].filters // 8))
    events.append(Event(DEAD_FILTERS, int(0.4 * records), records, layer=layer, filters=filters))
    spike = int(0.5 * records)
    events.append(Event(RATE_SPIKE, spike, spike + max(1, records // 200)))
    return tuple(sorted(events, key=lambda event: (event.start, event.kind)))


def _choose(rng: np.random.Generator, of: int, most: int) -> tuple[int, ...]:
    return tuple(sorted(int(index) for index in rng.choice(of, min(of, most), replace=False)))
