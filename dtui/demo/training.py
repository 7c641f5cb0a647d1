"""Trains ResNet-20 on 5,000 handwritten digits and records the training while it runs.

`dtui demo` and the sample runs use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from dtui.demo.digits import CLASSES, load_digits
from dtui.demo.faults import Fault, break_weights, poison_labels
from dtui.demo.network import ResNet20
from dtui.record.recorder import Recorder
from dtui.record.validation.thumbnails import Thumbnails

BATCH = 64
LEARNING_RATE = 0.05
DROPS = (0.5, 0.8)
"""Shares of the training after which the learning rate is divided by ten."""


def train_demo(
    path: str | Path,
    *,
    iterations: int = 2400,
    every: int = 10,
    seed: int = 0,
    faults: Sequence[Fault] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train the network and record it, with one validation at every record.

    Args:
        path: Where the run is written.
        iterations: Updates to perform.
        every: Updates from one record and validation to the next.
        seed: For the weights and the order of the images.
        faults: Injected faults; stored as notes of the run.
        progress: Called with the iterations done and `iterations`.

    Returns:
        The directory of the run.

    Raises:
        MissingExtraError: The digits are not installed.
        RunExistsError: There is a run at `path`.
    """
    digits = load_digits()
    torch.manual_seed(seed)
    model = ResNet20()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    loader = DataLoader(TensorDataset(digits.validation_images, digits.validation_labels), batch_size=250)
    batches = shuffled_batches(len(digits.train_labels), seed)
    with Recorder(
        path,
        model,
        optimizer,
        every=every,
        classes=CLASSES,
        hyperparameters={
            "network": "ResNet-20, width 8",
            "data": "5,000 MNIST digits, 14×14",
            "batch": BATCH,
            "iterations": iterations,  # so that the time that is left is known
            "seed": seed,
        },
        notes=[fault.as_note() for fault in faults],
        thumbnails=Thumbnails(picture=lambda identity: digits.pictures[int(identity)]),
        batches=True,  # and with them the flight recorder
        on_existing="refuse",  # whoever watches it has the path already
    ) as recorder:
        for iteration in range(iterations):
            chosen = next(batches)
            recorder.samples(chosen)  # a DataLoader would say that by itself
            labels = poison_labels(digits.train_labels[chosen], faults, iteration)
            _set_learning_rate(optimizer, iteration, iterations, faults)
            break_weights(model, faults, iteration)
            update(recorder, model, optimizer, digits.train_images[chosen], labels)
            if iteration % every == 0:
                with recorder.validation(loader):
                    evaluate(model, loader)
            if progress is not None:
                progress(iteration + 1, iterations)
    return recorder.path


def update(
    recorder: Recorder,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
) -> None:
    """Do one update on a batch, and log its loss and the share of wrong predictions."""
    scores = model(images)
    loss = functional.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    recorder.log(loss=loss, error=(scores.argmax(1) != labels).float().mean())
    optimizer.step()


@torch.no_grad()
def evaluate(model: nn.Module, loader: DataLoader[tuple[Tensor, ...]]) -> float:
    """Return the share of wrong predictions, [0, 1], as a user's own evaluation would, without the recorder."""
    model.eval()
    wrong = total = 0
    for images, labels in loader:
        wrong += int((model(images).argmax(1) != labels).sum())
        total += len(labels)
    model.train()
    return wrong / total


def shuffled_batches(count: int, seed: int) -> Iterator[Tensor]:
    """Yield the indices of batches of `count` images, without end. Every epoch has another order."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(count, generator=generator).split(BATCH)  # type: ignore[no-untyped-call]


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, iteration: int, iterations: int, faults: Sequence[Fault]
) -> None:
    rate = LEARNING_RATE * 0.1 ** sum(iteration >= share * iterations for share in DROPS)
    for fault in faults:
        if fault.kind == "learning_rate_spike" and fault.is_active(iteration):
            rate *= fault.factor
    for group in optimizer.param_groups:
        group["lr"] = rate
