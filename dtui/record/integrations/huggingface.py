"""Records a training that is run by the Trainer of Hugging Face's transformers.

Owns the mapping from the Trainer's events to ours::

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
from dtui.record.integrations.task_scores import class_names, score_items
from dtui.record.integrations.trainings import Trainings, is_asked_to_stop
from dtui.record.network.hooks import QuietHook
from dtui.record.network.layers import unwrap
from dtui.record.recorder import Recorder
from dtui.record.start.arguments import as_class_names, check_existing, check_path, check_period
from dtui.record.validation.scores import find_scores
from dtui.record.validation.targets import UnusableLoaderError, labels_in
from dtui.record.writing.warn import warn_once

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError as error:
    raise MissingExtraError("Trainer callback: transformers is not installed; pip install transformers") from error

_NOT_LOGGED = ("learning_rate", "epoch", "_runtime", "_per_second", "total_flos")
"""Ends of names that say how fast it went or where in the data, and would crowd out those that say how well."""


class DtuiCallback(TrainerCallback):  # type: ignore[misc]
    """Records the layers of the Trainer's model, what it logs, and its evaluations."""

    def __init__(
        self, path: str | Path, *, every: int = 100, classes: Sequence[str] | None = None, **options: Any
    ) -> None:
        """Check the arguments before training begins.

        Args:
            path: Directory of the run.
            every: Iterations from one record to the next.
            classes: Names in label order; None takes the names in the model's configuration.
            options: More arguments for the Recorder. With resume=True it begins at the Trainer's
                `resume_from_checkpoint`.

        Raises:
            RecorderError: The arguments cannot work.
            RunExistsError: There is a run at `path`, and on_existing="refuse".
        """
        check_period(every)
        check_path(path, check_existing(options.get("on_existing"), options.get("resume")))
        as_class_names(classes)
        self._classes = classes
        self._trainings = Trainings(path, every=every, **options)
        self.recorder: Recorder | None = None
        """Of the training that goes on, or ended last."""
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
        """Attach to the model and to the optimizer inside Accelerate's, on every process. Each training is recorded."""
        if model is None:
            return
        self._detach()
        self._judged = 0
        classes = class_names(unwrap(model)) if self._classes is None else self._classes
        self.recorder = self._trainings.begin(self.recorder, model, optimizer, state.global_step, classes=classes)
        if args.world_size > 1:
            warn_once("trainer", "evaluation: it is spread over several processes; its images are not recorded")
            return
        self._handle = unwrap(model).register_forward_hook(QuietHook(self._see), with_kwargs=True)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """End the training where the recorder says that it should stop."""
        if not control.should_training_stop and is_asked_to_stop(self.recorder):
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Log the Trainer's values, except the learning rate, which the recorder reads itself."""
        if self.recorder is not None and not self.recorder.closed and logs:
            numbers = {name: value for name, value in logs.items() if isinstance(value, int | float)}
            self.recorder.log(**{name: value for name, value in numbers.items() if not name.endswith(_NOT_LOGGED)})

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """End the validation, which began with the first forward pass of the evaluation."""
        self._judged = 0
        if self._validation is not None:
            self._validation.close()
            self._validation = None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End the run."""
        self._detach()
        if self.recorder is not None:
            self.recorder.close()

    def _detach(self) -> None:
        self._validation = None
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _see(self, module: nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        """Judge one batch of an evaluation; the images are in the order of the data set."""
        labels = kwargs.get("labels")
        if self.recorder is None or module.training or self.recorder.closed:
            return
        found = score_items(module, labels, output, self._judged)
        if found is not None:
            self._judged += len(output.logits)
            images = kwargs.get("pixel_values")
            self.recorder.judge(
                *(found.ids, found.scores, found.group, None, found.threshold, found.better),
                name=found.name,
                images=images if isinstance(images, Tensor) and len(images) == len(found.scores) else None,
            )
            return
        try:
            targets = labels_in(labels, "labels of the evaluation")
            scores = find_scores(output, len(targets))
        except UnusableLoaderError as error:
            warn_once("trainer labels", f"evaluation: its images are not recorded: {error}")
            return
        if self._validation is None:
            self._judged = 0
            self._validation = ExitStack()
            self._validation.enter_context(self.recorder.validation())
        ids = np.arange(self._judged, self._judged + len(targets))
        self._judged += len(targets)
        images = kwargs.get("pixel_values")
        self.recorder.predictions(scores, targets, ids, images if isinstance(images, Tensor) else None)
