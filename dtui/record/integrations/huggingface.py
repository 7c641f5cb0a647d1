"""Records a training that the Trainer of Hugging Face's transformers runs.

Owns which of the Trainer's events stand for ours. A second copy would attach after the gradients are gone::

    trainer = Trainer(model, arguments, callbacks=[DtuiCallback("runs/first", every=100)], …)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dtui.errors import MissingExtraError
from dtui.record.checks import RESUME, as_class_names, check_existing, check_path, check_period
from dtui.record.hooks import QuietHook
from dtui.record.layers import unwrap
from dtui.record.recorder import Recorder
from dtui.record.validation import logits_of
from dtui.record.warn import warn_once

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError as error:
    raise MissingExtraError("Trainer callback: transformers is not here; pip install transformers") from error

_NOT_LOGGED = ("learning_rate", "epoch", "_runtime", "_per_second", "total_flos")
"""Ends of names that say how fast it went or where in the data, and would crowd out those that say how well."""


class DtuiCallback(TrainerCallback):  # type: ignore[misc]
    """Records the layers of the Trainer's model, what it logs, and its evaluations."""

    def __init__(
        self, path: str | Path, *, every: int = 100, classes: Sequence[str] | None = None, **options: Any
    ) -> None:
        """Check what can be checked before training begins.

        Args:
            path: Directory of the run.
            every: Iterations from one record to the next.
            classes: Names in label order; None takes those of the model's configuration.
            options: More arguments for the Recorder; with resume=True it begins where the Trainer does, given
                `resume_from_checkpoint`.

        Raises:
            RecorderError: The arguments cannot work.
            RunExistsError: There is a run at `path`, and on_existing="refuse".
        """
        check_period(every)
        self._existing = check_existing(options.get("on_existing"), options.get("resume"))
        check_path(path, self._existing)
        as_class_names(classes)
        self._arguments: dict[str, Any] = {"path": path, "every": every, "classes": classes, **options}
        self.recorder: Recorder | None = None
        self._handle: RemovableHandle | None = None
        self._validation: ExitStack | None = None
        self._judged = 0

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: nn.Module | None = None,
        optimizer: Any = None,
        **kwargs: Any,
    ) -> None:
        """Attach to the model and the optimizer below Accelerate's, on every process."""
        if self.recorder is not None or model is None:
            return
        if self._arguments["classes"] is None:
            self._arguments["classes"] = _class_names(unwrap(model))
        if self._existing == RESUME:
            self._arguments.setdefault("iteration", state.global_step)
        self.recorder = Recorder(model=model, optimizer=optimizer, **self._arguments)
        if args.world_size > 1:
            warn_once("trainer", "evaluation: it is spread over several processes; its images are not recorded")
            return
        self._handle = unwrap(model).register_forward_hook(QuietHook(self._see), with_kwargs=True)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log what the Trainer logs of the training, without the learning rate that the recorder reads itself."""
        if self.recorder is not None and logs:
            numbers = {name: value for name, value in logs.items() if isinstance(value, int | float)}
            self.recorder.log(**{name: value for name, value in numbers.items() if not name.endswith(_NOT_LOGGED)})

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """End the validation that the first forward pass of the evaluation began."""
        if self._validation is not None:
            self._validation.close()
            self._validation = None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the run."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        if self.recorder is not None:
            self.recorder.close()

    def _see(self, module: nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        """Judge one batch of an evaluation, images in the order of the data set."""
        labels = kwargs.get("labels")
        if self.recorder is None or module.training:
            return
        if not isinstance(labels, Tensor) or labels.dim() != 1:
            warn_once("trainer labels", "evaluation: the model is called without one label an image; none are recorded")
            return
        if self._validation is None:
            self._judged = 0
            self._validation = ExitStack()
            self._validation.enter_context(self.recorder.validation())
        ids = np.arange(self._judged, self._judged + len(labels))
        self._judged += len(labels)
        images = kwargs.get("pixel_values")
        self.recorder.predictions(logits_of(output), labels, ids, images if isinstance(images, Tensor) else None)


def _class_names(model: nn.Module) -> tuple[str, ...] | None:
    """Return the class names of a model's configuration in label order; None where it has none."""
    names = getattr(getattr(model, "config", None), "id2label", None)
    if not isinstance(names, Mapping) or len(names) < 2:
        return None
    return tuple(str(names[label]) for label in sorted(names))
