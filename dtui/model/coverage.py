"""How much of a network a run records, in numbers and in words."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A parameter outside the recorded layers: a bias, an embedding, a parameter of a norm, or a user's own parameter.

    It may all the same have a row of its own, as an `OtherParameter`.

    Attributes:
        name: Dotted; data from outside.
        kind: Class name of the module that owns it; data from outside.
        elements: Their number, > 0.
    """

    name: str
    kind: str
    elements: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a network is recorded.

    Attributes:
        parameters: Elements of all parameters, each parameter once.
        recorded: Elements of the weights of recorded layers.
        unrecorded: Number of parameters that are in no recorded layer.
        largest: Some of these parameters, the largest first.
    """

    parameters: int
    recorded: int
    unrecorded: int
    largest: tuple[Unrecorded, ...] = ()

    @property
    def share(self) -> float:
        """Recorded share of all elements, in [0, 1]; 1 if there are no elements."""
        return self.recorded / self.parameters if self.parameters else 1.0

    @property
    def percent(self) -> str:
        """That share as people read it, such as "97 %"; of a part that is tiny, or not all, it says so."""
        percent = round(100 * self.share)
        if percent in (0, 100) and 0 < self.recorded < self.parameters:
            return "less than 1 %" if percent == 0 else "more than 99 %"
        return f"{percent} %"

    def text(self, named: int = 4, rows: int = 0) -> str:
        """Return one line with the names of the largest parameters outside the layers; data from outside.

        Args:
            named: Names in it.
            rows: How many of those have a row each.
        """
        line = f"{self.percent} of the {self.parameters:,} parameters are weights of recorded layers"
        names = [f"{one.name} ({one.kind}, {one.elements:,})" for one in self.largest[:named]]
        if not names:
            return line
        rest = self.unrecorded - len(names)
        told = ", ".join(names) + (f" and {rest:,} more" if rest else "")
        if 0 < rows < self.unrecorded:
            return f"{line}; others: {told}, of which {rows:,} {'is' if rows == 1 else 'are'} recorded as one row each"
        return f"{line}; {'recorded as one row each' if rows else 'not recorded'}: {told}"
