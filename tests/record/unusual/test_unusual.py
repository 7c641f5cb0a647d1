"""Trainings of unusual shapes: the same bits with and without, the run whole, nothing told but what must be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from dtui.query import open_run

COMPILED = "activations: the model is compiled"
UNLOADED = "no DataLoader has handed out a batch"
WITHIN_SECONDS = 180


@dataclass(frozen=True)
class Expected:
    """What becomes of a script.

    Attributes:
        records: In its run.
        validations: In its run.
        told: A part of each line that is told.
        status: How the run ended.
        code: With which the script exits.
        runs: Endings of the names of its runs.
    """

    records: int = 7
    validations: int = 0
    told: tuple[str, ...] = ()
    status: str = "done"
    code: int = 0
    runs: tuple[str, ...] = ("",)


SCRIPTS = {
    "compiled_fullgraph": Expected(validations=2),
    "compiled_dynamic": Expected(validations=2),
    "compiled_reduced": Expected(validations=2),
    "compiled_activations": Expected(validations=2, told=(COMPILED,)),
    "compiled_in_place": Expected(validations=2),
    "compiled_own_fullgraph": Expected(validations=2, told=(UNLOADED,)),
    "compiled_own_in_place": Expected(validations=2, told=(COMPILED,)),
    "compiled_part": Expected(validations=2, told=(COMPILED,)),
    "compiled_first": Expected(validations=2),
    "compiled_autograd": Expected(told=(UNLOADED,)),
    "compiled_step": Expected(validations=2),
    "compiled_step_adam": Expected(validations=2),
    "compiled_train_step": Expected(),
    "functional_ensemble": Expected(),
    "functional_of_model": Expected(validations=1),
    "functional_per_sample": Expected(told=(UNLOADED,)),
    "exported": Expected(),
    "exported_meanwhile": Expected(told=(UNLOADED, "activations: none were recorded")),
    "data_parallel": Expected(validations=2, told=(UNLOADED,)),
    "inference_mode": Expected(validations=3),
    "inference_judge": Expected(validations=3),
    "autocast_bfloat16": Expected(validations=3),
    "uneven_accumulation": Expected(6),
    "cleared_before_step": Expected(13, told=(UNLOADED,)),
    "cleared_always": Expected(30, told=("the last 16 updates changed nothing",), status="incomplete"),
    "backward_in_thread": Expected(told=(UNLOADED,)),
    "step_in_threads": Expected(),
    "several_recorders": Expected(told=(UNLOADED,), runs=("-0", "-1")),
    "training_threads": Expected(21, runs=("-0", "-1")),
    "recorder_in_function": Expected(6),
    "everything_in_function": Expected(6),
    "ended_at_once": Expected(validations=2, code=3),
    "exit_in_thread": Expected(validations=2, code=5),
    "exit_within_thread": Expected(validations=2, status="crashed"),
    "lookahead": Expected(validations=2),
    "folds": Expected(31, 1, told=("no update of the recorded model was seen",), status="incomplete"),
    "folds_of_one_name": Expected(20, told=("the model that run.dtui records is gone",)),
    "unsynchronised": Expected(5),
    "forked_workers": Expected(13),
}
ENDED_AT_ONCE = "ended_at_once_unclosed"
"""Of this one nobody knows how much was written."""


def train(name: str, *run: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "tests.record.unusual.scripts", name, *run]
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=WITHIN_SECONDS, check=False)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_training_is_the_same_and_its_run_is_whole(name: str, tmp_path: Path) -> None:
    expected = SCRIPTS[name]
    plain, recorded = train(name), train(name, str(tmp_path / "run"))
    assert "BITS" in plain.stdout, plain.stderr
    assert (recorded.stdout, recorded.returncode) == (plain.stdout, expected.code), recorded.stderr
    assert plain.returncode == expected.code
    told = re.findall(r"RecorderWarning: dtui: (.*)", recorded.stderr)
    assert len(told) == len(expected.told), told
    for part, line in zip(expected.told, told, strict=True):
        assert part in line
    for ending in expected.runs:
        with open_run(tmp_path / f"run{ending}.dtui") as run:
            info = run.info()
        assert (info.status.value, info.records, info.validations) == (
            expected.status,
            expected.records,
            expected.validations,
        )
        assert all(any(part in gap.reason for part in expected.told) for gap in info.gaps), info.gaps


def test_a_process_that_ends_at_once_leaves_what_was_written(tmp_path: Path) -> None:
    plain, recorded = train(ENDED_AT_ONCE), train(ENDED_AT_ONCE, str(tmp_path / "run"))
    assert (recorded.stdout, recorded.returncode) == (plain.stdout, 3)
    with open_run(tmp_path / "run.dtui") as run:
        assert 0 < run.info().records <= 6
