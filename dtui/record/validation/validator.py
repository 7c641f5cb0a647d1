"""Turns a watched validation into the stored one, over all processes of the training.

Owns the tracked images, and the rule for which validations count.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from dtui.model import ImageSet, IntArray, Validation
from dtui.record.network.layers import head_of
from dtui.record.start.resume import Start
from dtui.record.training.distributed import Arrays, Exchange
from dtui.record.validation.activations.of_run import Activations
from dtui.record.validation.activations.part import part_of_all
from dtui.record.validation.judge import JUDGE, Judge
from dtui.record.validation.judge_input import Call, Given, Terms, UnusableJudgementError
from dtui.record.validation.loader_tap import is_spread
from dtui.record.validation.output_kind import Evidence, OutputKind
from dtui.record.validation.ranks import top_error
from dtui.record.validation.targets import UnusableLoaderError
from dtui.record.validation.thumbnails import Thumbnails, ThumbnailTaker, with_thumbnails
from dtui.record.validation.tracked_images import ImagesChangedError, ImageTracker
from dtui.record.validation.validation_watch import Places, ValidationWatch
from dtui.record.validation.watched import Watched
from dtui.record.writing.failure_guard import VALIDATIONS, Boundary
from dtui.record.writing.warn import warn_once, without_numbers
from dtui.record.writing.writer_thread import Job, Store

INTERRUPTED = "the evaluation was interrupted"
TWICE = "twice"
"""Cause of the warning that a validation does not count, as there was one at its iteration."""


class Validator:
    """Handles the validations of one run, one after the other."""

    def __init__(
        self,
        names: Sequence[str] | None,
        thumbnails: Thumbnails | None,
        exchange: Exchange,
        boundary: Boundary,
        outputs: OutputKind,
        model: nn.Module,
        top: int = 0,
    ) -> None:
        """Begin without images; `names` are those of the classes, `outputs` what is known of those of the model.

        `top` is how many of the largest class scores to look at, 0 for the first alone.
        """
        self._top = top
        network = weakref.ref(model)  # a run does not keep its model
        self._tracker = ImageTracker(names, lambda count: "" if (found := network()) is None else head_of(found, count))
        self._outputs = outputs
        self._thumbnails = thumbnails
        self.judge = Judge(names, thumbnails, exchange, boundary)
        """Judges the run's items by scores, if `judge` is called."""
        self._exchange = exchange
        self._boundary = boundary
        self._last: int | None = None
        self._begun_after: int | None = None
        self._is_spread = False
        self._unsaved: tuple[ImageSet, IntArray] | None = None
        self._activations: Activations | None = None

    def go_on(self, start: Start) -> None:
        """Continue a resumed run: use its images, and go on after its last validation."""
        if start.past is not None:
            self._begun_after = start.updates - 1
            self._last = start.last_validation
            if start.past.images is not None and start.past.images.judging is not None:
                self.judge.go_on(start.past.images, start.worst_tenths())
            elif start.past.images is not None:
                self._tracker.go_on(start.past.images)

    def begin(
        self,
        model: nn.Module,
        loader: Any,
        spread: bool | None,
        iteration: int,
        places: Places,
        activations: Activations | None = None,
    ) -> ValidationWatch | None:
        """Begin to watch a validation; None, and the reason told, where it cannot be watched.

        Args:
            model: The module that the evaluation calls.
            loader: What it iterates over, or None.
            spread: Whether each process judges images of its own; None asks the loader.
            iteration: Updates done so far, minus one.
            places: Where labels and class scores are.
            activations: Of the run; None for none.
        """
        self._is_spread = self._exchange.ranks > 1 and (is_spread(loader) if spread is None else spread)
        if not self._exchange.is_first and not self._is_spread:
            return None
        taker = None
        if self._thumbnails is not None and not self._tracker.is_known and self._exchange.is_first:
            taker = ThumbnailTaker(self._thumbnails)
        self._activations = activations
        reading = None if activations is None else activations.watch(model)
        watch = ValidationWatch(model, loader, taker, places, reading, self._top)
        try:
            watch.begin()
        except BaseException as error:
            watch.end()
            if not isinstance(error, UnusableLoaderError):
                raise
            self._refuse(iteration, error)
            return None
        return watch

    def add(self, given: Given, iteration: int, watch: ValidationWatch | None) -> None:
        """Add a call of `Recorder.judge` after `iteration`; bad input is told, and the call left out.

        `watch` is that of the context in which it was called, None for none.

        The calls at another iteration have been completed: before the update in between.
        """
        iteration = max(iteration, 0)
        try:
            if self._tracker.is_known:
                raise UnusableJudgementError(
                    "the validations before recorded class scores; a run records one or the other"
                )
            call, terms = Call.of(given), Terms.of(given)
            spread = self._is_spread if given.is_within and given.spread is None else given.spread
            is_spread = self._exchange.ranks > 1 and bool(spread)
            if self._exchange.is_first or is_spread:
                self.judge.add(iteration, terms, call, given.images, is_spread=is_spread)
                if watch is not None:
                    watch.judged(len(call.ids))
            elif spread is None:
                warn_once(
                    "judge on ranks",
                    "judge: only the items of the first process are recorded; where each process judges items of its "
                    "own, give spread=True",
                )
        except UnusableJudgementError as error:
            self._refuse(iteration, ValueError(f"judge: {error}"), f"{JUDGE} {without_numbers(str(error))}")

    def completed(self) -> Job | None:
        """Return the job that writes the calls of `Recorder.judge` so far as one validation; None if there is none."""
        iteration, job = self.judge.pending, self.judge.complete()
        return job if iteration is not None and self._is_next(iteration) else None

    def interrupted(self) -> None:
        """Forget the calls of `Recorder.judge` that are not yet a validation: its evaluation was interrupted."""
        if self.judge.pending is not None:
            self._boundary.miss(VALIDATIONS, self.judge.pending, INTERRUPTED)
            self.judge.drop()

    def end(self, watch: ValidationWatch, iteration: int) -> Job | None:
        """Return the job that writes a validation that has ended; None if there is nothing to write."""
        if self.judge.has_begun:
            self.judge.use_pictures(watch.thumbnails)
            if self.judge.pending is not None:
                self.judge.use_activations(watch.activations_of_items(), self._activations)
            return self.completed()
        iteration = max(iteration, 0)
        if not self._is_next(iteration):
            return None
        try:
            watched = watch.watched()
            if self._is_spread:
                return self._spread_job(watch, watched, iteration)
            return self._job(watch, watched, iteration)
        except (UnusableLoaderError, ImagesChangedError, ValueError) as error:
            self._refuse(iteration, error)
            return None

    def _is_next(self, iteration: int) -> bool:
        """Whether a validation at an iteration counts: it is the first there."""
        if self._last is None or iteration > self._last:
            self._last = iteration
            return True
        if iteration != self._begun_after:  # before going on, as after the checkpoint was written
            warn_once(
                TWICE,
                f"iteration {iteration}: validated twice without an update in between; the first counts. "
                "Where the network was trained in between, call recorder.step() after each update",
            )
        return False

    def _refuse(self, iteration: int, error: Exception, cause: str = VALIDATIONS) -> None:
        warn_once(cause, f"iteration {iteration}: {error}")
        self._boundary.miss(VALIDATIONS, iteration, str(error))

    def _job(self, watch: ValidationWatch, watched: Watched, iteration: int) -> Job:
        judged = watched.read_as(self._outputs.decide(watched.evidence, watched.outputs, iteration))
        if not self._tracker.is_known:
            self._unsaved = self._tracker.begin(judged)
        labels, confidences, columns = self._tracker.place(judged)
        counted = watched.activations
        rows = None if counted is None else self._tracker.rows_of(watched.ids)

        def write(store: Store) -> None:
            if self._unsaved is not None:
                images, order = self._unsaved
                further = () if self._activations is None else self._activations.columns
                images = replace(images, columns=(*images.columns, *further))
                store.set_images(with_thumbnails(images, order.tolist(), watch.thumbnails))
                self._unsaved = None
            values = {} if counted is None or rows is None else counted.columns(rows)
            store.append_validation(Validation(iteration, labels, confidences, columns={**columns, **values}))
            if "rank" in columns:
                store.append_logged(iteration, top_error(columns["rank"], self._top))

        return Job(VALIDATIONS, iteration, write)

    def _spread_job(self, watch: ValidationWatch, watched: Watched, iteration: int) -> Job:
        """Return a job for the writer's thread that leaves this process's part, or merges all parts."""

        def leave(_: Store) -> None:
            self._exchange.leave(VALIDATIONS, iteration, _as_arrays(watched))

        def write(store: Store) -> None:
            parts = self._exchange.pick_up(VALIDATIONS, iteration)
            self._job(watch, _merged([_as_arrays(watched), *parts]), iteration).write(store)

        return Job(VALIDATIONS, iteration, write if self._exchange.is_first else leave)


def _as_arrays(watched: Watched) -> Arrays:
    evidence = watched.evidence
    counted = {} if watched.activations is None else watched.activations.arrays()
    return {
        **counted,
        "ids": watched.ids,
        "targets": watched.targets,
        "labels": watched.labels,
        "confidences": watched.confidences,
        "looks": np.array([[evidence.low, evidence.high, evidence.off]]),
        "ends_in": np.array(evidence.ends_in),
        "outputs": np.array(watched.outputs),
        "tops": watched.tops,
        "seconds": watched.seconds,
    }


def _merged(parts: Sequence[Arrays]) -> Watched:
    """Merge what all processes saw; an image that two processes judged counts once, with the first judgement."""
    outputs = {int(part["outputs"]) for part in parts}
    if len(outputs) > 1:
        raise ImagesChangedError(f"validation: the number of classes differs between processes: {sorted(outputs)}")
    joined = {name: np.concatenate([part[name] for part in parts]) for name in _JOINED}
    looks = np.concatenate([part["looks"] for part in parts])
    evidence = Evidence.of(looks, {str(part["ends_in"]) for part in parts})
    return Watched(**joined, evidence=evidence, outputs=outputs.pop(), activations=part_of_all(parts))


_JOINED = ("ids", "targets", "labels", "confidences", "tops", "seconds")
