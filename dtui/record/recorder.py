"""The Recorder: the class that a training script uses. No failure of dtui reaches the training through it.

Owns the order of events in a recording.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from torch import nn
from torch.optim import Optimizer

from dtui.errors import RecorderError
from dtui.model import Column, RunMetadata, RunStatus, Structure
from dtui.record.backends.choose import find_kernels
from dtui.record.batches.used import UsedSamples
from dtui.record.counting import Counting
from dtui.record.flight.kept_weights import MOST_BYTES
from dtui.record.flight.plan import plan_watches
from dtui.record.flight.with_batches import plan_with_batches
from dtui.record.lifetime import Life, find_former, weakly
from dtui.record.loop_calls import LoopCalls
from dtui.record.network.hooks import hide_from_torchscript
from dtui.record.network.layers import find_layers, unwrap
from dtui.record.recording import Recording
from dtui.record.start.address_space import check_address_space
from dtui.record.start.arguments import (
    CHANNELS,
    as_class_names,
    check_classes,
    check_existing,
    check_norms,
    check_optimizers,
    check_period,
    check_whole,
    run_folder,
)
from dtui.record.start.preload import import_for_threads
from dtui.record.start.resume import Start, find_start, refusals_told
from dtui.record.start.run_metadata import describe_run
from dtui.record.start.threads import check_threads
from dtui.record.training.distributed import Exchange
from dtui.record.validation.calls import ValidationCalls
from dtui.record.validation.output_kind import OutputKind, check_outputs
from dtui.record.validation.ranks import check_top
from dtui.record.validation.thumbnails import Thumbnails
from dtui.record.validation.validation_watch import ValidationWatch
from dtui.record.validation.validator import Validator
from dtui.record.writing.failure_guard import Boundary
from dtui.record.writing.process_end import EndWatch
from dtui.record.writing.warn import forget_told, whole_reason_of
from dtui.record.writing.writer_thread import Store
from dtui.run_path import SUFFIX
from dtui.standard_streams import occupy_closed


class Recorder(LoopCalls, ValidationCalls):
    """Records a training into a run that `dtui` can open while it grows.

    It hooks the optimizer, so that an unchanged training loop is recorded::

        with dtui.Recorder("runs/mnist", model, optimizer, every=100, classes=names) as recorder:
            for x, y in loader:
                ...
                recorder.log(loss=loss)
            with recorder.validation(val_loader):
                evaluate(model, val_loader)

    After construction it raises no exception. A failure is reported once as a RecorderWarning, the affected data are no
    longer recorded, and the run says what is missing. It draws no random number and changes no gradient.
    """

    _counting: Counting

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
        on_existing: str | None = None,
        resume: bool | None = None,
        iteration: int | None = None,
        outputs: str | None = None,
        top: int = 0,
        activations: bool = False,
        batches: Any = False,
        keep_weights: int = MOST_BYTES,
        norms: str = "layers",
    ) -> None:
        """Attach to a model and its optimizer.

        Args:
            path: Directory of the run; ".dtui" is added where it lacks it. It is claimed here, before anything is
                recorded: of two recorders that want it at once one gets it. `path` of the recorder tells what it got.
            model: The network, wrapped (DDP, compiled) or not.
            optimizer: The optimizer whose updates are the iterations. Of several, the first counts, and any other of
                the same parameters (see `dtui.record.training.updates`). None finds the optimizer by its updates, or
                uses `step` once that is called.
            every: Iterations from one record to the next, >= 1; the first update is iteration 0 and recorded.
            watch_every: Iterations from one watch of the flight recorder to the next, a divisor of `every`; None
                stands for 1 where `keep_around` is given.
            keep_around: Watches kept around each trigger of the flight recorder, half of them before it; 0 for no
                flight recorder.
            classes: Names in label order; None numbers them.
            name: Displayed name; None takes the directory's name without ".dtui".
            hyperparameters: Shown with the run, besides the optimizer's own.
            notes: Events known from outside, each a mapping with at least "iteration" and "kind".
            thumbnails: How thumbnails of the validation images are made; None for no thumbnails.
            graph: Whether to watch the first forward pass to find the graph of the network.
            fused: Read the weights with a compiled kernel, for a third of the time or less; it is compiled once for a
                CPU, in some seconds. None does so where numba is installed, on a GPU where triton is,
                which comes with torch for it.
            on_existing: What to do where a run is at `path` already. "number", the default, makes a run of its own,
                NAME-2, and says so. "resume" goes on with the run from a checkpoint that the model and the optimizer
                were loaded from, or begins one where there is none: what was recorded past the checkpoint is superseded
                as soon as something new is recorded; name, hyperparameters, notes and images stay those of the
                beginning; the first record has no weights before it, so its statistics of updates are NaN. "replace"
                removes the run when the first record of the new one is written. "refuse" raises. A run that a living
                process records is passed over by "number" and refused by the others.
            resume: True is short for on_existing="resume".
            iteration: Updates that were done before: store `recorder.iteration + 1` in your checkpoint. None asks the
                optimizer where `resume`, which tells it if it is of Adam's kind, and is 0 otherwise.
            outputs: What the model returns in a validation: "logits", or "probabilities" where it ends in Sigmoid or
                Softmax. None recognises them, by the values, the last operation of a pass in training, or the module
                they came from, and tells once where that proves nothing.
            top: With 5 validations also keep the second label with its confidence, and the place of the true class
                among the first five; `top_5_error` becomes a curve. 0 keeps the label alone.
            activations: Whether each validation keeps two numbers a filter, the share of activations that are zero and
                their mean, and the nine images that excite it most; see README.md beside this file for what it costs.
            batches: Whether to keep which samples each update was trained on, around the triggers of the flight
                recorder and with the records. True takes their positions in the data set from the DataLoader that is
                iterated while the model trains; a loader says which one; an index, a key, an attribute or a function
                says where a batch has ids, as of an IterableDataset. Where `keep_around` is 0 it becomes 40.
            keep_weights: Bytes of weights kept a trigger of the flight recorder, 0 to 65,536, of the filters that it
                names, from before it and from after it; takes 8 bytes a weight of host memory. 0 for none.
            norms: "layers" records normalisation layers as a whole; "channels" also the scale γ, shift β, running mean
                and running variance of each channel, 65,536 channels at most. A run that goes on keeps what it has.

        Raises:
            RecorderError: The arguments cannot work together, the path cannot be written, the run to go on with has
                another network or other classes, or the address space is limited too tightly.
            RunExistsError: `on_existing` does not allow what is at `path`, or a living process records it.
            DtuiError: The run to go on with cannot be read.
            MissingExtraError: `fused` is True, and numba (on a GPU: triton) is not installed; or a library that writes
                runs, such as PyTables, cannot be loaded.
        """
        occupy_closed()
        check_period(every)
        existing = check_existing(on_existing, resume)
        self._exchange = Exchange(str(path))
        optimizers = check_optimizers(optimizer, model)
        check_whole(model, optimizers)
        first = optimizers[0] if optimizers else None
        probes = find_layers(model)
        names = as_class_names(classes)
        check_classes(names, model, probes)
        check_outputs(outputs)
        check_top(top)
        check_norms(norms)
        is_first = self._exchange.is_first
        plan = partial(plan_watches, every, watch_every, probes=probes, is_first=is_first, keep_weights=keep_weights)
        is_wanted = batches is not False and every != 1
        watch_plan = plan_with_batches(plan, keep_around, is_wanted=is_wanted, is_asked=watch_every is not None)
        forget_told()
        hide_from_torchscript()
        with refusals_told(self._exchange):
            check_threads()
            check_address_space()
        import_for_threads(
            is_writer=self._exchange.is_first,
            has_pictures=thumbnails is not None,
            has_own_pictures=thumbnails is not None and thumbnails.picture is not None,
        )
        self._life = Life(self, unwrap(model), first, str(run_folder(path)))
        former = find_former(self._life)
        with refusals_told(self._exchange):
            start = find_start(path, first, self._exchange, on_existing=existing, iteration=iteration)
        try:
            with refusals_told(self._exchange):
                start.check_classes(names)
            has_kernel = find_kernels(fused, model, is_first=is_first)
            self.path = start.path
            self.every = every
            self._start = start
            self._network = weakref.ref(unwrap(model))
            self._given = weakref.ref(model)
            self._kept = model if first is None else None  # whoever calls `step` has the recorder
            self._boundary = Boundary()
            self._outputs = OutputKind(outputs)
            self._validator = Validator(names, thumbnails, self._exchange, self._boundary, self._outputs, model, top)
            self._validator.go_on(start)
            self._watch: ValidationWatch | None = None
            self._closed = self._is_within = self._is_ended_elsewhere = self._is_orphaned = False
            self._process = os.getpid()
            shown = name or self.path.name.removesuffix(SUFFIX)
            around = 0 if watch_plan is None else watch_plan.keep_around
            metadata = describe_run(shown, every, optimizers, hyperparameters or {}, notes, around)
            watched = None if batches is False or not self._exchange.is_first else batches
            self._batches = None if watched is None else UsedSamples(model, watched, weakly(self._is_judging))
            self._stop = self._exchange.stop_signal()
            self._recording = Recording(
                model,
                probes,
                start,
                self._exchange,
                self._boundary,
                open_store=self._opener(start, metadata, names or ()),
                watch_plan=watch_plan,
                has_kernel=has_kernel,
                is_traced=graph and start.past is None and (self._exchange.is_first or activations),
                has_activations=activations,
                has_channels=norms == CHANNELS,
                batches=self._batches,
                stop=self._stop,
            )
            with refusals_told(self._exchange, start):
                if start.past is not None and self._recording.can_begin:
                    self._recording.begin()
        except BaseException:
            start.give_up()
            raise
        if former is not None:
            former.make_way(self.path)
        self._counting = Counting(
            model,
            optimizers,
            start,
            every,
            self._recording,
            self._boundary,
            is_open=weakly(self._is_ours),
            batches=self._batches,
        )
        self._stop.follow(weakly(self._counting.last))
        self._outputs.listen(model)
        self._end = EndWatch(weakly(self._finish), weakly(self._recording.note))
        self._life.watch(start, self._boundary, self._counting.skips, self._end, probes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Close the run; if an exception ended it, it is marked as crashed, with the reason."""
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.close()
        else:
            self._finish(RunStatus.CRASHED, whole_reason_of(error))

    def __deepcopy__(self, memo: object) -> Recorder:
        """Return the recorder itself: a copied training is not recorded twice."""
        return self

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        """Pickle as nothing: a recorder belongs to its process."""
        return (_nothing, ())

    def close(self) -> None:
        """End the run: record the weights as they are at the end, write what is queued, fold it, detach.

        There is no closing record if the last update was recorded already, or the weights were changed since. Of a run
        that ended with its network it waits for the end. A second call does nothing.
        """
        if self._is_orphaned and self._recording.sink is not None and os.getpid() == self._process:
            self._recording.sink.close(RunStatus.DONE, "")
        self._finish(RunStatus.DONE, "")

    @property
    def closed(self) -> bool:
        """Whether the run has ended, so that nothing is recorded any more."""
        return self._closed

    def _is_ours(self) -> bool:
        """Whether the run is open, and this is the process that opened it, not a forked worker."""
        return not self._closed and os.getpid() == self._process

    def _opener(
        self, start: Start, metadata: RunMetadata, names: Sequence[str]
    ) -> Callable[[Structure, Sequence[Column]], Store]:
        """Return the function that creates the run on the writer's thread; it holds neither recorder nor network."""
        return partial(start.create, metadata, names)

    @property
    def _model(self) -> nn.Module:
        """The module that the evaluation calls: the given one, or the network if its wrapper is gone."""
        given = self._given()
        model = self._network() if given is None else given  # not `or`: a compiled model has no truth
        if model is None:
            raise RecorderError("the model is gone; make a new recorder for another")
        return model

    # --- the end

    def let_go(self) -> None:
        """Stop recording, and drop all references to the network; the caller ends the run."""
        self._end_judging()
        self._closed, self._is_orphaned, self._kept = True, True, None
        with self._boundary.guard("close", self.iteration):
            self._outputs.detach()
            self._counting.let_go()
        self._counting.forget()

    def _finish(self, status: RunStatus, reason: str) -> None:
        if not self._is_ours():
            return
        self._end_judging(is_whole=status is RunStatus.DONE)
        self._closed, self._is_ended_elsewhere = True, self._counting.last_update.is_elsewhere()
        self._life.forget()
        reason = self._end.explain(reason)
        try:
            with self._boundary.guard("close", self.iteration), self._ended_in_any_case(status, reason):
                self._outputs.detach()
                is_new = self._start.past is None and self._exchange.is_first
                self._counting.finish(status, reason, is_new=is_new)
        finally:
            self._end.remove()
        self._kept = None
        self._counting.forget()

    @contextmanager
    def _ended_in_any_case(self, status: RunStatus, reason: str) -> Iterator[None]:
        """End the run where something of ours fails at its end: what is queued is written, and nobody waits for it."""
        try:
            yield
        except Exception:
            if self._boundary.sink is not None:
                self._boundary.sink.close(status, reason)
            self._start.give_up()
            raise


def _nothing() -> None:
    """Return nothing; this stands for a recorder in another process."""
