"""The Recorder: what a training script talks to, and the boundary that no failure of ours crosses.

Owns the iteration count and the order of events. A second copy would let records and validations of one run
disagree about the iteration that they belong to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn
from torch.optim import Optimizer

from dtui.model import RunStatus, Structure
from dtui.record.boundary import RECORDS, VALIDATIONS, WATCHES, Boundary
from dtui.record.checks import (
    SUFFIX,
    as_class_names,
    check_classes,
    check_optimizer,
    check_period,
)
from dtui.record.describe_run import describe_run
from dtui.record.flight import plan_watches
from dtui.record.hooks import watch_steps
from dtui.record.kernels import find_kernels
from dtui.record.layers import find_layers
from dtui.record.preload import import_for_threads
from dtui.record.recording import Recording
from dtui.record.resume import find_start, refusals_told
from dtui.record.scalars import ScalarLog, learning_rate
from dtui.record.shards import Elsewhere, Exchange
from dtui.record.sink import Store
from dtui.record.skips import SkippedUpdates
from dtui.record.termination import EndWatch
from dtui.record.thumbnails import Thumbnails
from dtui.record.validation import ValidationWatch
from dtui.record.validator import Validator
from dtui.record.warn import forget_told, reason_of, warn_once


class Recorder:
    """Records a training into a run that `dtui` can open while it grows.

    It hooks the optimizer, so that an unchanged training loop is recorded::

        with dtui.Recorder("runs/mnist", model, optimizer, every=100, classes=names) as rec:
            for x, y in loader:
                ...
                rec.log(loss=loss)
            with rec.validation(val_loader):
                evaluate(model, val_loader)

    After construction no exception leaves it: trouble is told once as a RecorderWarning, what it concerns is no
    longer recorded, and the run says what is missing. It draws no random number and changes no gradient.
    """

    def __init__(
        self,
        path: str | Path,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer] | None = None,
        *,
        every: int = 100,
        watch_every: int | None = None,
        keep_around: int = 0,
        classes: Sequence[str] | None = None,
        name: str | None = None,
        hyperparameters: Mapping[str, object] | None = None,
        notes: Sequence[Mapping[str, object]] = (),
        thumbnails: Thumbnails | None = Thumbnails(),  # noqa: B008 - frozen
        graph: bool = True,
        fused: bool | None = None,
        resume: bool = False,
        iteration: int | None = None,
    ) -> None:
        """Attach to a model and its optimizer.

        Args:
            path: Directory of the run; ".dtui" is added where it lacks it.
            model: The network, wrapped (DDP, compiled) or not.
            optimizer: Whose updates are the iterations; of several the first counts. None leaves it to `step`.
            every: Iterations from one record to the next, >= 1; the first update is iteration 0 and recorded.
            watch_every: Iterations from one watch of the flight recorder to the next, a divisor of `every`; None
                stands for 1 where `keep_around` is given.
            keep_around: Watches kept around each thing that the flight recorder fires on, half of them before it; 0
                for no flight recorder.
            classes: Names in label order; None numbers them.
            name: Shown name; the directory's without ".dtui" when None.
            hyperparameters: Shown with the run, besides the optimizer's own.
            notes: Events known from outside, each a mapping with at least "iteration" and "kind".
            thumbnails: How the validation images are shown; None for not at all.
            graph: Whether to watch the first forward pass for the graph of the network.
            fused: Read the weights with a compiled kernel, for a third of the time or less; it is compiled once on a
                machine, in some seconds. None does so where numba is installed (dtui[fast]), on a GPU where triton is,
                which comes with torch for it.
            resume: Go on with the run at `path` from a checkpoint that the model and the optimizer were loaded from;
                where there is none, begin it. What was recorded past the checkpoint is superseded as soon as something
                new is recorded. Name, hyperparameters, notes and images stay those of the beginning. The first record
                has no weights before it, so its statistics of updates are NaN.
            iteration: Updates that were done before: store `recorder.iteration + 1` in your checkpoint. None asks the
                optimizer where `resume`, which tells it if it is of Adam's kind, and is 0 otherwise.

        Raises:
            RecorderError: The arguments cannot work together, the path cannot be written, or the run to go on with has
                another network or other classes.
            RunExistsError: There is a run at `path` and no `resume`, or a living process records it.
            DtuiError: The run to go on with cannot be read.
            MissingExtraError: `fused`, and numba, on a GPU triton, is not installed.
        """
        check_period(every)
        self._exchange = Exchange(str(path))
        self._optimizer = check_optimizer(optimizer, model)
        probes = find_layers(model)
        names = as_class_names(classes)
        check_classes(names, model, probes)
        watch_plan = plan_watches(every, watch_every, keep_around, probes, self._exchange.is_first)
        forget_told()
        import_for_threads(
            is_writer=self._exchange.is_first,
            has_pictures=thumbnails is not None,
            has_own_pictures=thumbnails is not None and thumbnails.picture is not None,
        )
        with refusals_told(self._exchange, resume):
            start = find_start(path, self._optimizer, self._exchange, resume=resume, iteration=iteration)
            start.check_classes(names)
        has_kernel = find_kernels(fused, model, is_watched=watch_plan is not None)
        self.path = start.path
        self.every = every
        self.iteration = start.updates - 1
        """Of the last update, -1 before the first: one less than the updates done."""
        self._model = model
        self._scalars = ScalarLog()
        self._boundary = Boundary()
        self._validator = Validator(names, thumbnails, self._exchange, self._boundary)
        self._validator.go_on(start)
        self._watch: ValidationWatch | None = None
        self._closed = False
        self._process = os.getpid()
        shown = name or self.path.name.removesuffix(SUFFIX)
        self._metadata = describe_run(shown, every, self._optimizer, hyperparameters or {}, notes)
        self._names = names
        self._recording = Recording(
            model,
            probes,
            start,
            self._exchange,
            self._boundary,
            open_store=self._open_store,
            watch_plan=watch_plan,
            has_kernel=has_kernel,
            is_traced=graph and start.past is None and self._exchange.is_first,
        )
        with refusals_told(self._exchange, resume, start):
            if start.past is not None and self._recording.can_begin:
                self._recording.begin()
        self._hook = None if self._optimizer is None else watch_steps(self._optimizer, self._after_step)
        self._skips = SkippedUpdates(self._optimizer)
        self._end = EndWatch(self._finish, self._recording.note)

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Close the run; one that an exception ended is marked as crashed, with the reason."""
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.close()
        else:
            self._finish(RunStatus.CRASHED, reason_of(error))

    def __deepcopy__(self, memo: object) -> Recorder:
        """Return the recorder itself: a copied training is not recorded twice."""
        return self

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        """Pickle as nothing: a recorder belongs to its process."""
        return (_nothing, ())

    def log(self, **values: float | Tensor) -> None:
        """Keep scalars for the next record, the last value of each name; never waits for a device.

        Args:
            values: Numbers or tensors of one element, such as loss=loss; "loss" and "error" (a share in [0, 1])
                have their own place on the screens.
        """
        with self._boundary.guard("log", self.iteration):
            self._scalars.add(values)

    def step(self) -> None:
        """Count one update, where no optimizer was given: call it after each, before gradients are cleared."""
        if self._hook is not None:
            warn_once("step", "step: the optimizer is hooked and counts its own updates; the call is ignored")
            return
        self._count()

    @contextmanager
    def validation(
        self, loader: Any = None, *, model: nn.Module | None = None, spread: bool | None = None
    ) -> Iterator[None]:
        """Record how every image is judged by the evaluation inside the context.

        The evaluation is the user's own, unchanged: predictions are seen where the model returns them, images
        and true labels where the loader hands them out, in any order. Every module has the same training flag
        afterwards as before.

        Args:
            loader: The object that the evaluation iterates over: a DataLoader with any sampler, or a list of
                batches. None where `predictions` is called instead.
            model: The module that the evaluation calls, where it is not the recorder's own: an EMA copy, or the
                compiled form.
            spread: Whether each process of a distributed training judges images of its own; None asks the
                loader: those of a DistributedSampler are.
        """
        watch = None
        with self._boundary.guard(VALIDATIONS, self.iteration):
            if self._is_ours() and self._boundary.is_on(VALIDATIONS):
                watch = self._validator.begin(model or self._model, loader, spread, self.iteration)
                self._watch = watch
        try:
            yield
        except BaseException:
            if watch is not None:
                with self._boundary.guard(VALIDATIONS, self.iteration):
                    watch.end()
                    self._boundary.miss(VALIDATIONS, self.iteration, "the evaluation was interrupted")
            raise
        finally:
            self._watch = None
        if watch is not None:
            with self._boundary.guard(VALIDATIONS, self.iteration):
                watch.end()
                job = self._validator.end(watch, self.iteration)
                if job is not None and not self._recording.begin().offer(job):
                    self._boundary.miss(VALIDATIONS, job.iteration, "validations came faster than they were written")

    def predictions(self, logits: Tensor, targets: Any, ids: Any, images: Tensor | None = None) -> None:
        """State predictions, within `with rec.validation():`.

        Args:
            logits: Class scores, shape (n, classes).
            targets: True labels, shape (n,).
            ids: What each image is known by in every validation: integers or strings, shape (n,).
            images: The inputs for thumbnails, shape (n, 1 or 3, height, width).
        """
        with self._boundary.guard("predictions", self.iteration):
            if self._watch is None:
                warn_once("predictions", "predictions: not within `with rec.validation():`; they are left out")
                return
            self._watch.add(logits, targets, ids, images)

    def close(self) -> None:
        """End the run: write what is queued, fold it, detach from the training. Does nothing the second time."""
        self._finish(RunStatus.DONE, "")

    # --- the training's events

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        with self._boundary.guard("updates", self.iteration):
            if self._skips.is_known_skipped(optimizer):
                return
        self._count()

    def _count(self) -> None:
        if not self._is_ours():
            return
        self.iteration += 1
        if self.iteration % self.every == 0 and self._boundary.is_on(RECORDS):
            with self._boundary.guard(RECORDS, self.iteration):
                self._scalars.add(learning_rate(self._optimizer))
                self._recording.record(self.iteration, self._scalars, self._skips)
            if not self._boundary.is_on(RECORDS):
                self._recording.give_up_records()
        plan = self._recording.watch_plan
        if plan is not None and self.iteration % plan.every == 0 and self._boundary.is_on(WATCHES):
            with self._boundary.guard(WATCHES, self.iteration):
                self._recording.watch(self.iteration, self._scalars, self._skips)

    def _is_ours(self) -> bool:
        """Whether the run is open, and this is the process that opened it: not a forked worker."""
        return not self._closed and os.getpid() == self._process

    def _open_store(self, structure: Structure) -> Store:
        from dtui.store import RunWriter

        if not self._exchange.is_first:
            return Elsewhere()
        return RunWriter(self.path, structure, self._metadata, classes=self._names or ())

    # --- the end

    def _finish(self, status: RunStatus, reason: str) -> None:
        if not self._is_ours():
            return
        self._closed = True
        reason = self._end.explain(reason)
        try:
            with self._boundary.guard("close", self.iteration):
                if self._hook is not None:
                    self._hook.remove()
                self._skips.remove()
                self._recording.finish(self.iteration, status, reason)
        finally:
            self._end.remove()


def _nothing() -> None:
    """Stand for a recorder in another process."""
