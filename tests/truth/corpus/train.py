"""Makes one run: a real training, recorded, with its faults, and the clean twin of each fault."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

import dtui
from tests.truth.corpus import visibility
from tests.truth.corpus.checksum import checksum
from tests.truth.corpus.data import DataSet, load
from tests.truth.corpus.faults import Fault, target_of
from tests.truth.corpus.kinds import KINDS
from tests.truth.corpus.seeds import Plan, block_of, plan_of
from tests.truth.corpus.training import Training
from tests.truth.corpus.visibility import Effect, Look

AFTER = 8
"""Records after the end of a fault for which the training and its twin are compared."""

ON_AFTER_RUIN = 6
"""Records for which a training goes on whose weights are not finite any more; nobody trains it longer."""


@dataclass(slots=True)
class _Comparison:
    """A fault under way: its twin's records, and the training's own so far."""

    fault: Fault
    before: Look
    twin: list[Look]
    faulty: list[Look] = field(default_factory=list)


def run_path(folder: Path, seed: int) -> Path:
    """Return where the run of a seed is."""
    return folder / f"seed-{seed:05d}.dtui"


def truth_path(folder: Path, seed: int) -> Path:
    """Return where the truth about it is; written last, so that a run with it is whole."""
    return folder / f"seed-{seed:05d}.truth.json"


def make_seed(seed: int, folder: Path) -> tuple[int, float]:
    """Make the run of a seed in a process of its own; returns the seed and processor seconds, 0 where it was there."""
    began = time.process_time()
    made = make_run(plan_of(seed), folder)
    return seed, time.process_time() - began if made else 0.0


def make_run(plan: Plan, folder: Path) -> bool:
    """Make the run of a plan and its truth; returns False where they are there already.

    Raises:
        MissingData: A package that ships the data is not installed.
    """
    path, truth = run_path(folder, plan.seed), truth_path(folder, plan.seed)
    if truth.exists():
        return False
    shutil.rmtree(path, ignore_errors=True)  # half of one that was stopped
    torch.set_num_threads(1)
    began = time.process_time()
    data = load(plan.data)
    training = Training(plan, data)
    faults = draw_faults(plan, training)
    done, effects = _train(training, faults, path)
    told = {**_about(plan, data), "iterations": done, "seconds": round(time.process_time() - began, 1)}
    told["faults"] = [_as_truth(fault, effect) for fault, effect in effects]
    told["not_reached"] = [fault.kind for fault in faults[len(effects) :]]
    unfinished = truth.with_suffix(".part")
    unfinished.write_text(json.dumps(told, indent=1) + "\n")
    os.replace(unfinished, truth)
    return True


def draw_faults(plan: Plan, training: Training) -> list[Fault]:
    """Return the faults of a plan: where each strikes follows from the seed and its number."""
    target = target_of(training.model, len(training.data.classes))
    return [
        KINDS[kind].draw(np.random.default_rng((plan.seed, number)), target, (record - 1) * plan.every + 1, plan.every)
        for number, (kind, record) in enumerate(plan.faults)
    ]


def _train(training: Training, faults: Sequence[Fault], path: Path) -> tuple[int, list[tuple[Fault, Effect]]]:
    """Train and record; returns the iterations done, and the faults that were reached with what each did."""
    plan = training.plan
    loader = training.validation_batches()
    running: list[_Comparison] = []
    effects: list[tuple[Fault, Effect]] = []
    last = plan.iterations - 1
    with dtui.Recorder(
        path,
        training.model,
        training.optimizer,
        every=plan.every,
        keep_around=20,
        classes=training.data.classes,
        hyperparameters={"data": training.data.title, "network": plan.network, "schedule": plan.schedule},
        thumbnails=None,
        outputs="logits",
        on_existing="refuse",
    ) as recorder:
        for iteration in range(plan.iterations):
            begins = [fault for fault in faults if fault.begin == iteration and iteration <= last]
            running += [_begin(training, fault, faults) for fault in begins]
            training.compute(iteration, faults)
            recorder.log(loss=training.loss, error=training.error)
            training.step(iteration, faults)
            if iteration % plan.every == 0:
                with recorder.validation(loader):
                    predicted = _evaluate(training, loader)
                if running:
                    look = training.look(iteration, predicted)
                    running = _go_on(running, look, effects)
                    if not look.is_finite:
                        last = min(last, iteration + ON_AFTER_RUIN * plan.every)
            if iteration == last:
                break
    effects += [(each.fault, visibility.compare(each.before, each.faulty, each.twin)) for each in running]
    return last + 1, effects


@torch.no_grad()
def _evaluate(training: Training, loader: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Judge the images of the loader that the recorder watches."""
    training.model.eval()
    predicted = torch.cat([training.model(images).argmax(1) for images, _ in loader])
    training.model.train()
    return predicted


def _begin(training: Training, fault: Fault, faults: Sequence[Fault]) -> _Comparison:
    """Fork the twin of a fault that begins now, and train it to the end of the comparison."""
    plan = training.plan
    others = [other for other in faults if other is not fault]
    before = training.look(fault.begin - 1, training.data.validation_labels)
    twin, looks = training.fork(), []
    stop = min(fault.end + AFTER * plan.every, plan.iterations - 1)
    for iteration in range(fault.begin, stop + 1):
        twin.compute(iteration, others)
        twin.step(iteration, others)
        if iteration % plan.every == 0:
            looks.append(twin.look(iteration, twin.evaluate()))
    return _Comparison(fault, before, looks)


def _go_on(running: list[_Comparison], look: Look, effects: list[tuple[Fault, Effect]]) -> list[_Comparison]:
    """Add a record to the comparisons; returns those that are not at their end."""
    for each in running:
        each.faulty.append(look)
        if len(each.faulty) == len(each.twin):
            effects.append((each.fault, visibility.compare(each.before, each.faulty, each.twin)))
    return [each for each in running if len(each.faulty) < len(each.twin)]


def _as_truth(fault: Fault, effect: Effect) -> dict[str, object]:
    return {
        **asdict(fault),
        "causes": KINDS[fault.kind].causes,
        "visible": effect.is_visible,
        "effect": {name: _short(value) for name, value in asdict(effect).items()},
    }


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def _about(plan: Plan, data: DataSet) -> dict[str, object]:
    return {
        "seed": plan.seed,
        "block": block_of(plan.seed),
        "data": plan.data,
        "title": data.title,
        "rendered": data.rendered,
        "classes": len(data.classes),
        "network": plan.network,
        "optimizer": plan.optimizer,
        "schedule": plan.schedule,
        "every": plan.every,
        "records": plan.records,
        "rule": visibility.RULE,
        "corpus": checksum(_HERE, _DECIDE),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _MADE_WITH}},
    }


_HERE = Path(__file__).parent
_DECIDE = ("*faults.py", "data.py", "kinds.py", "networks.py", "seeds.py", "train*.py", "visibility.py")
_MADE_WITH = ("dtui", "torch", "numpy", "pillow", "matplotlib", "mlxtend", "scikit-learn", "animal-shape-mnist")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
