"""Finds what was NaN or Inf in the records that were added since the last look; keeps no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import LARGEST, FloatArray, was_logged
from dtui.model.statistics import Rows
from dtui.query.incidents.origin import origins_of, told

if TYPE_CHECKING:
    from dtui.store import RunReader

AT_ONCE = 1_024
"""Records that are read together."""
_OF = {largest: name for name, largest in LARGEST.items()}


@dataclass(frozen=True, slots=True)
class Nonfinite:
    """One thing that was NaN or Inf; names are data from outside.

    Attributes:
        what: "weights", "gradients", "normalisation", "parameter" (outside the layers), "watch" (the flight
            recorder), "origin" (the recorder saw where it began), or "value": a logged one.
        name: Of the layer where it was first, or of the value; "" where none is known.
        layers: That were hit in that record; 0 for a value.
        iteration: At which it was first.
        words: Of an origin: where it began.
    """

    what: str
    name: str
    layers: int
    iteration: int
    words: str = ""

    @property
    def sentence(self) -> str:
        """What it was, such as "weights of layer conv1 are NaN or Inf"."""
        more = f" and {self.layers - 1:,} more" if self.layers > 1 else ""
        if self.what == "origin":
            return f"NaN or Inf: {self.words}"
        if self.what == "value":
            return f"{self.name} is NaN or Inf"
        if self.what == "watch":
            return f"the flight recorder saw NaN or Inf{f' in layer {self.name}' if self.name else ' in the loss'}"
        if self.what == "parameter":
            return f"parameter {self.name}{more} or its gradient is NaN or Inf"
        what = "scales or running statistics" if self.what == "normalisation" else self.what
        return f"{what} of layer {self.name}{more} are NaN or Inf"


class NonfiniteSearch:
    """Goes through the records of one run once, and through new ones as they come."""

    def __init__(self, reader: RunReader) -> None:
        """Prepare to look at everything that is there."""
        self._reader = reader
        self._joins = len(reader.joins)
        self._last = -1  # iteration of the last record that was looked at
        self._logged = -1
        self._fired = 0
        self._known: dict[tuple[str, str], int] = {}

    def look(self) -> list[Nonfinite]:
        """Return what is new: of weights, gradients, norms and each logged name the first place, the worst first."""
        self._go_back()
        found: dict[tuple[str, str], Nonfinite] = {}
        for one in self._all_new():
            kind = (one.what, one.name if one.what == "value" else "")
            if kind not in self._known and (kind not in found or one.iteration < found[kind].iteration):
                found[kind] = one
        self._known.update({kind: one.iteration for kind, one in found.items()})
        return list(found.values())

    def _go_back(self) -> None:
        """Where the training was resumed: what came after the checkpoint does not count, and may come again."""
        joins = self._reader.joins[self._joins :]
        self._joins = len(self._reader.joins)
        for join in joins:
            self._last = min(self._last, join.iteration - 1)
            self._logged = min(self._logged, join.iteration - 1)
            self._known = {kind: at for kind, at in self._known.items() if at < join.iteration}
            self._fired = 0

    def _all_new(self) -> Iterator[Nonfinite]:
        reader = self._reader
        yield from self._origins()
        iterations = reader.record_iterations
        first = int(np.searchsorted(iterations, self._last, "right"))
        for start in range(first, len(iterations), AT_ONCE):
            window = slice(start, min(start + AT_ONCE, len(iterations)))
            yield from self._layers(window)
            yield from self._norms(window)
            yield from self._parameters(window)
            yield from self._scalars(window)
        self._last = int(iterations[-1]) if len(iterations) else -1
        triggers = reader.triggers
        yield from (
            Nonfinite("watch", one.layer, int(bool(one.layer)), one.iteration)
            for one in triggers[self._fired :]
            if one.kind == "nonfinite"
        )
        self._fired = len(triggers)
        yield from self._between()

    def _origins(self) -> Iterator[Nonfinite]:
        for one in origins_of(self._reader):
            yield Nonfinite("origin", next(iter(one.layers), ""), one.count, one.iteration, told(one))

    def _layers(self, window: slice) -> Iterator[Nonfinite]:
        reader, held = self._reader, self._reader.contents
        names = [layer.name for layer in reader.structure.layers]
        for source in ("weights", "gradients"):
            if source in held.sources and "nonfinite" in held.layers:
                yield from self._rows(source, names, reader.read_layers(source, "nonfinite", window), window)

    def _norms(self, window: slice) -> Iterator[Nonfinite]:
        reader = self._reader
        if reader.structure.norms and "nonfinite" in reader.contents.of(Rows.NORMS):
            names = [norm.name for norm in reader.structure.norms]
            yield from self._rows("normalisation", names, reader.read_norms("nonfinite", window), window)

    def _parameters(self, window: slice) -> Iterator[Nonfinite]:
        reader = self._reader
        if "nonfinite" in reader.contents.of(Rows.PARAMETERS):
            names = [one.name for one in reader.structure.parameters]
            yield from self._rows("parameter", names, reader.read_parameters("nonfinite", window), window)

    def _rows(self, what: str, names: list[str], counts: FloatArray, window: slice) -> Iterator[Nonfinite]:
        hit = np.nan_to_num(counts) > 0
        if hit.any():
            at = int(hit.any(axis=0).argmax())
            layer = int(hit[:, at].argmax())
            iteration = int(self._reader.record_iterations[window.start + at])
            yield Nonfinite(what, names[layer], int(hit[:, at].sum()), iteration)

    def _scalars(self, window: slice) -> Iterator[Nonfinite]:
        for name in self._reader.scalar_names():
            values = self._reader.read_scalar(name, window)
            bad = was_logged(values) & ~np.isfinite(values)
            if bad.any():
                iteration = int(self._reader.record_iterations[window.start + int(bad.argmax())])
                yield Nonfinite("value", _OF.get(name, name), 0, iteration)

    def _between(self) -> Iterator[Nonfinite]:
        """Yield what was logged as NaN or Inf between records."""
        last = self._logged
        for name, (iterations, values) in self._reader.logged.items():
            new = iterations > self._logged
            bad = new & ~np.isfinite(values)
            if bad.any():
                yield Nonfinite("value", _OF.get(name, name), 0, int(iterations[int(bad.argmax())]))
            last = max(last, int(iterations.max(initial=-1)))
        self._logged = last
