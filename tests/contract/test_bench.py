"""`python -m tests.bench`: names, table, JSON, and a failing benchmark among others."""

from __future__ import annotations

import json
import math

import pytest

from tests.bench.__main__ import load_benchmarks, main
from tests.bench.registry import Measurement


def quick() -> list[Measurement]:
    """Two rows, one of them without a ratio."""
    return [
        Measurement("quick.fold", 1.5, "naive loop", 30.0, "ms", 0.05),
        Measurement("quick.empty", 0.0, "nothing", 0.0, "ms", math.nan),
    ]


def broken() -> list[Measurement]:
    raise RuntimeError("no disk")


FAKES = {"broken": broken, "quick": quick}


def test_every_benchmark_module_can_be_imported() -> None:
    assert all(callable(function) for function in load_benchmarks().values())


def test_one_failing_benchmark_is_reported_and_the_rest_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], FAKES) == 1
    output = capsys.readouterr()
    assert "broken failed: RuntimeError: no disk" in output.err
    assert output.out.splitlines() == [
        "name         ours  unit  reference   value  ratio",
        "quick.fold    1.5  ms    naive loop     30   0.05",
        "quick.empty     0  ms    nothing         0    nan",
    ]


def test_json_has_the_fields_that_others_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quick", "--json"], FAKES) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [set(row) for row in rows] == [{"name", "ours", "reference", "reference_value", "unit", "ratio"}] * 2
    assert rows[1]["ratio"] is None


def test_an_unknown_name_lists_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slow"], FAKES) == 2
    assert capsys.readouterr().err == "tests.bench: no benchmark 'slow'; there are broken, quick\n"


def test_list_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"], FAKES) == 0
    assert capsys.readouterr().out == "broken\nquick  Two rows, one of them without a ratio.\n"
