"""The part of the Recorder that takes judgements by a number an item: `Recorder.judge`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol
from weakref import WeakMethod

from torch import Tensor

from dtui.record.validation.judge_input import Given
from dtui.record.validation.validator import Validator
from dtui.record.writing.failure_guard import VALIDATIONS, Boundary
from dtui.record.writing.writer_thread import Job


class Updates(Protocol):
    """What counts the updates."""

    before_update: WeakMethod[Any] | None
    """Called before the next update is counted."""


class JudgeCalls:
    """The calls of `judge`, and when they become a validation."""

    _boundary: Boundary
    _validator: Validator
    _counting: Updates
    _is_within: bool

    @property
    @abstractmethod
    def iteration(self) -> int:
        """Iteration of the last update."""

    @abstractmethod
    def _is_ours(self) -> bool: ...

    @abstractmethod
    def _tell_closed(self, what: str) -> None: ...

    @abstractmethod
    def _write_judged(self, job: Job | None) -> None: ...

    def judge(
        self,
        ids: Any,
        scores: Any,
        group: Any = None,
        label: Any = None,
        threshold: float | None = None,
        better: str = "higher",
        *,
        name: str | None = None,
        images: Tensor | None = None,
        spread: bool | None = None,
    ) -> None:
        """Judge items by one number each, where the largest class score does not tell what is right.

        At any time, also within `with recorder.validation():`. The calls at one iteration make one validation; tensors
        stay on their device. `dtui.record.judging` has ready scores for several tasks.

        Args:
            ids: What each item is known by in every validation: integers or strings, shape (n,).
            scores: A number an item, shape (n,): an IoU, a loss, an error; NaN for none: such an item is neither right
                nor wrong. None where labels alone decide.
            group: What each item belongs to, one for all or shape (n,): names, or integers, of `classes` where the
                recorder has them. Groups stand where classes stand elsewhere. None for one group.
            label: What each item was taken for, of the same kind; without a threshold an item is right where this is
                its group.
            threshold: The score from which on an item is right. None: not right is what scores worse than the worst
                tenth did at the best of the last 20 validations (see `dtui.record.validation.score_limit`).
            better: "higher", or "lower" for losses.
            name: Of the score, such as "IoU".
            images: For thumbnails, shape (n, 1 or 3, height, width).
            spread: Whether each process of a distributed training judges items of its own; None takes it from the
                context, else only the first process judges.
        """
        self._tell_closed("judge")
        with self._boundary.guard(VALIDATIONS, self.iteration):
            if self._is_ours() and self._boundary.is_on(VALIDATIONS):
                terms = (threshold, better, name, images, spread, self._is_within)
                self._write_judged(self._validator.add(Given(ids, scores, group, label, *terms), self.iteration))
                self._counting.before_update = WeakMethod(self._end_judging)

    def _end_judging(self, *, is_whole: bool = True) -> None:
        """Write what was judged since the last update as one validation, unless its evaluation was interrupted."""
        self._counting.before_update = None
        with self._boundary.guard(VALIDATIONS, self.iteration):
            if is_whole:
                self._write_judged(self._validator.completed())
            else:
                self._validator.interrupted()
