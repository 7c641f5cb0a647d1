"""Which settings of a run are its optimizer's defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dtui.query import open_run
from dtui.reports import build_report
from dtui.reports.document import Facts
from dtui.reports.optimizer_defaults import DEFAULTS, is_default

SAMPLES = Path(__file__).parents[2] / "sample_runs"


@pytest.mark.parametrize("kind", DEFAULTS)
def test_the_defaults_are_those_of_torch(kind: str) -> None:
    """What a recorder writes of an optimizer that got nothing but parameters is all at its defaults."""
    made = getattr(torch.optim, kind)([torch.nn.Parameter(torch.zeros(1))]).defaults
    written = {name: str(value) for name, value in made.items() if isinstance(value, int | float | tuple)}
    settings = {"optimizer": kind, **written}
    assert written
    assert {name for name, value in written.items() if not is_default(name, value, settings)} == set()


def test_what_is_not_known_to_be_a_default_is_none() -> None:
    settings = {"optimizer": "SGD", "optimizer_2": "ZeroRedundancyOptimizer of Adam", "optimizer_3": "Own"}
    assert is_default("momentum", "0.0", settings)
    assert is_default("eps_2", "1e-8", settings)
    assert not is_default("momentum", "0.9", settings)
    assert not is_default("momentum", "nan", settings)
    assert not is_default("eps", "0.1", settings)
    assert not is_default("lr_3", "0.001", settings)
    assert not is_default("batch", "64", settings)
    assert not is_default("momentum", "0", {})


def test_settings_that_somebody_chose_come_first() -> None:
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        (part,) = build_report([query], sections=["made"]).chapters[0].sections
    shown = {item.title: [fact.name for fact in item.facts] for item in part.items if isinstance(item, Facts)}
    chosen, usual = shown["With what"], shown["As PyTorch has it unless told otherwise"]
    assert chosen == ["network", "data", "batch", "seed", "optimizer", "lr", "momentum", "weight_decay"]
    assert usual == ["dampening", "nesterov", "maximize", "differentiable"]
    assert list(shown).index("With what") < list(shown).index("As PyTorch has it unless told otherwise")
    assert set(shown["Versions"]) >= {"torch", "dtui"}
