"""The list of runs, opening another one, and two beside each other, in the app on real runs."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dtui.model import ImageSet, Layer, Module, RunStatus, Structure, Validation
from dtui.query.compare import listing, others
from dtui.store import RunWriter
from dtui.tui.app import DtuiApp
from dtui.tui.export import find_numbers
from dtui.tui.loader import Loader
from dtui.tui.panes.runs.comparing import CompareOptions, begin_comparing, found_in
from dtui.tui.panes.runs.run_list import RunsOptions
from tests.store.builders import METADATA, make_record
from tests.tui.driving import is_complete, press, screen_text, until
from tests.tui.fake_query import FakeQuery

EVIL = "\x1b]0;renamed\x07[red]{name}"
STRUCTURE = Structure(
    (Layer(0, EVIL, "Conv2d", (6, 1, 3, 3), 0), Layer(1, "fc", "Linear", (4, 6), 6)),
    (Module(0, "", "Net", -1, (0, 1)),),
)
IMAGES = ImageSet(("cat", "dog"), np.repeat([0, 1], 10).astype(np.uint16), tuple(f"id{n}" for n in range(20)))
RECORDS = 24


def append(writer: RunWriter, position: int, lost_at: int) -> None:
    writer.append_record(make_record(position, structure=STRUCTURE))
    right = np.repeat([position < lost_at, True], 10)
    labels = np.where(right, IMAGES.targets, 1 - IMAGES.targets).astype(np.uint16)
    writer.append_validation(Validation(10 * position, labels, np.full(20, 200, np.uint8)))


def begin(path: Path, lr: str = "0.1", planned: str = "") -> RunWriter:
    parameters = {"lr": lr, "note": EVIL, **({"iterations": planned} if planned else {})}
    metadata = replace(METADATA, name=path.stem, hyperparameters=parameters, notes=())
    writer = RunWriter(path, STRUCTURE, metadata, compact=False)
    writer.set_images(IMAGES)
    return writer


def write(path: Path, lost_at: int = 99, lr: str = "0.1") -> None:
    """Write a run; the class cat is lost from `lost_at` on."""
    path.parent.mkdir(exist_ok=True)
    with begin(path, lr) as writer:
        for position in range(RECORDS):
            append(writer, position, lost_at)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write(folder / "plain.dtui")
    write(folder / "worse.dtui", lost_at=16, lr="0.2")
    (folder / "broken.dtui").mkdir()
    (folder / "broken.dtui" / "run.json").write_text("{")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "runs"))


@asynccontextmanager
async def opened(*paths: Path, size: tuple[int, int] = (80, 24), has_list: bool = True):
    """The app as `dtui PATH…` starts it, complete on the screen."""
    app = DtuiApp(paths[0], places=paths if has_list else ())
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: is_complete(app))
        await until(pilot, lambda: not has_list or is_read(app))
        yield app, pilot


def is_read(app: DtuiApp) -> bool:
    """Whether all rows of the list have been read."""
    from dtui.tui.panes.runs.run_list import RunsQuestion

    known = app.session.answers.get(RunsQuestion) if app.session else None
    return known is not None and known.ready == len(known.rows)


def line_with(app: DtuiApp, words: str) -> str:
    """The first row of the list with these words; "" if there is none."""
    _, _, rows = screen_text(app).partition("Runs ")
    return next((line for line in rows.splitlines()[1:] if words in line), "")


async def test_a_folder_is_a_list_with_a_row_a_run(folder: Path) -> None:
    async with opened(folder) as (app, _):
        assert "Runs 3" in screen_text(app)
        assert "■ done" in line_with(app, "plain ")
        assert "230" in line_with(app, "plain ")
        assert "50 %" in line_with(app, "worse")
        assert "missing" in line_with(app, "broken")
        assert "differs: lr 0." in screen_text(app)
        assert "note" not in line_with(app, "differs:")


async def test_the_picked_run_is_told_below_the_list(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "worse.dtui", folder / "broken.dtui") as (app, pilot):
        picked = lambda: screen_text(app).partition("Picked run")[2].strip()  # noqa: E731
        await until(pilot, lambda: "Look at this: 2 incidents" in picked())
        assert picked().startswith("plain")
        await press(app, pilot, "j")
        await until(pilot, lambda: picked().startswith("worse") and "Look at this" in picked())
        await press(app, pilot, "tab")
        await press(app, pilot, "j")
        await until(pilot, lambda: "broken: structure.h5: missing" in picked())


async def test_a_run_that_can_be_opened_is_open_below_one_that_cannot(folder: Path) -> None:
    broken = folder / "broken.dtui"
    async with opened(broken, folder / "plain.dtui") as (app, _):
        assert app.session.view.info.run == "plain"
        assert "missing" in line_with(app, "broken")


async def test_two_folders_are_one_list_in_which_nothing_is_marked(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "more" / "extra.dtui")
    async with opened(folder, tmp_path / "more") as (app, _):
        assert "Runs 4" in screen_text(app)
        assert app.session.selection.get(RunsOptions).marked == ()


async def test_enter_opens_a_run_in_place_of_the_open_one(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "worse.dtui") as (app, pilot):
        assert app.session.view.info.run == "plain"
        await pilot.press("enter")
        await until(pilot, lambda: app.session.view.info.run == "worse")
        await until(pilot, lambda: is_complete(app))
        assert app.session.scene.screen.name == "Triage"
        assert "dtui  worse" in screen_text(app)
        assert app.session.selection.get(RunsOptions).marked  # the marks stay
        await press(app, pilot, "6")
        await until(pilot, lambda: is_read(app))
        assert "▸ worse" in screen_text(app)


async def test_a_run_that_cannot_be_opened_is_told_and_the_open_one_stays(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "broken.dtui") as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: "missing" in app.session.message)
        assert app.session.view.info.run == "plain"
        assert app.session.selection.run is None
        await press(app, pilot, "6")
        assert "▸ plain" in screen_text(app)


async def test_two_that_were_named_are_compared_by_one_key(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "worse.dtui") as (app, pilot):
        await press(app, pilot, "equals_sign")
        await until(pilot, lambda: "first divergence" in screen_text(app))
        shown = screen_text(app)
        assert "first divergence: iteration 160, class cat" in shown
        assert "differs: lr 0.1 | 0.2" in shown
        assert "cat: A 0.0% B 100%" in shown
        assert app.session.selection.cursor == 160
        assert "\x1b" not in shown
        await press(app, pilot, "escape")
        assert app.session.scene.screen.name == "Runs"


async def test_marks_choose_which_two_and_the_first_is_opened(folder: Path) -> None:
    write(folder / "third.dtui", lost_at=8)
    async with opened(folder) as (app, pilot):
        await press(app, pilot, "g")
        paths = {Path(row.path).stem: row.path for row in others.Others(*(_query(app),), (folder,)).rows(9).rows}
        app.session.choose(app.session.selection.put(RunsOptions(paths["worse"])))
        await press(app, pilot, "space")
        app.session.choose(
            app.session.selection.put(replace(app.session.selection.get(RunsOptions), path=paths["third"]))
        )
        await press(app, pilot, "space")
        assert "2 runs marked" in screen_text(app)
        await pilot.press("equals_sign")
        await until(pilot, lambda: "first divergence: iteration 80, class cat" in screen_text(app))
        assert app.session.view.info.run == "worse"
        assert app.session.selection.get(CompareOptions).other == paths["third"]


def _query(app: DtuiApp):
    query = app.loader._query
    assert query is not None
    return query


async def test_a_second_comparison_shows_nothing_of_the_first(folder: Path) -> None:
    """The answer about the pair before is at hand until the new one comes: it is not shown."""
    write(folder / "third.dtui", lost_at=8)
    async with opened(folder / "plain.dtui", folder / "worse.dtui") as (app, pilot):
        await press(app, pilot, "equals_sign")
        await until(pilot, lambda: "iteration 160" in screen_text(app))
        await press(app, pilot, "escape")
        selection = begin_comparing(app.session.scene, str(folder / "third.dtui"))
        assert found_in(app.session.scene.at(selection)) is None
        app.session.choose(selection)
        app.paint()
        await until(pilot, lambda: "first divergence: iteration 80" in screen_text(app))


async def test_keys_of_the_comparison(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "worse.dtui", size=(150, 50)) as (app, pilot):
        await press(app, pilot, "equals_sign")
        await until(pilot, lambda: "first divergence" in screen_text(app))
        assert "1 of 1 divergence" in screen_text(app)
        assert "validation error" in screen_text(app)
        await press(app, pilot, "0", "left", "N")
        assert app.session.selection.cursor < 160
        await press(app, pilot, "n")
        assert app.session.selection.cursor == 160
        await press(app, pilot, "d")
        assert app.session.message == "compared by share of the run"
        await until(pilot, lambda: "by share of the run" in screen_text(app))
        await press(app, pilot, "tab", "s")
        assert app.session.message == "layers compared by weight norm"
        await press(app, pilot, "j", "enter")
        assert app.session.scene.screen.name == "Layers"


async def test_what_is_on_the_screen_can_be_written_as_a_table(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "worse.dtui", size=(150, 50)) as (app, pilot):
        table = find_numbers(app.session.scene)
        assert [row[0] for row in table.rows] == ["plain", "worse"]
        assert table.rows[1][-1].startswith("lr 0.2")
        await press(app, pilot, "equals_sign")
        await until(pilot, lambda: "first divergence" in screen_text(app))
        table = find_numbers(app.session.scene)
        assert (table.rows[0][0], *table.rows[0][2:4]) == (160, "class", "cat")
        assert "first divergence: iteration 160" in table.title
        await press(app, pilot, "tab", "tab")
        table = find_numbers(app.session.scene)
        assert {"A cat", "B cat", "distance cat"} <= set(table.columns)


async def test_another_network_is_named_as_not_compared(folder: Path) -> None:
    other = Structure((Layer(0, "other", "Conv2d", (6, 1, 3, 3), 0),), (Module(0, "", "Net", -1, (0,)),))
    with RunWriter(folder / "other.dtui", other, METADATA, compact=False) as writer:
        for position in range(RECORDS):
            writer.append_record(make_record(position, structure=other))
    async with opened(folder / "plain.dtui", folder / "other.dtui", size=(100, 30)) as (app, pilot):
        await press(app, pilot, "equals_sign")
        await until(pilot, lambda: "not compared" in screen_text(app))
        assert "layers: no name in common" in screen_text(app)
        assert "classes: B has no validations" in " ".join(screen_text(app).split())
        panes = {pane.name for pane in app.session.scene.screen.panes if app.session.scene.rows_for(pane)}
        assert panes == {"comparing"}, "what cannot be compared takes no room"


async def test_a_run_that_vanishes_and_one_that_comes(folder: Path) -> None:
    async with opened(folder) as (app, pilot):
        gone = "worse" if app.session.view.info.run == "plain" else "plain"
        shutil.rmtree(folder / f"{gone}.dtui")
        write(folder / "late.dtui")
        app.loader.poll()
        await until(pilot, lambda: line_with(app, "late"))
        await until(pilot, lambda: "no such file" in line_with(app, gone))


async def test_a_live_run_grows_in_its_row(folder: Path) -> None:
    with begin(folder / "live.dtui", planned="1000") as writer:
        for position in range(5):
            append(writer, position, 99)
        async with opened(folder / "plain.dtui", folder / "live.dtui", size=(150, 50)) as (app, pilot):
            await until(pilot, lambda: "● live" in screen_text(app))
            append(writer, 5, 99)
            append(writer, 6, 99)

            def grew() -> bool:
                app.loader.poll()
                row = line_with(app, "● live")
                return "60" in row and "/s " in row  # a rate, and what is left of 1,000 iterations

            await until(pilot, grew)
            assert "1 live" in screen_text(app)


async def test_a_comparison_follows_a_live_run(folder: Path) -> None:
    with begin(folder / "live.dtui") as writer:
        for position in range(10):
            append(writer, position, 12)
        async with opened(folder / "plain.dtui", folder / "live.dtui", size=(100, 30)) as (app, pilot):
            await press(app, pilot, "equals_sign")
            await until(pilot, lambda: "number for number, to the end (90)" in screen_text(app))
            for position in range(10, 14):
                append(writer, position, 12)

            def parted() -> bool:
                app.loader.poll()
                return "first divergence: iteration 120, class cat" in screen_text(app)

            await until(pilot, parted)


async def test_the_other_run_vanishes_while_it_is_compared(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "worse.dtui") as (app, pilot):
        await press(app, pilot, "equals_sign")
        await until(pilot, lambda: "first divergence" in screen_text(app))
        shutil.rmtree(folder / "worse.dtui")
        await press(app, pilot, "d", "s", "n", "escape")
        assert app.session.scene.screen.name == "Runs"
        app.loader.poll()
        await until(pilot, lambda: "no such file" in line_with(app, "worse"))


async def test_a_decision_is_counted_in_the_row(folder: Path) -> None:
    async with opened(folder / "plain.dtui", folder / "worse.dtui", size=(150, 50)) as (app, pilot):
        assert "new" in line_with(app, "plain ")
        assert "flagged" not in line_with(app, "plain ")
        await press(app, pilot, "1")
        await until(pilot, lambda: app.session.scene.entries)
        app.session.choose(app.session.selection.changed(cursor=0))
        await press(app, pilot, "n", "f")
        assert "flagged:" in app.session.message
        await press(app, pilot, "6")

        def is_counted() -> bool:
            app.loader.poll()
            return "1 flagged" in line_with(app, "plain ")

        await until(pilot, is_counted)


async def test_the_neighbours_of_a_run_are_not_read_before_the_list_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    row = others.run_row
    monkeypatch.setattr(others, "run_row", lambda path: read.append(path) or row(path))
    async with opened(folder / "plain.dtui", has_list=False) as (app, pilot):
        await press(app, pilot, "2", "3", "1")
        assert read == []
        await press(app, pilot, "6")
        await until(pilot, lambda: is_read(app))
        assert {path.stem for path in read} == {"worse", "broken"}


async def test_a_run_is_opened_and_compared_by_its_name_from_any_screen(folder: Path) -> None:
    async with opened(folder / "plain.dtui", has_list=False) as (app, pilot):
        await press(app, pilot, "2")
        assert app.session.go("run worse", 0) is None
        app.paint()
        await until(pilot, lambda: app.session.view.info.run == "worse")
        assert app.session.scene.screen.name == "Triage"
        await until(pilot, lambda: is_complete(app))
        app.session.go("compare with plain", 0)
        app.paint()
        await until(pilot, lambda: "first divergence: iteration 160" in screen_text(app))


class Named(FakeQuery):
    """A fake run with a path of its own."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.path = Path(f"{name}.dtui")


def test_questions_of_the_run_before_are_not_answered_from_the_next() -> None:
    """The app may ask once more before it hears of the other run: the loader knows by the revision."""
    from queue import Queue

    from dtui.tui.loader import Answered, Opened
    from dtui.tui.state.questions import ClustersQuestion

    told: Queue[object] = Queue()
    runs = {name: Named(name) for name in ("a", "b")}
    loader = Loader(Path("a"), told.put, lambda path: runs[path.name])
    loader.start()
    first = told.get(timeout=20)
    assert isinstance(first, Opened)
    loader.switch(Path("b"))
    second = told.get(timeout=20)
    assert isinstance(second, Opened)
    assert second.is_other
    assert runs["a"].closed
    loader.ask([ClustersQuestion(3)], first.view.revision)
    loader.ask([ClustersQuestion(2)], second.view.revision)
    answer = told.get(timeout=20)
    assert isinstance(answer, Answered)
    assert answer.question == ClustersQuestion(2)
    assert ("clusters", 3) not in [*runs["a"].asked, *runs["b"].asked]
    loader.close()
    assert runs["b"].closed


@pytest.mark.parametrize(("said", "left"), [({"max_steps": "1001"}, 400.0), ({}, np.nan), ({"steps": "soon"}, np.nan)])
def test_the_time_that_is_left_is_unknown_where_the_training_does_not_say_how_long_it_is(monkeypatch, said, left):
    monkeypatch.setattr(listing, "_rate", lambda query, info: 2.0)
    query = SimpleNamespace(metadata=lambda: SimpleNamespace(hyperparameters=said))
    info = SimpleNamespace(status=RunStatus.LIVE, last_iteration=200)
    assert listing.pace_of(query, info) == pytest.approx((2.0, left), nan_ok=True)
