"""What the look at gradients before each update costs, beside the update itself."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from dtui.record import Recorder
from dtui.record.training import gradient_look
from tests.bench.registry import Measurement, benchmark
from tests.record.networks import ResNet50

STEPS = {"small CNN, 8 images": 120, "ResNet-50 of width 16, 8 images": 14}


def small() -> nn.Module:
    """Return a network whose updates take a few milliseconds."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "small CNN, 8 images": small,
    "ResNet-50 of width 16, 8 images": lambda: ResNet50(width=16),
}


@benchmark
def gradient_look_cost() -> list[Measurement]:
    """The look before an update (goal: 0.2 % of it), with its hook, and a look at everything; beside the update."""
    return [row for name in NETWORKS for row in looked(name)]


def looked(name: str) -> list[Measurement]:
    """Train for some steps; the hook is timed as the optimizer calls it."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = NETWORKS[name]().to(device)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    images, labels = torch.randn(8, 3, 64, 64, device=device), torch.randint(0, 10, (8,), device=device)
    updates, looks = [], []
    with tempfile.TemporaryDirectory() as folder:
        limit, gradient_look.MOST_SHARE = gradient_look.MOST_SHARE, float("inf")
        try:
            with Recorder(Path(folder) / "run", model, optimizer, every=10_000) as recorder:
                look = recorder._recording.looks.gradients
                for at in range(STEPS[name]):
                    begin = time.perf_counter()
                    optimizer.zero_grad()
                    functional.cross_entropy(model(images), labels).backward()
                    optimizer.step()
                    updates.append(1e3 * (time.perf_counter() - begin))
                    if at:
                        begin = time.perf_counter()
                        look.before_step(optimizer)
                        looks.append(1e3 * (time.perf_counter() - begin))
                begin = time.perf_counter()
                look._read(0)
                everything = 1e3 * (time.perf_counter() - begin)
        finally:
            gradient_look.MOST_SHARE = limit
    update, one = statistics.median(updates[3:]), statistics.median(looks[3:])
    return [
        Measurement(f"look, {name}", one, "an update", update, "ms", one / update),
        Measurement(f"everything, {name}", everything, "an update", update, "ms", everything / update),
    ]
