"""Gives the Trainers of Lightning and of Hugging Face our callbacks, where the script gives them none."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dtui.errors import DtuiError
from dtui.launch_notes import Note, Notes, Settings
from dtui.record.launch.loaders import choose_every, class_names
from dtui.record.launch.telling import tell_begun
from dtui.record.training.distributed import rank_here
from dtui.record.writing.warn import reason_of

_OURS = "dtui_launched"


def has_callback(trainer: Any) -> bool:
    """Whether the script gave a Trainer a callback of dtui."""
    return any(_is_of_dtui(one) and not hasattr(one, _OURS) for one in _callbacks(trainer))


def add_callback(trainer: Any, method: str, settings: Settings, notes: Notes) -> None:
    """Give a Trainer our callback; one that it has from an earlier training goes on.

    Args:
        trainer: Of Lightning or Hugging Face.
        method: The method that begins the training: "fit" or "train".
        settings: What `dtui run` asks for.
        notes: Where a run is noted.
    """
    if any(_is_of_dtui(one) for one in _callbacks(trainer)):
        return
    if method == "train":
        trainer.add_callback(_of_huggingface(settings, notes))
    else:
        trainer.callbacks.insert(0, _of_lightning(settings, notes))  # Lightning wants its checkpoints last


def _callbacks(trainer: Any) -> list[Any]:
    handler = getattr(trainer, "callback_handler", None)
    return list(trainer.callbacks if handler is None else handler.callbacks)


def _is_of_dtui(callback: Any) -> bool:
    return any(kind.__module__.startswith("dtui.record.integrations.") for kind in type(callback).__mro__)


def _of_lightning(settings: Settings, notes: Notes) -> Any:
    from dtui.record.integrations.lightning import DtuiCallback

    class Launched(DtuiCallback):
        """Chooses what only the Trainer knows, when a training begins."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            """Choose how often to record, and find the names of the classes."""
            with _begun(self, settings, notes):
                updates = _whole(trainer.num_training_batches, trainer.max_steps) // trainer.accumulate_grad_batches
                every = settings.every or choose_every(updates)
                self._trainings.choose(every=every, classes=class_names(_first_loader(trainer), pl_module))
                super().on_train_start(trainer, pl_module)

    callback = Launched(settings.path, **settings.options)
    setattr(callback, _OURS, True)
    return callback


def _of_huggingface(settings: Settings, notes: Notes) -> Any:
    from dtui.record.integrations.huggingface import DtuiCallback

    class Launched(DtuiCallback):
        """Chooses what only the Trainer knows, when a training begins."""

        def on_train_begin(self, args: Any, state: Any, control: Any, *rest: Any, **kwargs: Any) -> None:
            """Choose how often to record."""
            with _begun(self, settings, notes):
                epochs = _whole(state.num_train_epochs) or 1  # sys.maxsize over a stream, which ends with its steps
                self._trainings.choose(every=settings.every or choose_every(_whole(state.max_steps) // epochs))
                super().on_train_begin(args, state, control, *rest, **kwargs)

    callback = Launched(settings.path, **settings.options)
    setattr(callback, _OURS, True)
    return callback


def _first_loader(trainer: Any) -> Any:
    """Return the first loader of the evaluations, or of the training; nobody asks how long it is: a stream is not."""
    for loaders in (trainer.val_dataloaders, trainer.train_dataloader):
        held = list(loaders.values()) if isinstance(loaders, Mapping) else loaders
        loader = next(iter(held), None) if isinstance(held, list | tuple) else held
        if loader is not None:
            return loader
    return None


@contextmanager
def _begun(callback: Any, settings: Settings, notes: Notes) -> Iterator[None]:
    """Tell of the recorder that a callback makes; where that fails it is noted, and the training goes on without."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the boundary between dtui and somebody's training
        callback.recorder = None  # that of the training before has ended
        notes.leave(Note(problem=str(error) if isinstance(error, DtuiError) else reason_of(error)))
        return
    if callback.recorder is not None and rank_here() == 0:
        tell_begun(notes, settings, callback.recorder)


def _whole(*counts: Any) -> int:
    """Return the smallest of some counts; those below 1, infinite or unknown do not count. 0 if there are none."""
    return int(min((one for one in counts if isinstance(one, int | float) and 1 <= one < sys.maxsize), default=0))
