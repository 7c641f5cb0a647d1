"""`python -m tests.bench`: names, table, JSON, and a failing benchmark among others."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.bench import gpu_parts, gpu_session, report_html
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


def test_a_session_on_a_gpu_tells_each_line_and_stops_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_session, "LIMITS", {"good": 60, "long": 1, "bad": 60, "late": 60})
    commands = {
        "good": ["printf", '{"name": "step", "value": 1.01}\\n\\nwords of a library\\n'],
        "long": ["tail", "-f", "/dev/null"],
        "bad": ["false"],
    }
    now = iter([0.0, 1.0, 1.0, 3.5, 4.0, 4.0, 6.0, 7.0, 7.0, 7.5, 99.0])
    lines = list(gpu_session.run_parts(lambda name: commands[name], 100.0, lambda: next(now)))
    assert lines == [
        {"part": "good", "name": "step", "value": 1.01},
        {"part": "good", "text": "words of a library"},
        {"part": "good", "ended": "done", "seconds": 2.5},
        {"part": "long", "ended": "stopped after 1 s", "seconds": 2.0},
        {"part": "bad", "ended": "exit code 1", "seconds": 0.5},
        {"part": "late", "ended": "left out: no time is left"},
    ]


def test_the_parts_of_a_session_are_there_and_fit_its_time() -> None:
    assert set(gpu_session.LIMITS) - {"tests"} == set(gpu_parts.PARTS)
    assert gpu_session.BUDGET <= 350


def test_the_start_of_the_converter_is_taken_off_what_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report as text starts none: taken off there, it would say that a report takes less than no time."""

    def cost(program: str, folder: str, *arguments: Path) -> tuple[float, float]:
        if not arguments:
            return 2.0, 50.0
        arguments[1].write_bytes(b"")
        return (0.75 if arguments[1].suffix == ".txt" else 2.75), 50.0

    monkeypatch.setattr(report_html, "_cost", cost)
    found = report_html._reports(tmp_path / "a.dtui", ("html", "pdf", "txt"))
    assert {ending: one.seconds for ending, one in found.items()} == {"html": 0.75, "pdf": 0.75, "txt": 0.75}
