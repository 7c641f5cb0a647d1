"""Looks for the training of this process, and records it: from the first optimizer that is made.

Owns the states of a launched process: it looks for a training, records it, looks for the next, or has given up.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dtui.errors import DtuiError
from dtui.launch_notes import FROZEN, LEFT_ALONE, OPTIMIZER, Note, Notes, Settings, read_settings
from dtui.record.batches.passes import Early, leave, listen
from dtui.record.launch import frameworks
from dtui.record.launch.evaluation import Evaluations
from dtui.record.launch.finding import (
    Found,
    NotFoundError,
    apart,
    find_training,
    has_all,
    optimizers_around,
    parameters_of,
    trained,
)
from dtui.record.launch.hooks import Hooks
from dtui.record.launch.loaders import choose_every, class_names, length_of
from dtui.record.launch.loss import Losses
from dtui.record.launch.telling import tell_begun
from dtui.record.lifetime import has_open
from dtui.record.network.outer_steps import watch_step
from dtui.record.recorder import Recorder
from dtui.record.training.distributed import Exchange, rank_here
from dtui.record.writing.process_end import at_end_of_child
from dtui.record.writing.warn import reason_of, tell, tell_in_one_line
from dtui.safe_text import safe
from dtui.standard_streams import occupy_closed

FOREIGN = 100
"""Updates in a row of another model after which a training counts as ended and the other as the next."""
MOST_TRAININGS = 20
"""Runs of one process: a search over hundreds of small trainings is none that anybody looks at one by one."""


class _State(Enum):
    LOOKING = auto()
    RECORDING = auto()
    OVER = auto()


_session: Session | None = None


def optimizer_made(optimizer: Optimizer) -> None:
    """Note that an optimizer was made. The bootstrap calls this."""
    session = _here()
    if session is not None:
        session.made(optimizer)


def loader_iterated() -> None:
    """Note that a DataLoader is about to be iterated, for the first time in this process. The bootstrap calls this."""
    session = _here()
    if session is not None:
        session.hear_batches()


def training_begins(trainer: Any, method: str) -> None:
    """Note that a Trainer of Lightning ("fit") or of Hugging Face ("train") begins. The bootstrap calls this."""
    session = _here()
    if session is not None:
        session.begin_framework(trainer, method)


def _here() -> Session | None:
    """Return the session of this process; a forked child has its own. None where nobody asked for one."""
    global _session
    if _session is None or _session.process != os.getpid():
        settings = read_settings()
        _session = None if settings is None else Session(settings)
    return _session


class Session:
    """One process of the command of `dtui run`."""

    def __init__(self, settings: Settings) -> None:
        occupy_closed()
        self.process = os.getpid()
        self._settings = settings
        self._notes = Notes(settings.folder)
        self._state = _State.LOOKING
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._called: list[weakref.ref[nn.Module]] = []
        self._below: weakref.WeakValueDictionary[int, nn.Module] = weakref.WeakValueDictionary()
        self._loader: Any = None
        self._recorder: Recorder | None = None
        self._evaluations: Evaluations | None = None
        self._losses = Losses(self._log)
        self._is_ours: weakref.WeakKeyDictionary[Optimizer, bool] = weakref.WeakKeyDictionary()
        self._recorded: set[int] = set()
        self._foreign = 0
        self._trainings = 0
        self._hooks: Hooks | None = None
        self._early = Early()

    # --- the beginning of a training

    def made(self, optimizer: Optimizer) -> None:
        """Note an optimizer; the first one begins the search for what it trains."""
        if self._state is _State.OVER:
            return
        if self._hooks is None:
            self._notes.mark(OPTIMIZER)
            self._hooks = Hooks(self)
            self._hooks.install()
            self.hear_batches()
        self._optimizers.append(weakref.ref(optimizer))
        if self._state is _State.LOOKING or (self._recorder is not None and self._recorder.closed):
            self._look()

    def hear_batches(self) -> None:
        """Note batches from here on, for the recorder that is not there yet, where they are asked for."""
        if self._settings.options.get("batches") and self._state is not _State.OVER:
            listen(self._early)

    def begin_framework(self, trainer: Any, method: str) -> None:
        """Give a Trainer our callback, and leave the training to it."""
        if frameworks.has_callback(trainer):
            self._end(f"the script records itself, by a callback of dtui; {LEFT_ALONE}")
        elif self._claim():
            tell_in_one_line("number")
            frameworks.add_callback(trainer, method, self._settings, self._notes)
            self._state = _State.OVER
            if self._hooks is not None:
                self._hooks.stop()

    def called(self, module: nn.Module) -> None:
        """Note a call of a module. What TorchScript made is evaluated, and not trained: it hides its layers."""
        if self._state is _State.RECORDING and self._evaluations is not None:
            self._evaluations.called(module)
            if isinstance(module, torch.jit.ScriptModule) and next(module.parameters(), None) is None:
                self._notes.mark(FROZEN)  # without weights, nobody knows whether it was made from the model
            return
        if isinstance(module, torch.jit.ScriptModule):
            return
        if self._state is not _State.LOOKING or not module.training or not torch.is_grad_enabled():
            return
        if self._below.get(id(module)) is module:
            return
        self._below.update({id(below): below for below in module.modules()})
        self._called.append(weakref.ref(module))
        optimizers = apart(self._living())
        if has_all(module, optimizers):
            self._begin(Found(module, tuple(optimizers)))

    def updating(self, optimizer: Optimizer) -> None:
        """Note that an update is about to be made."""
        if self._state is _State.LOOKING:
            self._decide(optimizer)
        elif self._state is _State.RECORDING:
            self._losses.forget()
            if self._evaluations is not None:
                self._evaluations.updating()
            self._follow(optimizer)

    def _living(self) -> list[Optimizer]:
        """Return the optimizers that still exist, in the order in which they were made."""
        living = [optimizer for one in self._optimizers if (optimizer := one()) is not None]
        self._optimizers = [weakref.ref(optimizer) for optimizer in living]
        return living

    def _look(self) -> None:
        """Look for the next training; the optimizers of the one before train none of it."""
        if self._trainings >= MOST_TRAININGS:
            self._end(f"{MOST_TRAININGS} trainings are recorded; those after them are not")
            return
        self._optimizers = [weakref.ref(one) for one in self._living() if not trained([one]) & self._recorded]
        self._state, self._foreign = _State.LOOKING, 0
        self._recorder = self._evaluations = None
        self._called = []
        self._below.clear()
        if self._hooks is not None:
            self._hooks.watch_calls(True)

    def _look_if_gone(self) -> None:
        """Look for the next training before its first update, where the model of this one is gone.

        An optimizer of another model has then been made while this one was still there.
        """
        if self._state is not _State.RECORDING or self._recorder is None or not self._recorder.closed:
            return
        if any(not trained([one]) & self._recorded for one in self._living()):
            self._look()

    def _decide(self, optimizer: Optimizer) -> None:
        """Find the training before its first update, where no module that was called has all of its parameters."""
        others = [other for other in apart([optimizer, *self._living()]) if other is not optimizer]
        called = [module for one in self._called if (module := one()) is not None]
        try:
            found = find_training(optimizer, others, called)
        except NotFoundError as error:
            self._end(str(error))
            return
        self._begin(found)
        if found.left_out and self._state is _State.RECORDING:
            layers = f"{found.left_out} of its parameters are in other modules, which are not recorded"
            self._notes.leave(Note(problem=f"the {type(optimizer).__name__} trains more than the model: {layers}"))

    def _begin(self, found: Found) -> None:
        """Record a training."""
        if self._hooks is None:
            return
        self._hooks.watch_calls(False)
        if has_open():
            self._end(f"the script has a recorder of its own; {LEFT_ALONE}")
            return
        if not self._claim():
            self._end("")
            return
        tell_in_one_line("number")
        loader, self._loader = self._loader, None
        every = self._settings.every or choose_every(length_of(loader))
        try:
            self._recorder = Recorder(
                self._settings.path,
                found.model,
                found.optimizers,
                every=every,
                classes=class_names(loader, found.model),
                **self._settings.options,
            )
        except DtuiError as error:
            self._end(str(error))
            return
        for optimizer in optimizers_around(found.optimizers):
            watch_step(optimizer)
        self._state = _State.RECORDING
        self._trainings += 1
        self._recorded = parameters_of(found.model)
        self._is_ours = weakref.WeakKeyDictionary(dict.fromkeys(found.optimizers, True))
        self._evaluations = Evaluations(self._recorder, found.model, trained(found.optimizers), self._hooks.watch_calls)
        if loader is not None:
            self._evaluations.trains_on(loader)
        self._hooks.watch_losses()
        atexit.register(self._at_exit)
        at_end_of_child(self._at_exit)
        if rank_here() == 0:
            tell_begun(self._notes, self._settings, self._recorder)

    def _claim(self) -> bool:
        """Whether this is the process that trains, or one of those that do it together."""
        if rank_here() != 0:
            return True
        if self._notes.claim():
            return True
        exchange = Exchange(self._settings.path)
        exchange.tell(None, "another process of this command is recorded")
        return False

    # --- while it is recorded

    def iterated(self, loader: Any) -> Callable[[Iterator[Any]], Iterator[Any]] | None:
        """Note that a loader is about to be iterated."""
        self._look_if_gone()
        if self._state is _State.RECORDING and self._evaluations is not None:
            return self._evaluations.iterated(loader)
        if self._state is _State.LOOKING and torch.is_grad_enabled():
            self._loader = loader  # kept until the training begins: a loader may be made for one epoch
        return None

    def differentiated(self, tensor: Tensor) -> None:
        """Note what `backward` is called on."""
        self._look_if_gone()
        if self._state is _State.RECORDING:
            self._losses.differentiated(tensor)

    def scaled(self, outputs: object) -> None:
        """Note what a GradScaler multiplies."""
        if self._state is _State.RECORDING:
            self._losses.scaled(outputs)

    def cleared(self) -> None:
        """Note that gradients are cleared."""
        self._losses.forget()

    def _log(self, loss: Tensor) -> None:
        if self._recorder is not None and not self._recorder.closed:
            self._recorder.log(loss=loss)

    def _follow(self, optimizer: Optimizer) -> None:
        """Look for the next training, where this one has ended: its model is gone, or another is trained for long."""
        is_ours = self._is_ours.get(optimizer)
        if is_ours is None:
            is_ours = self._is_ours[optimizer] = bool(trained([optimizer]) & self._recorded)
        self._foreign = 0 if is_ours else self._foreign + 1
        recorder = self._recorder
        if recorder is None or not (recorder.closed or self._foreign >= FOREIGN) or is_ours:
            return
        recorder.close()
        self._look()

    # --- the end

    def failed(self, error: Exception) -> None:
        """Give up watching: something of ours went wrong. The recorder, where there is one, goes on."""
        what = "losses and evaluations are no longer watched: " if self._recorder else ""
        text = f"{what}{reason_of(error)}"
        self._end(text)
        tell(f"dtui: run: {'' if what else 'nothing is recorded: '}{safe(text, 600)}")

    def _end(self, problem: str) -> None:
        self._state = _State.OVER
        leave(self._early)
        if self._hooks is not None:
            self._hooks.stop()
        if problem:
            self._notes.leave(Note(problem=problem))

    def _at_exit(self) -> None:
        """End an evaluation that is open, before the recorder ends its run."""
        if self._evaluations is not None and os.getpid() == self.process:
            self._evaluations.close()
