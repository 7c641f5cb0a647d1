"""The child process that draws: what it answers, and what happens when it does not."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.errors import ReportError
from dtui.reports.document import Chart
from dtui.reports.output.bundle import vega_bundle
from dtui.reports.output.child import encoded
from dtui.reports.output.convert import ChartConverter, renumbered

SQUARE = {
    "$schema": "https://vega.github.io/schema/vega/v6.json",
    "width": 20,
    "height": 10,
    "marks": [{"type": "group", "clip": True, "encode": {"enter": {"width": {"value": 5}, "height": {"value": 5}}}}],
}


def chart(spec: dict[str, object], name: str = "square") -> Chart:
    return Chart(name, "", "vega", lambda: spec, "")


def test_a_chart_that_is_refused_does_not_take_the_next_one_with_it() -> None:
    with ChartConverter() as converter:
        with pytest.raises(ReportError, match="chart broken: "):
            converter.draw(chart({**SQUARE, "marks": [{"type": "no such mark"}]}, "broken"))
        assert converter.draw(chart(SQUARE)).startswith("<svg")


def test_the_same_chart_gives_the_same_bytes_wherever_it_is_drawn() -> None:
    with ChartConverter() as converter:
        first, second = converter.draw(chart(SQUARE)), converter.draw(chart(SQUARE))
        other = converter.draw(chart(SQUARE, "other"))
    assert first == second
    assert 'id="square-0"' in first
    assert "url(#square-0)" in first
    assert 'id="other-0"' in other
    assert "square" not in other


def test_ids_are_renumbered_without_touching_text() -> None:
    svg = '<g id="clip12"/><g id="clip1"/><a clip-path="url(#clip1)" href="#clip12">clip12</a>'
    assert renumbered(svg, "a") == '<g id="a-0"/><g id="a-1"/><a clip-path="url(#a-1)" href="#a-0">clip12</a>'


def test_nothing_is_fetched_for_a_chart() -> None:
    fetching = {**SQUARE, "data": [{"name": "d", "url": "http://127.0.0.1:9/d.json"}]}
    with ChartConverter() as converter, pytest.raises(ReportError, match="chart square"):
        converter.draw(chart(fetching))


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


def test_a_child_that_dies_is_reported_and_replaced(tmp_path: Path) -> None:
    """The first child ends as one that ran out of memory does; the second answers."""
    flag = tmp_path / "died"
    program = (
        f"import os, sys, pathlib; flag = pathlib.Path({str(flag)!r}); line = sys.stdin.readline()\n"
        "if not flag.exists(): flag.touch(); os.abort()\n"
        'print(\'{"result": "<svg/>"}\', flush=True)'
    )
    with ChartConverter(command=python(program)) as converter:
        with pytest.raises(ReportError, match="chart first: the process that draws ended"):
            converter.draw(chart(SQUARE, "first"))
        assert converter.draw(chart(SQUARE, "second")) == "<svg/>"


def test_a_child_that_hangs_ends_with_whoever_started_it() -> None:
    """Its time limit is kept by that process: a killed report must leave nothing that runs for ever."""
    read_end, write_end = os.pipe()
    hangs = (
        "import os, signal\n"
        "from dtui.reports.output.child import answer_lines\n"
        f"answer_lines(lambda request: os.write({write_end}, b'at work ') and signal.pause())"
    )
    asks = (
        "import subprocess, sys\n"
        "from dtui.reports.output import child\n"
        "start = subprocess.Popen\n"
        f"subprocess.Popen = lambda *words, **more: start(*words, **more, pass_fds=[{write_end}])\n"
        f"child.Child((sys.executable, '-c', {hangs!r})).ask({{}}, 'this', 'done')"
    )
    parent = subprocess.Popen([sys.executable, "-c", asks], pass_fds=[write_end])
    os.close(write_end)
    with os.fdopen(read_end, "rb") as told:
        assert told.read(8) == b"at work "
        parent.kill()
        parent.wait()
        assert select.select([told], [], [], 60)[0], "it goes on"
        assert told.read() == b""  # the pipe is closed: nobody who had it is left


def test_a_child_that_hangs_is_stopped() -> None:
    large = chart({**SQUARE, "description": "x" * 300_000})
    refused = pytest.raises(ReportError, match=r"not drawn within 0\.3 s")
    with ChartConverter(0.3, python("import signal; signal.pause()")) as converter, refused:
        converter.draw(large)


def test_missing_values_must_be_null() -> None:
    with pytest.raises(ReportError, match="a missing value must be null"):
        encoded({"value": float("nan")})


def test_the_bundle_is_made_once(tmp_path: Path) -> None:
    made: list[str] = []

    def make() -> str:
        made.append("once")
        return "window.vegaEmbed = '</script><!--';"

    folder = tmp_path / "deep" / "cache"
    first = vega_bundle(make, folder)
    assert vega_bundle(make, folder) == first
    assert made == ["once"]
    assert "</script" not in first
    assert "<!--" not in first
    kept = next(folder.iterdir())
    kept.write_text(kept.read_text(encoding="utf-8")[:-5], encoding="utf-8")
    assert vega_bundle(make, folder) == first, "a damaged cache is made again"
    assert made == ["once", "once"]


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "vegaEmbed" in vega_bundle(lambda: "window.vegaEmbed = 1;", tmp_path / "file" / "cache")


def test_an_answer_that_is_no_bundle_is_not_kept(tmp_path: Path):
    vega_bundle(lambda: "<svg/>", tmp_path)
    assert "vegaEmbed" in vega_bundle(lambda: "window.vegaEmbed = 1;", tmp_path)
