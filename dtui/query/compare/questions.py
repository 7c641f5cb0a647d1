"""The questions of `RunQuery` about another run beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dtui.query.incidents.questions import IncidentQuestions

if TYPE_CHECKING:
    from dtui.model import RunInfo
    from dtui.model.compare import Alignment, Comparison, Measure


class CompareQuestions(IncidentQuestions):
    """The part of `RunQuery` that compares."""

    def info(self) -> RunInfo:
        """Return one line about the run."""
        raise NotImplementedError

    def compare(
        self, other: Self, alignment: Alignment | None = None, measure: Measure | None = None, *, called: str = "B"
    ) -> Comparison:
        """Return this run and another one beside each other: what differs, and where they part.

        Args:
            other: The other run, open.
            alignment: How moments are paired; None for the same iteration.
            measure: What layers are shown by; None for their update ratio. One that a run lacks is replaced by one
                that both have.
            called: The letter of the other run, in the sentences of the answer.

        Raises:
            NotRecordedError: The runs do not allow this alignment.
        """
        from dtui.model.compare import Alignment, Measure
        from dtui.query.compare.pairs import Side, compare

        ours, theirs = (Side(one._data, one.info(), one.incidents()) for one in (self, other))
        return compare(ours, theirs, alignment or Alignment.ITERATION, measure or Measure.UPDATES, called)
