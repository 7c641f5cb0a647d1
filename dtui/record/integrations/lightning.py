"""Records a training that PyTorch Lightning runs.

Owns the mapping from Lightning's events to ours::

    trainer = Trainer(callbacks=[DtuiCallback("runs/first", every=100, classes=names)])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import DistributedSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler
from torch.utils.hooks import RemovableHandle

from dtui.errors import MissingExtraError
from dtui.model import IntArray
from dtui.record.batches.passes import Early, leave, listen
from dtui.record.batches.used import place_in
from dtui.record.integrations.trainings import Trainings, is_asked_to_stop
from dtui.record.network.hooks import QuietHook
from dtui.record.network.layers import find_layers
from dtui.record.recorder import Recorder
from dtui.record.start.arguments import as_class_names, check_existing, check_path, check_period
from dtui.record.validation.loader_tap import LoaderTap
from dtui.record.validation.scores import find_scores, rows_of
from dtui.record.validation.targets import Place, UnusableLoaderError, images_of, pick, targets_of
from dtui.record.validation.validation_watch import Places
from dtui.record.writing.warn import warn_once

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:
    try:
        from pytorch_lightning import Callback, LightningModule, Trainer
    except ImportError as error:
        raise MissingExtraError("Lightning callback: Lightning is not installed; pip install lightning") from error


class DtuiCallback(Callback):  # type: ignore[misc]
    """Records the layers of a LightningModule, what it logs, and its validations."""

    def __init__(
        self,
        path: str | Path,
        *,
        every: int = 100,
        classes: Sequence[str] | None = None,
        network: str | None = None,
        target: Place | None = None,
        scores: Place | None = None,
        **options: Any,
    ) -> None:
        """Check the arguments before a trainer exists.

        Args:
            path: Directory of the run.
            every: Iterations from one record to the next.
            classes: Names in label order.
            network: Attribute of the LightningModule that returns the class scores; None takes its only child with
                layers, or the LightningModule itself.
            target: Where the true labels are in a batch, as in `Recorder.validation`.
            scores: Where the class scores are in the network's output.
            options: More arguments for the Recorder. With resume=True it begins at the Trainer's `ckpt_path`.

        Raises:
            RecorderError: The arguments cannot work.
            RunExistsError: There is a run at `path`, and on_existing="refuse".
        """
        super().__init__()
        check_period(every)
        check_path(path, check_existing(options.get("on_existing"), options.get("resume")))
        as_class_names(classes)
        self._trainings = Trainings(path, every=every, classes=classes, **options)
        self._ids = place_in(options.get("batches", False))
        self._early = Early() if options.get("batches", False) is not False else None
        self._network = network
        self._places = Places(target, scores)
        self._order: _Order | None = None
        self.recorder: Recorder | None = None
        """Of the training that goes on, or ended last."""
        self._validation: ExitStack | None = None
        self._handle: RemovableHandle | None = None
        self._output: Any = None
        self._told: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the batches of the first epoch, which begins before there is a recorder."""
        if self._early is not None:
            listen(self._early)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach to the module and its first optimizer, on every process; each fit is recorded."""
        self._detach()
        optimizers = list(trainer.optimizers)
        updates = trainer.global_step if len(optimizers) == 1 else None  # of several, it counts the steps of all
        self.recorder = self._trainings.begin(self.recorder, pl_module, optimizers, updates)
        self.recorder.watch_outputs(_network_of(pl_module, self._network))
        if self._order is not None:
            self._order.detach()
        self._order = _Order(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """State the ids of a batch where it has them; the loader of a stream is one batch ahead."""
        if self.recorder is not None and self._ids is not None:
            try:
                self.recorder.samples(pick(batch, self._ids))
            except Exception as error:  # noqa: BLE001 - somebody's batch, or their function of it
                warn_once("batches", f"batches: a batch has no ids: {error}")

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Log the loss and what the module logged; end the fit where the recorder says that it should stop."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        self._log_new(trainer, **({"loss": loss} if isinstance(loss, Tensor) else {}))
        if not trainer.should_stop and is_asked_to_stop(self.recorder):
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what the module logged for the epoch."""
        self._log_new(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the last values."""
        self._log_new(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to watch a validation. Lightning's sanity check before training is not one."""
        if self.recorder is None or self.recorder.closed or trainer.sanity_checking:
            return
        self._validation = ExitStack()
        spread = isinstance(getattr(_first_loader(trainer), "sampler", None), DistributedSampler)
        self._validation.enter_context(self.recorder.validation(spread=spread))
        self._output = None
        network = _network_of(pl_module, self._network)
        self._handle = network.register_forward_hook(QuietHook(self._see), with_kwargs=True)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Judge one batch; only the first of several loaders is used."""
        if self.recorder is None or self._validation is None or dataloader_idx or self._output is None:
            return
        try:
            output, count = self._output
            targets = targets_of(batch, self._places.target)
            scores = find_scores(output, count, self._places.scores)
            ids = None if self._order is None else self._order.ids_of(batch_idx, len(targets))
            if ids is None:
                ids = _ids_of(_first_loader(trainer), batch_idx, len(targets))
            self.recorder.predictions(scores, targets, ids, images_of(batch, len(targets)))
        except (UnusableLoaderError, ValueError) as error:
            warn_once("lightning validation", str(error))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the validation."""
        self._detach()
        if self._validation is not None:
            self._validation.close()
            self._validation = None
            self._log_new(trainer)
        if self._order is not None:
            self._order.end_pass()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the run as crashed."""
        self._detach()
        if self._early is not None:
            leave(self._early)
        if self.recorder is not None:
            self.recorder.__exit__(type(exception), exception, None)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the run."""
        if self._early is not None:
            leave(self._early)
        if self._order is not None:
            self._order.detach()
            self._order = None
        if self.recorder is not None and stage == "fit":
            self.recorder.close()

    def _log_new(self, trainer: Trainer, **values: Tensor) -> None:
        """Log new values only: Lightning reports the last value of every name again and again."""
        if self.recorder is None:
            return
        told = {name: value for name, value in trainer.callback_metrics.items() if isinstance(value, Tensor)}
        new = {name: value for name, value in told.items() if not _is_alias(value, self._told.get(name))}
        self._told = told  # held, so that no new value comes to lie at the address of an old one
        self.recorder.log(**new | values)

    def _detach(self) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _see(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self._output = output, rows_of(args, kwargs)


class _Order:
    """Notes the order of the images in a Trainer's validations.

    Lightning draws the first batch before any callback is called, but after `setup_data` of its loop made the loaders.
    So the notes begin at `setup_data`.
    """

    def __init__(self, trainer: Trainer) -> None:
        """Attach to the loop. Without a loop the order stays unknown."""
        self._trainer = trainer
        self._tap: LoaderTap | None = None
        self._loop: Any = None
        loop: Any = getattr(getattr(trainer.fit_loop, "epoch_loop", None), "val_loop", None)
        original = getattr(loop, "setup_data", None)
        if original is None:
            return

        def setup_data(*args: Any, **kwargs: Any) -> Any:
            answer = original(*args, **kwargs)
            with suppress(Exception):
                self._begin_pass()
            return answer

        loop.setup_data = setup_data
        self._loop = loop

    def detach(self) -> None:
        """Restore the loop and the loader."""
        self.end_pass()
        if self._loop is not None:
            self._loop.__dict__.pop("setup_data", None)
            self._loop = None

    def end_pass(self) -> None:
        """Restore the loader."""
        if self._tap is not None:
            self._tap.detach()
            self._tap = None

    def ids_of(self, batch: int, count: int) -> IntArray | None:
        """Return the positions of a batch, shape (count,); None if they are unknown."""
        return None if self._tap is None else self._tap.ids_of(batch, count)

    def _begin_pass(self) -> None:
        self.end_pass()
        tap = LoaderTap(_first_loader(self._trainer), lambda images, count: None)
        tap.watch_order()
        self._tap = tap


def _network_of(module: LightningModule, name: str | None) -> nn.Module:
    if name is not None:
        named: nn.Module = module.get_submodule(name)
        return named
    with_layers = [child for child in module.children() if find_layers(child)]
    found: nn.Module = with_layers[0] if len(with_layers) == 1 else module
    return found


def _is_alias(value: Tensor, other: Tensor | None) -> bool:
    return other is not None and value.device == other.device and value.data_ptr() == other.data_ptr()


def _first_loader(trainer: Trainer) -> Any:
    loaders = trainer.val_dataloaders
    if isinstance(loaders, Mapping):
        loaders = list(loaders.values())
    return loaders[0] if isinstance(loaders, list | tuple) else loaders


def _ids_of(loader: Any, batch: int, count: int) -> IntArray:
    """Return the positions of one batch in the data set, shape (count,).

    Raises:
        UnusableLoaderError: The loader shuffles.
    """
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, RandomSampler | SubsetRandomSampler | WeightedRandomSampler):
        raise UnusableLoaderError(
            f"validation loader: its {type(sampler).__name__} shuffles, so its images have no ids; use shuffle=False"
        )
    first = batch * (getattr(loader, "batch_size", None) or count)
    if isinstance(sampler, DistributedSampler):
        return np.array(list(sampler)[first : first + count], dtype=np.int64)
    return np.arange(first, first + count, dtype=np.int64)
