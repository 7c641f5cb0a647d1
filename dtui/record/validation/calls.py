"""The part of the Recorder that takes judgements: `validation`, `predictions` and `judge`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakMethod

from torch import Tensor, nn

from dtui.record.validation.activations.of_run import Activations
from dtui.record.validation.judge_input import Given
from dtui.record.validation.output_kind import OutputKind
from dtui.record.validation.targets import Place
from dtui.record.validation.validation_watch import NotOneError, Places, ValidationWatch
from dtui.record.validation.validator import INTERRUPTED, Validator
from dtui.record.writing.failure_guard import VALIDATIONS, Boundary
from dtui.record.writing.warn import warn_once
from dtui.record.writing.writer_thread import Job, Sink


class Unseen(Protocol):
    """What notices updates that nobody counts."""

    def validating(self, iteration: int) -> None:
        """A validation begins."""

    def validated(self, iteration: int) -> None:
        """A validation has ended."""


class Updates(Protocol):
    """What counts the updates."""

    before_update: WeakMethod[Any] | None
    """Called before the next update is counted."""

    @property
    def unseen(self) -> Unseen:
        """What notices those that it does not count."""


class Recording(Protocol):
    """What writes the run."""

    @property
    def activations(self) -> Activations:
        """What reads activations."""

    @property
    def sink(self) -> Sink | None:
        """Where jobs go; None before the run begins."""

    def begin(self) -> Sink:
        """Return where jobs go; the first call creates the run."""


class ValidationCalls:
    """The calls by which a script says how its items are judged, and when they become a validation."""

    _boundary: Boundary
    _validator: Validator
    _outputs: OutputKind
    _counting: Updates
    _recording: Recording
    _watch: ValidationWatch | None
    _is_within: bool

    @property
    @abstractmethod
    def iteration(self) -> int:
        """Iteration of the last update."""

    @abstractmethod
    def _is_ours(self) -> bool: ...

    @abstractmethod
    def _tell_closed(self, what: str) -> None: ...

    @property
    @abstractmethod
    def _model(self) -> nn.Module: ...

    @contextmanager
    def validation(
        self,
        loader: Any = None,
        *,
        model: nn.Module | None = None,
        spread: bool | None = None,
        target: Place | None = None,
        scores: Place | None = None,
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
            target: Where the true labels are in a batch: an index, a key or an attribute, or a function that returns
                them for a batch. None looks for them, and tells once where several parts could be meant.
            scores: Where the class scores are in what the model returns, named in the same ways.
        """
        watch = None
        self._tell_closed("validation")
        self._is_within = True
        with self._boundary.guard(VALIDATIONS, self.iteration):
            if self._is_ours() and self._boundary.is_on(VALIDATIONS):
                self._counting.unseen.validating(self.iteration)
                watch = self._validator.begin(
                    self._model if model is None else model,
                    loader,
                    spread,
                    self.iteration,
                    Places(target, scores),
                    self._recording.activations,
                )
                self._watch = watch
        try:
            yield
        except BaseException as error:
            if watch is not None:
                with self._boundary.guard(VALIDATIONS, self.iteration):
                    watch.end()
                    self._validator.interrupted()
                    if not isinstance(error, NotOneError):
                        self._boundary.miss(VALIDATIONS, self.iteration, INTERRUPTED)
            raise
        finally:
            self._watch, self._is_within = None, False
        if watch is not None:
            with self._boundary.guard(VALIDATIONS, self.iteration):
                watch.end()
                self._counting.unseen.validated(self.iteration)
                self._write_judged(self._validator.end(watch, self.iteration))

    def predictions(self, logits: Tensor, targets: Any, ids: Any, images: Tensor | None = None) -> None:
        """State predictions, within `with recorder.validation():`.

        Args:
            logits: Class scores, shape (n, classes), or of one output (n, 1) or (n,); probabilities where the
                recorder's `outputs` are.
            targets: True labels, shape (n,), (n, 1) or one-hot.
            ids: What each image is known by in every validation: integers or strings, shape (n,).
            images: The inputs for thumbnails, shape (n, 1 or 3, height, width).
        """
        with self._boundary.guard("predictions", self.iteration):
            if self._watch is not None:
                self._watch.add(logits, targets, ids, images)
            elif not self._is_within:  # else it has been told why this validation is not recorded
                warn_once("predictions", "predictions: not within `with recorder.validation():`; they are left out")

    def watch_outputs(self, network: nn.Module) -> None:
        """Recognise the kind of outputs by a training pass of another module: the one whose output is judged."""
        with self._boundary.guard("outputs", self.iteration):
            self._outputs.listen(network)

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

        At any time, also within `with recorder.validation():`, where activations are read. The calls at one iteration
        make one validation; tensors stay on their device. `dtui.record.judging` has ready scores for several tasks.

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
            images: For thumbnails, shape (n, 1 or 3, height, width). Those of the first validation are kept.
            spread: Whether each process of a distributed training judges items of its own; None takes it from the
                context, else only the first process judges.
        """
        self._tell_closed("judge")
        with self._boundary.guard(VALIDATIONS, self.iteration):
            if self._is_ours() and self._boundary.is_on(VALIDATIONS):
                terms = (threshold, better, name, images, spread, self._is_within)
                self._validator.add(Given(ids, scores, group, label, *terms), self.iteration, self._watch)
                self._counting.before_update = WeakMethod(self._end_judging)

    def _end_judging(self, *, is_whole: bool = True) -> None:
        """Write what was judged since the last update as one validation, unless its evaluation was interrupted."""
        self._counting.before_update = None
        with self._boundary.guard(VALIDATIONS, self.iteration):
            if is_whole:
                self._write_judged(self._validator.completed())
            else:
                self._validator.interrupted()

    def _write_judged(self, job: Job | None) -> None:
        if job is not None and not self._recording.begin().offer(job):
            self._boundary.miss(VALIDATIONS, job.iteration, "validations came faster than they were written")

    def _is_judging(self) -> bool:
        """Whether an evaluation is running."""
        return self._is_within
