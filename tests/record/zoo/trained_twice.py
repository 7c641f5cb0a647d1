"""Trains one model twice, with and without the recorder, and compares the bits of losses and weights."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import dtui
from dtui.record import RecorderWarning
from tests.record.zoo.public_models import Built, loss_of

STEPS, EVERY, AROUND = 20, 5, 4


@dataclass
class Judged:
    """What became of one model.

    Attributes:
        name: Of its class.
        problem: Why there is no comparison, "" where there is one.
        same: Whether all losses and all weights at the end have the same bits.
        layers: Recorded layers.
        share: Of the parameters in them.
        others: The largest parameters that are in none, as "Kind.name share".
        told: What the recorder warned of.
        records: Records in the run.
        gaps: Why something is missing in the run.
    """

    name: str
    problem: str = ""
    same: bool = False
    layers: int = 0
    share: float = 0.0
    others: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    records: int = 0
    gaps: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def judge(name: str, built: Built, folder: Path, steps: int = STEPS) -> Judged:
    """Train a model twice.

    Args:
        name: Of the model.
        built: Makes it.
        folder: For the run, which stays there.
        steps: Of each training.
    """
    plain = _train(built, None, steps)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        recorded = _train(built, folder / name, steps)
    judged = Judged(name, same=plain == recorded)
    judged.told = tuple(str(one.message) for one in told if issubclass(one.category, RecorderWarning))
    with dtui.open_run(folder / f"{name}.dtui") as run:
        info = run.info()
        judged.layers, judged.records, coverage = info.layers, info.records, info.coverage
        judged.gaps = tuple(gap.reason for gap in info.gaps)
        if coverage is not None:
            judged.share = coverage.share
            judged.others = tuple(
                f"{one.kind}.{one.name.rpartition('.')[2]} {one.elements / coverage.parameters:.0%}"
                for one in coverage.largest[:3]
            )
    return judged


def _train(built: Built, run: Path | None, steps: int) -> tuple[str, ...]:
    """Train, and return each loss and a checksum of the weights, by their bits."""
    model = built.make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    recorder = None if run is None else dtui.Recorder(run, model, optimizer, every=EVERY, keep_around=AROUND)
    torch.manual_seed(1)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, built.inputs)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if recorder is not None:
            recorder.log(loss=loss)
        found.append(loss.detach().float().numpy().tobytes().hex())
    if recorder is not None:
        recorder.close()
    weights = hashlib.sha256()
    for parameter in model.parameters():
        weights.update(parameter.detach().float().contiguous().numpy().tobytes())
    return (*found, weights.hexdigest(), torch.get_rng_state().numpy().tobytes().hex()[:4096])
