"""A run that lacks most of what dtui shows: every front end says so, or goes without, and none fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtui.cli import main
from dtui.store import RunWriter
from dtui.store.format.contents import Stored, contents
from dtui.tui.app import DtuiApp
from dtui.tui.panes.layers.filters import FiltersOptions
from dtui.tui.panes.layers.tree import TreeOptions
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.tui.driving import is_complete, press, screen_text, until

MEANS = contents(2, ("weights",), (Stored("mean", ("weights",), 10), Stored("std", ("weights",), 10)), (Stored("std"),))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / ("a folder with a long name, " * 6)
    folder.mkdir()
    with RunWriter(folder / "few", STRUCTURE, METADATA, compact=False, contents=MEANS) as writer:
        writer.set_images(IMAGES)
        for position in range(8):
            writer.append_record(make_record(position))
            writer.append_validation(make_validation(position))
    return writer.path


@pytest.mark.parametrize(
    "command",
    [["info"], ["check"], ["anomalies", "--json"], ["report", "-o", "-", "--format=text", "--section=layers"]],
)
def test_commands_go_without_it(run: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command[0], str(run), *command[1:]]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    if command == ["info"]:
        assert "every 10 iterations, format 2" in output.out
    if command[0] == "report":
        assert "Mean of weights: not recorded in this run." in output.out
        assert "Norm of updates: not recorded in this run." in output.out


async def test_the_screen_begins_on_and_steps_through_what_there_is(run: Path) -> None:
    app = DtuiApp(run)
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: is_complete(app))
        assert app.session is not None
        assert app.session.view.filter_statistics == ("mean", "std")
        assert app.session.selection.get(TreeOptions).statistic == "std"
        assert app.session.selection.get(FiltersOptions).statistic == "mean"
        await press(app, pilot, "tab", "s")
        assert app.session.selection.get(FiltersOptions).statistic == "std"
        assert "was not recorded" not in screen_text(app)
        await press(app, pilot, "b", "b")
        await until(pilot, lambda: "was not recorded in this run" in screen_text(app))  # the quartiles of a box plot
