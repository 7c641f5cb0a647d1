"""Turns the calls of `Recorder.judge` into validations: the calls at one iteration make one.

Owns the groups of a run, which stand where classes stand elsewhere, and the rule for what is right. The calls keep
tensors on their devices; the writer's thread reads them. A validation is complete when the next update comes, when the
context of `Recorder.validation` ends, or when the run is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from dtui.model import MOST_CLASSES, ImageSet, IntArray, Validation
from dtui.model.judging import (
    ANOTHER,
    BY_LABEL,
    BY_TENTH,
    MEAN,
    NOT_RIGHT,
    WORST_TENTH,
    Judging,
    logged_name,
)
from dtui.record.training.devices import when_ready
from dtui.record.training.distributed import Exchange
from dtui.record.validation.activations.of_run import Activations
from dtui.record.validation.activations.part import ZEROS, ActivationPart, part_of_all
from dtui.record.validation.judge_input import Call, Items, Terms, UnusableJudgementError, read
from dtui.record.validation.score_limit import ScoreLimit, is_right, worst_tenth
from dtui.record.validation.thumbnails import Thumbnails, ThumbnailTaker, with_thumbnails
from dtui.record.validation.tracked_images import ImagesChangedError, ImageTracker, Judgements, Nouns
from dtui.record.writing.failure_guard import VALIDATIONS, Boundary
from dtui.record.writing.warn import warn_once, without_numbers
from dtui.record.writing.writer_thread import Job, Store

ALL = "all"
"""The group of a run whose items have none."""
JUDGE = "judge"
NOUNS = Nouns("judge", "items", "group", "scores", "are neither right nor wrong there")


@dataclass(eq=False, slots=True)
class Pending:
    """The calls at one iteration, not yet a validation."""

    iteration: int
    is_spread: bool
    calls: list[Call] = field(default_factory=list)
    thumbnails: ThumbnailTaker | None = None
    counted: ActivationPart | None = None
    activations: Activations | None = None


class Judge:
    """Judges the items of one run by their scores. Its methods without `_` are called on the training's thread."""

    def __init__(
        self, names: Sequence[str] | None, thumbnails: Thumbnails | None, exchange: Exchange, boundary: Boundary
    ) -> None:
        """Begin without items; `names` are those of the groups."""
        self._names = None if names is None else tuple(names)
        self._thumbnails = thumbnails
        self._exchange = exchange
        self._boundary = boundary
        self._terms: Terms | None = None
        self._pending: Pending | None = None
        self._has_pictures = False
        self._groups: Groups | None = None
        self._holds_activations = False

    @property
    def has_begun(self) -> bool:
        """Whether the validations of the run are judged here."""
        return self._terms is not None

    @property
    def pending(self) -> int | None:
        """The iteration of the calls that are not yet a validation; None where there are none."""
        return None if self._pending is None else self._pending.iteration

    def go_on(self, images: ImageSet, tenths: Sequence[float]) -> None:
        """Go on with a resumed run; `tenths` are the worst tenths of its last validations."""
        judging = images.judging
        if judging is not None:
            self._terms = Terms(
                judging.rule, judging.threshold, judging.better, judging.score, has_scores=judging.has_scores
            )
            self._has_pictures = True
            self._groups = Groups(images.classes, judging, tenths)
            self._groups.tracker.go_on(images)
            self._holds_activations = any(column.name == ZEROS for column in images.columns)

    def add(self, iteration: int, terms: Terms, call: Call, images: Tensor | None, *, is_spread: bool) -> None:
        """Add a call.

        Raises:
            UnusableJudgementError: It is judged by another rule than the calls before.
        """
        if self._terms is None:
            self._terms = terms
        elif _unlike(self._terms, terms):
            raise UnusableJudgementError(
                f"this call is judged {_said(terms)}, the first was {_said(self._terms)}; "
                "a run judges all its items in one way"
            )
        if self._pending is None:
            self._pending = Pending(iteration, is_spread)
            if self._thumbnails is not None and not self._has_pictures and self._exchange.is_first:
                self._pending.thumbnails = ThumbnailTaker(self._thumbnails)
        self._pending.calls.append(call)
        self._take(self._pending, images, len(call.ids))

    def _take(self, pending: Pending, images: Tensor | None, count: int) -> None:
        if pending.thumbnails is not None:
            try:
                pending.thumbnails.take(images, count)
            except Exception as error:  # noqa: BLE001 - pictures are a comfort; the validation goes on
                warn_once("thumbnails", f"no thumbnails: {error}")
                pending.thumbnails = None

    def use_pictures(self, taken: ThumbnailTaker | None) -> None:
        """Use the pictures that a loader gave out, if there is one an item, and none were given with the items."""
        pending = self._pending
        if pending is None or taken is None or pending.thumbnails is None or pending.thumbnails.has_pictures:
            return
        if taken.count == sum(len(call.ids) for call in pending.calls):
            pending.thumbnails = taken

    def use_activations(self, counted: ActivationPart | None, activations: Activations | None) -> None:
        """Use what was counted of the activations while the items were judged; the first validation says if any are."""
        if self._pending is not None:
            self._pending.counted, self._pending.activations = counted, activations

    def drop(self) -> None:
        """Forget the calls that are not yet a validation: the evaluation was interrupted."""
        self._pending = None

    def complete(self) -> Job | None:
        """Return the job that writes the calls so far as one validation; None where there are none."""
        pending, self._pending = self._pending, None
        if pending is None:
            return None
        self._has_pictures = True
        calls = pending.calls
        ready = when_ready(part for one in calls for part in (one.ids, one.scores, one.groups, one.labels))
        write = self._write_spread if pending.is_spread else self._write

        def work(store: Store) -> None:
            ready()
            try:
                write(store, pending)
            except (UnusableJudgementError, ImagesChangedError) as error:
                self._refuse(pending.iteration, error)

        return Job(VALIDATIONS, pending.iteration, work)

    def _refuse(self, iteration: int, error: Exception) -> None:
        text = str(error).removeprefix("judge: ")
        warn_once(f"{JUDGE} {without_numbers(text)}", f"iteration {iteration}: judge: {text}")
        self._boundary.miss(VALIDATIONS, iteration, f"judge: {text}")

    # --- on the writer's thread

    def _write(self, store: Store, pending: Pending) -> None:
        self._append(store, pending, read(pending.calls), pending.counted, is_spread=False)

    def _write_spread(self, store: Store, pending: Pending) -> None:
        """Leave this process's part, or merge all parts."""
        own = read(pending.calls).arrays() | ({} if pending.counted is None else pending.counted.arrays())
        if not self._exchange.is_first:
            self._exchange.leave(VALIDATIONS, pending.iteration, own)
            return
        parts = [own, *map(dict, self._exchange.pick_up(VALIDATIONS, pending.iteration))]
        self._append(store, pending, Items.merged(parts), part_of_all(parts), is_spread=True)

    def _append(
        self, store: Store, pending: Pending, items: Items, counted: ActivationPart | None, *, is_spread: bool
    ) -> None:
        assert self._terms is not None
        if not len(items.ids):
            raise UnusableJudgementError("no item was judged")
        if not is_spread and len(items.ids) > len(np.unique(items.ids)):
            again, count = len(items.ids) - len(np.unique(items.ids)), len(items.ids)
            warn_once(
                "same ids",
                f"judge: {again} of {count} ids come a second time in one validation, and the first counts; "
                "give every item an id of its own",
            )
        if self._groups is None:
            self._groups = Groups.of(items, self._names, self._terms)
        judged, logged = self._groups.judge(items)
        tracker = self._groups.tracker
        if not tracker.is_known:
            images, order = tracker.begin(judged)
            further = () if pending.activations is None else pending.activations.columns
            self._holds_activations = bool(further)
            images = replace(images, judging=self._groups.judging, columns=(*images.columns, *further))
            store.set_images(with_thumbnails(images, order.tolist(), pending.thumbnails))
        labels, confidences, columns = tracker.place(judged)
        if counted is not None and self._holds_activations:
            columns = {**columns, **counted.columns(tracker.rows_of(items.ids))}
        store.append_validation(Validation(pending.iteration, labels, confidences, columns=columns))
        if logged:
            store.append_logged(pending.iteration, logged)


class Groups:
    """The groups of a run, and what is right in them."""

    def __init__(self, classes: tuple[str, ...], judging: Judging, tenths: Sequence[float] = ()) -> None:
        """Begin with the names of the groups, and behind them that of the class without items."""
        self.judging = judging
        self.tracker = ImageTracker(classes, nouns=NOUNS)
        self._names = classes[: judging.other]
        self._classes = len(classes)
        self._limit = ScoreLimit(judging.better, tenths)

    @classmethod
    def of(cls, items: Items, names: tuple[str, ...] | None, terms: Terms) -> Groups:
        """Return the groups of the first validation.

        Raises:
            UnusableJudgementError: There are too many.
        """
        if names is None:
            labels = items.labels if terms.rule == BY_LABEL else None
            names = _names_of([part for part in (items.groups, labels) if part is not None])
        if len(names) >= MOST_CLASSES:
            raise UnusableJudgementError(f"{len(names):,} groups, at most {MOST_CLASSES - 1:,} can be stored")
        other = ANOTHER if terms.rule == BY_LABEL else NOT_RIGHT
        judging = Judging(terms.name, terms.better, terms.rule, terms.threshold, len(names), terms.has_scores)
        return cls((*names, other), judging)

    def judge(self, items: Items) -> tuple[Judgements, dict[str, float]]:
        """Return how the items are judged, and what is logged of all of them.

        Raises:
            UnusableJudgementError: A group is not one of the run's.
        """
        judging = self.judging
        targets = self._places(items.groups, len(items.ids), is_strict=True)
        given = None if items.labels is None else self._places(items.labels, len(items.ids))
        logged: dict[str, float] = {}
        known = ~np.isnan(items.scores)
        if judging.has_scores and known.any():
            logged[logged_name(judging.score, MEAN)] = float(items.scores[known].mean(dtype=np.float64))
        if judging.rule == BY_LABEL and given is not None:
            labels = np.where(known, given, -1) if judging.has_scores else given
        else:
            limit = judging.threshold
            if limit is None:
                tenth = worst_tenth(items.scores, judging.better)
                limit = self._limit.pass_on(tenth)
                if known.any():
                    logged |= {logged_name(judging.score, WORST_TENTH): tenth, judging.limit_name: limit}
            wrong = judging.other if given is None else np.where(given == targets, judging.other, given)
            labels = np.where(is_right(items.scores, limit, judging.better), targets, wrong)
            labels = np.where(known, labels, -1)
        columns = {"score": items.scores} if judging.has_scores else {}
        judged = Judgements(items.ids, targets, labels, np.ones(len(labels)), self._classes, columns)
        return judged, logged

    def _places(self, values: np.ndarray | None, count: int, *, is_strict: bool = False) -> IntArray:
        """Return the place of each item's group or label; `other` for a label that no group has."""
        if values is None:
            return np.zeros(count, dtype=np.int64)
        places = {name: place for place, name in enumerate(self._names)}
        kinds, kind = np.unique(values, return_inverse=True)
        is_numbered = values.dtype.kind != "U" and not all(name.lstrip("-").isdigit() for name in self._names)
        found = [
            (int(one) if 0 <= int(one) < len(self._names) else None) if is_numbered else places.get(str(one))
            for one in kinds.tolist()
        ]
        if is_strict and None in found:
            unknown = kinds[found.index(None)]
            known = ", ".join(self._names[:4]) + ", …" * (len(self._names) > 4)
            raise UnusableJudgementError(
                f"group {str(unknown)[:40]!r} is none of the {len(self._names):,} groups of the run ({known}); "
                "give all of them in the first validation, or as classes="
            )
        by_kind = np.array([self.judging.other if one is None else one for one in found], dtype=np.int64)
        result: IntArray = by_kind[kind.reshape(-1)] if len(by_kind) else np.zeros(count, dtype=np.int64)
        return result


def _names_of(parts: Sequence[np.ndarray]) -> tuple[str, ...]:
    """Return the names of groups: numbers ascending, others as they come first."""
    if not parts:
        return (ALL,)
    if all(part.dtype.kind != "U" for part in parts):
        return tuple(map(str, np.unique(np.concatenate(parts)).tolist()))
    return tuple(dict.fromkeys(str(one) for part in parts for one in part.tolist()))


def _unlike(first: Terms, other: Terms) -> bool:
    """Whether two calls are judged in different ways; a name may be left out later."""
    return replace(first, name="") != replace(other, name="")


def _said(terms: Terms) -> str:
    if terms.rule == BY_LABEL:
        return "by its label"
    if terms.rule == BY_TENTH:
        return f"by the worst tenth ({terms.better} is better)"
    return f"by threshold={terms.threshold:g} ({terms.better} is better)"
