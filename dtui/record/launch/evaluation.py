"""Finds the evaluations of a training that says nothing of them, and has the recorder watch them.

An evaluation is a pass over a loader, between two updates, in which the model is in evaluation mode and called whole.
Its data are not those of the training; of several data sets the first that was evaluated is followed. A pass that was
broken off counts where the one before was broken off at the same batch.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import torch
from torch import nn

from dtui.record.launch.finding import parameters_of
from dtui.record.launch.loaders import DataOf
from dtui.record.network.layers import unwrap
from dtui.record.recorder import Recorder
from dtui.record.validation.validation_watch import NotOneError, ValidationWatch, is_of_training


class Evaluations:
    """The evaluations of one recorded model."""

    def __init__(
        self, recorder: Recorder, model: nn.Module, trained: set[int], watch_calls: Callable[[bool], None]
    ) -> None:
        """Begin.

        Args:
            recorder: The recorder of the model.
            model: The outermost module, as it is called in training.
            trained: Identities of its parameters that are trained.
            watch_calls: Asks to be told of the calls of modules, or no longer.
        """
        self._recorder = recorder
        self._model = weakref.ref(model)
        self._untrained = parameters_of(model) - trained
        self._watch_calls = watch_calls
        self._training: list[DataOf] = []
        self._data: DataOf | None = None
        self._is_own: bool | None = None
        self._broken_off_at: int | None = None
        self._now: DataOf | None = None
        self._pass: _Pass | None = None
        self._last = -1

    def iterated(self, loader: Any) -> Callable[[Iterator[Any]], Iterator[Any]] | None:
        """Note that a loader is about to be iterated; returns what its batches pass through, if that may be one."""
        self.close()
        data = DataOf(loader)
        if not self._may_be_one(data):
            self._now = data
            return None
        model = self._model()
        context = self._recorder.validation(loader, model=model)
        context.__enter__()
        watch = self._recorder._watch
        if watch is None:  # refused, and told why; or another process judges
            context.__exit__(None, None, None)
            return None
        watch.mark_found()
        self._pass = _Pass(self, watch, context, data, model)
        self._watch_calls(True)
        return self._pass.of

    def called(self, module: nn.Module) -> None:
        """Note a call of a module: the first of a pass that is the model, or an average of it, is the one to judge."""
        current = self._pass
        if current is None or not current.given:
            return
        if is_of_training(module):
            return
        model = self._model()
        if model is None:
            return
        trained = parameters_of(model) - self._untrained  # layers may have been replaced since the beginning
        is_own = unwrap(module) is unwrap(model) or trained <= parameters_of(module)
        if not is_own and _shapes(module) != _shapes(model):
            return
        self._watch_calls(False)
        if self._is_own is None or self._is_own == is_own:
            current.follow(module, is_own)

    def updating(self) -> None:
        """Note that an update is about to be made: what is iterated now is training data, and no evaluation."""
        if self._pass is not None and self._pass.goes_on:
            self._now = self._pass.data
            self._end(is_one=False)
        self.close()
        if self._now is not None:
            if not any(self._now.is_same(known) for known in self._training):
                self._training.append(self._now)
            self._now = None

    def trains_on(self, loader: Any) -> None:
        """Note the loader that was iterated when the training was found."""
        self._now = DataOf(loader)

    def close(self) -> None:
        """End the pass that is open, if there is one: something else begins."""
        current = self._pass
        if current is None:
            return
        is_repeated = current.given > 1 and self._broken_off_at == current.given
        if not current.is_exhausted:
            self._broken_off_at = current.given
        self._end(is_one=current.is_exhausted or is_repeated)

    def exhausted(self, one: _Pass) -> None:
        """Note that all batches of a pass were given out and judged; never raises."""
        with suppress(Exception):
            if self._pass is one:
                self.close()

    def _may_be_one(self, data: DataOf) -> bool:
        model, recorder = self._model(), self._recorder
        if model is None or recorder.closed or recorder.iteration < 0 or recorder.iteration == self._last:
            return False
        if unwrap(model).training and torch.is_grad_enabled():
            return False
        if any(data.is_same(known) for known in self._training):
            return False
        return self._data is None or data.is_same(self._data)

    def _end(self, *, is_one: bool) -> None:
        current, self._pass = self._pass, None
        self._watch_calls(False)
        if current is None:
            return
        if is_one and current.is_followed:
            self._data, self._is_own, self._last = self._data or current.data, current.is_own, self._recorder.iteration
            current.context.__exit__(None, None, None)
        else:
            with suppress(NotOneError):
                current.context.__exit__(NotOneError, NotOneError(), None)


class _Pass:
    """One pass over a loader that may be an evaluation, and the iterator that the training gets for it."""

    def __init__(
        self,
        evaluations: Evaluations,
        watch: ValidationWatch,
        context: AbstractContextManager[None],
        data: DataOf,
        model: nn.Module | None,
    ) -> None:
        self._model = model  # a run ends with its model, and this pass comes before
        self._evaluations = evaluations
        self._watch = watch
        self.context = context
        self.data = data
        self.given = 0
        self.is_exhausted = False
        self.is_followed = False
        self.is_own = True
        self._batches: weakref.ref[_Batches] | None = None

    def of(self, batches: Iterator[Any]) -> _Batches:
        """Return the batches of the loader, which are noted as they are taken."""
        given = _Batches(self, batches, self._watch.noting(batches))
        self._batches = weakref.ref(given)
        return given

    @property
    def goes_on(self) -> bool:
        """Whether somebody still has the iterator, and it has more to give."""
        return not self.is_exhausted and self._batches is not None and self._batches() is not None

    def follow(self, module: nn.Module, is_own: bool) -> None:
        """Judge what a module returns."""
        self.is_followed, self.is_own = True, is_own
        self._watch.follow(module)

    def exhausted(self) -> None:
        """Note that there is no further batch; a loader that runs ahead says so before the last ones are judged."""
        self.is_exhausted = True
        if self._watch.passes >= self.given:
            self._evaluations.exhausted(self)


class _Batches:
    """An iterator that gives what another one gives, and is in all else that one."""

    def __init__(self, one: _Pass, batches: Iterator[Any], noted: Iterator[Any]) -> None:
        self._dtui = one, batches, noted

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> Any:
        one, _, noted = self._dtui
        try:
            batch = next(noted)
        except StopIteration:
            one.exhausted()
            raise
        one.given += 1
        return batch

    def __len__(self) -> int:
        return len(self._dtui[1])  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dtui[1], name)


def _shapes(module: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for parameter in module.parameters()]
