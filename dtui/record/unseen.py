"""Detects that a network is trained although none of its updates are counted.

Owns the signs of that. Nothing here waits for a device. torch counts the changes of each tensor on the host
(`_version`). Weights themselves are read only at the end of a validation, which has waited for the device already.
"""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from contextlib import suppress
from math import prod

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dtui.record.training.updates import RHYTHMS, Updates
from dtui.record.validation.validator import TWICE
from dtui.record.writing.failure_guard import RECORDS, VALIDATIONS, Boundary
from dtui.record.writing.warn import hush, warn_once

WATCHED = 4
"""Parameters that are watched, spread over the network: half of them must change, for a layer may change its own weight
in each forward pass."""
CHANGES = 8
"""Changes of a parameter that are no updates: the weights of an average are put in and taken out again at a
validation, a checkpoint is loaded. More of them between two updates are updates."""
LOGGED = 20
"""Calls of `log` without an update after which it is looked: micro-batches of one update are logged too."""
FOREIGN = 1000
"""Updates of another network, and calls of `log`, while there is none of this one: a GAN trains one of two for long."""
REPLACED = 100
"""Updates of another network of the same shape, while there is none of this one any more, after which it was replaced,
by that of the next fold. It takes FOREIGN where the shape differs, and more where there were such pauses before. Where
the other's optimizer was made before, it takes twice as many as this one had in a row: two are trained in turns."""
REPLACED_AT_END = 16
"""The same at the end of the training."""
IDLE = 16
"""Updates in a row that change nothing, for want of gradients."""


class Unseen:
    """Watches one network between the updates that are counted."""

    def __init__(self, model: nn.Module, updates: Updates, boundary: Boundary) -> None:
        """Note the present state of the network, without keeping it alive."""
        self._model = weakref.ref(model)
        self._updates = updates
        self._boundary = boundary
        self._watched: list[weakref.ref[nn.Parameter]] = []
        self._versions: list[int] = []
        self._idle = 0
        self._logged = 0
        self._foreign = 0
        self._has_counted = False
        self._is_to_choose = False
        self._longest = self._in_a_row = 0
        self._last = -1
        self._is_replaced = False
        self._alike: weakref.WeakKeyDictionary[Optimizer, bool] = weakref.WeakKeyDictionary()
        self._is_alike = False
        self._made_before = weakref.WeakSet(thing for thing in gc.get_objects() if issubclass(type(thing), Optimizer))
        self._began: list[int] = []
        self._foreign_before = 0
        self._validated: int | None = None
        self._values: list[Tensor] = []
        self._before: list[Tensor] = []
        self._choose()
        self.reason = ""
        """What was not seen, "" where nothing is missing."""

    def counted(self, iteration: int) -> None:
        """Note an update that was counted."""
        with suppress(Exception):
            is_idle = self._look() == 0 and not self._updates.is_stated and not self._has_gradients()
            self._longest, self._last = max(self._longest, self._strange), iteration
            self._in_a_row = 1 if self._strange else self._in_a_row + 1
            self._logged, self._foreign, self._has_counted = 0, self._updates.foreign, True
            self._idle = self._idle + 1 if is_idle else 0
            if self._is_to_choose:
                self._choose()
            if self._idle == IDLE:
                self._tell(
                    iteration,
                    f"the last {IDLE} updates changed nothing, for the network had no gradients",
                    "give the recorder the model that is trained, not one that it was copied from",
                )

    def foreign_update(self, optimizer: Optimizer) -> None:
        """Note an update of another network."""
        with suppress(Exception):
            if optimizer not in self._alike:
                self._alike[optimizer] = self._is_of_the_same_shape(optimizer)
            self._is_alike = self._alike[optimizer]
            in_turns = 2 * self._in_a_row if optimizer in self._made_before else 0
            self._look_for_another(max(REPLACED, in_turns))

    def explained(self) -> None:
        """Note that something other than a counted update has changed the network."""
        with suppress(Exception):
            self._look()

    def logged(self, iteration: int) -> None:
        """Check now and then, when something is logged."""
        self._logged += 1
        if self._logged % LOGGED == 0:
            with suppress(Exception):
                self._check(iteration, CHANGES)
                if self._logged >= FOREIGN and self._strange >= FOREIGN:
                    self._tell_strangers(iteration)

    def validating(self, iteration: int) -> None:
        """Check when a validation begins."""
        with suppress(Exception):
            is_again, self._validated = self._validated == iteration, iteration
            self._check(iteration, CHANGES // 2 if is_again else CHANGES)
            if is_again and self._updates.foreign - self._foreign_before >= CHANGES:
                self._tell_strangers(iteration)
            self._foreign_before = self._updates.foreign
            if is_again and self.reason:
                self._boundary.miss(VALIDATIONS, iteration, self.reason)
            self._is_to_choose = not is_again
            self._before, self._values = self._values if is_again else [], self._read()
            self._began = self._now()

    def validated(self, iteration: int) -> None:
        """Check when a validation has ended. Its own changes are not training, and devices have finished by now."""
        with suppress(Exception):
            within = [now - before for now, before in zip(self._now(), self._began, strict=True)]
            self._versions = [version + more for version, more in zip(self._versions, within, strict=True)]
            if self._logged >= LOGGED and not self.reason and len(self._before) == len(self._values) > 1:
                changed = sum(not torch.equal(*pair) for pair in zip(self._before, self._values, strict=True))
                if 2 * changed >= len(self._values):
                    self._tell_changes(iteration)
                    self._boundary.miss(VALIDATIONS, iteration, self.reason)

    def closing(self, iteration: int, *, was_trained: bool) -> str:
        """Check a last time, and return a line on what was not seen; "" if nothing is missing.

        Args:
            iteration: Of the last update, -1 before the first.
            was_trained: Whether the network was called as in training, and the training came to its end.
        """
        with suppress(Exception):
            self._check(iteration, CHANGES if self._has_counted else CHANGES // 2)
            if not self._has_counted and self._updates.foreign >= CHANGES:
                self._tell_strangers(iteration)
            self._look_for_another(REPLACED_AT_END)
            if was_trained and iteration < 0 and not self.reason:
                remedy = "give the recorder the model and the optimizer that are trained, or call recorder.step()"
                self._tell(iteration, "no update of the model was seen", f"{remedy} after each update")
        return self.reason

    @property
    def _strange(self) -> int:
        """Updates of other networks since the last one of this."""
        return self._updates.foreign - self._foreign

    def _look_for_another(self, enough: int) -> None:
        """Tell, once, that another network is trained in the place of this one, which was trained before."""
        if not self._is_alike:
            enough = max(enough, FOREIGN)
        if not self._has_counted or self._is_replaced or self.reason or self._strange < enough:
            return
        if self._strange > RHYTHMS * self._longest:
            self._is_replaced = True
            what = f"the recorded model was updated no more, but another{' like it' if self._is_alike else ''}"
            remedy = "close the recorder when its training ends, and make another for each model, as of each fold"
            warn_once("replaced", f"iteration {self._last}: {what}, {self._strange:,} times; {remedy}")
            self._boundary.miss(RECORDS, self._last, what)

    def _is_of_the_same_shape(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer updates as much as a network has, or half of that, in tensors of the same shapes."""
        model = self._model()
        own = [] if model is None else [tuple(one.shape) for one in model.parameters()]
        updated = [tuple(one.shape) for group in optimizer.param_groups for one in group["params"]]
        return Counter(updated) <= Counter(own) and 2 * sum(map(prod, updated)) >= sum(map(prod, own))

    # --- what is looked at

    def _choose(self) -> None:
        """Choose the parameters to watch among those that are trained, from the first to the last."""
        model = self._model()
        trained = [] if model is None else [own for own in model.parameters() if own.requires_grad]
        count = min(WATCHED, len(trained))
        places = [round(place * (len(trained) - 1) / max(1, count - 1)) for place in range(count)]
        self._watched = [weakref.ref(trained[place]) for place in places]
        self._versions = self._now()
        self._is_to_choose = False

    def _now(self) -> list[int]:
        """Return how often each watched parameter was ever changed."""
        return [0 if (own := watched()) is None else _version_of(own) for watched in self._watched]

    def _changes(self) -> int:
        """Return how often half of the watched parameters were changed since they were looked at, at least."""
        changes = sorted(now - before for now, before in zip(self._now(), self._versions, strict=True))
        return changes[len(changes) // 2] if changes else 0

    def _look(self) -> int:
        """Look at the parameters, and return how often one was changed since the last time, at most."""
        most = 0
        for place, watched in enumerate(self._watched):
            parameter = watched()
            if parameter is None:
                self._choose()
                return 1
            version = _version_of(parameter)
            most = max(most, version - self._versions[place])
            self._versions[place] = version
        return most

    def _has_gradients(self) -> bool:
        for watched in self._watched:
            parameter = watched()
            if parameter is not None and parameter.grad is not None:
                return True
        return False

    def _read(self) -> list[Tensor]:
        """Return one value of each watched parameter, on its device; but for those that several processes share."""
        parameters = [parameter for watched in self._watched if type(parameter := watched()) is nn.Parameter]
        return [own.detach().reshape(-1)[:1].clone() for own in parameters]

    # --- what is told

    def _check(self, iteration: int, enough: int) -> None:
        if self._updates.is_captured:
            what = "an update was captured into a CUDA graph, whose replays nobody tells of"
            self._tell(iteration, what, "call recorder.step() after each replay")
        elif self._changes() >= enough:
            self._tell_changes(iteration)

    def _tell_changes(self, iteration: int) -> None:
        first = "make the recorder without optimizer= and " if self._updates.is_given else ""
        self._tell(
            iteration,
            "the weights were changed, but no update of them was seen",
            f"{first}call recorder.step() after each update",
        )

    def _tell_strangers(self, iteration: int) -> None:
        self._tell(
            iteration,
            "no update of the recorded model was seen, but of parameters that are not in it",
            "give the recorder the model that is trained: a copy, or one that was loaded or made anew, is another one",
        )

    def _tell(self, iteration: int, what: str, remedy: str) -> None:
        self._look()
        hush(TWICE)
        warn_once("unseen", f"iteration {max(iteration, 0)}: {what}; {remedy}")
        self.reason = self.reason or f"from iteration {max(iteration, 0)}: {what}"
        self._boundary.miss(RECORDS, iteration, what)


def _version_of(parameter: nn.Parameter) -> int:
    """Return how often a parameter was ever changed; 0 if torch does not count, as of one made in inference mode."""
    try:
        return parameter._version
    except RuntimeError:
        return 0
