"""Two real trainings, the same up to a fault in one of them: comparing says when and where they part."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dtui.query import open_run
from tests.truth.corpus.seeds import Plan
from tests.truth.corpus.train import make_run, run_path, truth_path

CLEAN = Plan(3, "digits", "normalised", "sgd", "constant", 3, 42)
STRUCK_AT = 28


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def clean(digits: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a fault."""
    folder = tmp_path_factory.mktemp("clean")
    make_run(CLEAN, folder)
    return run_path(folder, CLEAN.seed)


@pytest.mark.parametrize(("fault", "kind"), [("poisoned labels", "class"), ("bit flip, large", "layer")])
def test_a_fork_parts_where_its_fault_struck(clean: Path, tmp_path: Path, fault: str, kind: str) -> None:
    plan = replace(CLEAN, faults=((fault, STRUCK_AT),))
    make_run(plan, tmp_path)
    (told,) = json.loads(truth_path(tmp_path, plan.seed).read_text())["faults"]
    with open_run(clean) as a, open_run(run_path(tmp_path, plan.seed)) as b:
        found = a.compare(b)
    first = found.divergences[0]
    assert told["begin"] <= first.iteration <= told["begin"] + 2 * plan.every
    assert found.same_until is not None
    assert told["begin"] - 2 <= found.same_until < told["begin"]  # the flight recorder's watches are no records
    assert first.of(kind)[0].name == (told["layers"][0] if kind == "layer" else str(told["classes"][0]))
    assert found.differences == ()
