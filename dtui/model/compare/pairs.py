"""Two runs beside each other."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import FloatArray, IntArray
from dtui.model.axis import TimeAxis
from dtui.model.compare.differences import Difference
from dtui.model.findings.incidents import Incident
from dtui.model.judging import class_called, classes_called
from dtui.model.views import RunInfo
from dtui.number_text import counted, number_text

RATE = "learning_rate"
"""The curve that is told beside classes and layers: it is why they part."""


NOT_FINITE = 1e12
"""Stands for NaN or Inf, so that a distance to it can be measured."""


FEWEST_MOMENTS = 6
"""Moments in common without which nothing is usual yet."""


class Alignment(StrEnum):
    """What a moment of one run has in common with the same moment of another."""

    ITERATION = "iteration"
    EPOCH = "epoch"
    SHARE = "share"
    """The share of the run, in percent."""

    @property
    def words(self) -> str:
        """As people read it."""
        return "share of the run" if self is Alignment.SHARE else str(self)

    @property
    def unit(self) -> str:
        """What stands behind a key: "%" for a share."""
        return " %" if self is Alignment.SHARE else ""


class Measure(StrEnum):
    """What layers are compared by, each on a logarithmic scale."""

    UPDATES = "update ratio"
    """‖Δw‖ ⁄ ‖w‖ an update."""
    WEIGHTS = "weight norm"
    GRADIENTS = "gradient norm"


@dataclass(frozen=True, eq=False, slots=True)
class PairedRows:
    """Rows that both runs have, at the moments that both recorded. n moments.

    Attributes:
        kind: "class", "layer" or "curve".
        measure: What the numbers are, such as "error" or "update ratio".
        names: One a row; data from outside.
        keys: The moments, ascending, shape (n,), in the unit of the alignment.
        at_a: Their iterations in the first run, shape (n,), ascending.
        at_b: Their iterations in the second run, shape (n,), ascending.
        a: Values of the first run, shape (rows, n); NaN where there is none.
        b: Values of the second run, same shape.
        distance: |A − B| ⁄ spread, shape (rows, n), >= 0; see `dtui.analysis.divergence`. NaN where a value or the
            spread is missing. Of layers the logarithms are compared.
        order: Row numbers, the one with the largest distance first, shape (rows,).
    """

    kind: str
    measure: str
    names: tuple[str, ...]
    keys: FloatArray
    at_a: IntArray
    at_b: IntArray
    a: FloatArray
    b: FloatArray
    distance: FloatArray
    order: IntArray

    @property
    def are_classes(self) -> bool:
        """Whether they are classes."""
        return self.kind == "class"

    @property
    def noun(self) -> str:
        """What they are: "classes", "layers" or "curves"."""
        return "classes" if self.are_classes else f"{self.kind}s"

    @property
    def farthest(self) -> FloatArray:
        """The largest distance of each row, shape (rows,); NaN where none is known."""
        result: FloatArray = np.fmax.reduce(self.distance, axis=1, initial=np.nan)
        return result


@dataclass(frozen=True, slots=True)
class Parting:
    """A row that parts from its twin.

    Attributes:
        kind: "class", "layer" or "curve".
        name: Of the row; data from outside.
        measure: What the numbers are.
        iteration: Of the first run.
        iteration_b: Of the second run.
        a: Value of the first run there.
        b: Value of the second run there.
        distance: How far the difference lies from the usual difference before it, in spreads, >= 6.
    """

    kind: str
    name: str
    measure: str
    iteration: int
    iteration_b: int
    a: float
    b: float
    distance: float

    @property
    def title(self) -> str:
        """What it is, such as "class 4"; it holds a name, which is data from outside."""
        if self.kind == "curve":
            return self.name.replace("_", " ")
        return class_called(self.name) if self.kind == "class" else self.name

    @property
    def sentence(self) -> str:
        """What it did, such as "class 4: error 5 % and 100 %"; it holds a name, which is data from outside."""
        values = f"{value_in_words(self.measure, self.a)} and {value_in_words(self.measure, self.b)}"
        return f"{self.title} {values}" if self.kind == "curve" else f"{self.title}: {self.measure} {values}"


def value_in_words(measure: str, value: float) -> str:
    """Return a value as people read it: errors in percent, NaN as nothing known."""
    if np.isnan(value):
        return "–"
    if measure.endswith("error"):
        return f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.1f} %"
    return number_text(value) if abs(value) < NOT_FINITE else "NaN or Inf"


@dataclass(frozen=True, slots=True)
class Divergence:
    """A moment at which two runs part, with what parts then.

    Attributes:
        key: The moment, in the unit of the alignment.
        iteration: Of the first run.
        iteration_b: Of the second run.
        partings: At most 3 of each kind, classes first, then layers, then curves; the farthest first.
        distance: The largest of theirs.
    """

    key: float
    iteration: int
    iteration_b: int
    partings: tuple[Parting, ...]
    distance: float

    def of(self, kind: str) -> tuple[Parting, ...]:
        """Return its partings of a kind, the farthest first."""
        return tuple(one for one in self.partings if one.kind == kind)

    @property
    def words(self) -> str:
        """When and what, such as "430, class 4; layer3.2.conv2 at 440"; names are data from outside."""
        place = f"{self.iteration:,}" + (f" and {self.iteration_b:,}" if self.iteration_b != self.iteration else "")
        classes, layers, curves = (self.of(kind) for kind in ("class", "layer", "curve"))
        parts = []
        if classes:
            parts.append(classes_called([one.name + self._later(one) for one in classes]))
        if layers:
            parts.append(", ".join(one.name + self._later(one) for one in layers))
        told = [one for one in curves if not parts or one.name == RATE]
        parts += [one.name.replace("_", " ") + self._later(one) for one in told]
        return f"{place}, " + "; ".join(parts)

    def _later(self, one: Parting) -> str:
        return f" at {one.iteration:,}" if one.iteration != self.iteration else ""


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """Two runs beside each other. All that is said of both is said of the first run first.

    Attributes:
        infos: One line about each.
        alignment: How moments were paired.
        differences: Settings that are not the same.
        curves: Errors, loss and other scalars that both logged, one row each.
        classes: Errors of the classes that both have.
        layers: The layers that both have, by the measure that was asked for.
        divergences: The moments at which they part, in order.
        same_until: Last iteration up to which all that is compared is the same, number for number; None if nothing is.
        incidents: Of each run.
        incidents_at: Iterations of the first run at which the second one's incidents are; None for those that lie where
            only the second run has been.
        not_compared: What could not be compared and why, one sentence each; data from outside.
        measures: What layers can be compared by in both.
        alignments: How moments can be paired in both.
    """

    infos: tuple[RunInfo, RunInfo]
    alignment: Alignment
    differences: tuple[Difference, ...]
    curves: tuple[PairedRows, ...]
    classes: PairedRows
    layers: PairedRows
    divergences: tuple[Divergence, ...]
    same_until: int | None
    incidents: tuple[tuple[Incident, ...], tuple[Incident, ...]]
    incidents_at: tuple[int | None, ...] = ()
    not_compared: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = tuple(Measure)
    alignments: tuple[Alignment, ...] = (Alignment.ITERATION, Alignment.SHARE)

    @property
    def verdict(self) -> str:
        """One sentence: where they part first, or that they do not; names are data from outside."""
        same = "" if self.same_until is None else f"the same, number for number, up to {self.same_until:,}"
        if self.divergences:
            first = f"first divergence: iteration {self.divergences[0].words}"
            return f"{first} ({same})" if same else first
        last = max((int(rows.at_a[-1]) for rows in self.paired if rows.names and len(rows.keys)), default=None)
        if last is None:
            return "nothing in common that could be compared"
        if same:
            return same if self.same_until != last else f"the same, number for number, to the end ({last:,})"
        if not self.is_judged:
            return f"{counted(self.moments, 'moment')} in common: too few to say what is usual"
        return "no divergence: never farther apart than usual"

    @property
    def moments(self) -> int:
        """The most moments that any rows have in common."""
        return max((len(rows.keys) for rows in self.paired if rows.names), default=0)

    @property
    def is_judged(self) -> bool:
        """Whether there is enough in common to say whether they part."""
        return self.moments >= FEWEST_MOMENTS

    @property
    def paired(self) -> tuple[PairedRows, ...]:
        """All paired rows."""
        return (self.classes, self.layers, *self.curves)


@dataclass(frozen=True, eq=False, slots=True)
class PairedColumns:
    """Some paired rows over the columns of an axis of the first run's iterations, or of another alignment's keys.

    Attributes:
        axis: The columns.
        rows: Row numbers in the PairedRows, one a row here.
        a: Values of the first run, shape (rows, columns): of classes the largest in a column, of others the mean.
        b: Those of the second.
        distance: The largest in each column.
    """

    axis: TimeAxis
    rows: tuple[int, ...]
    a: FloatArray
    b: FloatArray
    distance: FloatArray
