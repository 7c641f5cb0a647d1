"""A run that shrinks, vanishes or is replaced while it is open: one line says so, and nothing old passes as new."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model import ImageSet, Layer, Module, Structure
from dtui.store import RunWriter
from dtui.tui.app import DtuiApp
from tests.store.builders import METADATA, make_record, make_validation
from tests.tui.conftest import SAMPLES
from tests.tui.driving import is_complete, press, screen_text, until

SIZES = ((80, 24), (150, 50))
SCREENS = {"Triage": "1", "Layers": "2", "Validation": "3", "Correlation": "4", "Cube": "5"}


def write(path: Path, layers: int = 6, classes: int = 4, records: int = 48) -> Path:
    """A run of journals, 32 frames in each."""
    structure = Structure(
        tuple(Layer(at, f"layer{at}", "Linear", (4, 2), 4 * at) for at in range(layers)),
        (Module(0, "", "Net", -1, tuple(range(layers))),),
    )
    targets = np.repeat(np.arange(classes, dtype=np.uint16), 3)
    names = tuple(f"class {at}" for at in range(classes))
    images = ImageSet(names, targets, tuple(f"image {at}" for at in range(len(targets))))
    with RunWriter(path, structure, replace(METADATA, name="run"), classes=names, compact=False) as writer:
        writer.set_images(images)
        for at in range(records):
            writer.append_record(make_record(at, structure=structure))
            writer.append_validation(make_validation(at, 10, images))
    return writer.path


def journals(path: Path, stream: str) -> list[Path]:
    return sorted((path / "journal").glob(f"{stream}-*"))


def cut(path: Path) -> None:
    """The newest files are gone, and half of those before them."""
    for stream in ("records", "validations"):
        first, *others = journals(path, stream)
        for one in others:
            one.unlink()
        os.truncate(first, first.stat().st_size // 2)


def halve(*names: str) -> Callable[[Path], None]:
    """Half of some files is gone."""

    def damage(path: Path) -> None:
        for one in sorted(found for name in names for found in path.glob(name)):
            os.truncate(one, one.stat().st_size // 2)

    return damage


def lose(stream: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        for one in journals(path, stream):
            one.unlink()

    return damage


def replace_run(path: Path) -> None:
    """Another training with fewer layers, classes, images and records."""
    shutil.rmtree(path)
    write(path, layers=2, classes=2, records=14)


DAMAGES = {
    "cut": (cut, ("missing", "damaged")),
    "no records": (lose("records"), ("missing", "damaged")),
    "no validations": (lose("validations"), ("missing", "damaged")),
    "removed": (shutil.rmtree, ("removed", "gone")),
    "replaced": (replace_run, ("another run has taken its place; this is the new one", "done 14")),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("size", SIZES)
async def test_it_is_said_in_one_line_and_every_key_still_works(tmp_path: Path, damage: str, size) -> None:
    do, (said, status) = DAMAGES[damage]
    app = DtuiApp(write(tmp_path / ("a folder with a long name " * 4) / "run"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: is_complete(app))
        await press(app, pilot, "2", "G", "3", "tab", "G")
        do(app.path)
        app.loader.poll()
        await until(pilot, lambda: said in screen_text(app).splitlines()[-1])
        for name, key in SCREENS.items():
            await pilot.press(key)
            assert app.session.scene.screen.name == name
            await pilot.press("j", "k", "n", "tab", "J", "left", "home", "end")
            app.loader.poll()
            await pilot.pause()
            assert app.session._failed == {}
        assert (status if size[0] > 100 or status != "damaged" else "dam") in screen_text(app).splitlines()[0]
        assert app.session.selection.cursor <= app.session.view.last_iteration


CUT = {
    "parts/records*": "its end is damaged or missing",
    "parts/validations*": "its end is damaged or missing",
    "images.h5": "was damaged while it was open",
    "structure.h5": "was damaged while it was open",
    "run.json": "was damaged while it was open",
}


@pytest.mark.parametrize("name", CUT)
async def test_a_file_that_is_cut_is_said_and_what_can_be_read_is_shown(tmp_path: Path, name: str) -> None:
    app = DtuiApp(Path(shutil.copytree(SAMPLES / "mnist-faults.dtui", tmp_path / "run.dtui")))
    whole = {one: one.read_bytes() for one in app.path.glob(name)}
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: is_complete(app))
        await press(app, pilot, "2", "G", "3", "tab", "G", "1")
        halve(name)(app.path)
        app.loader.poll()
        await until(pilot, lambda: CUT[name] in screen_text(app).splitlines()[-1])
        assert screen_text(app).splitlines()[-1].startswith(f" damaged: {name.rstrip('*')}")
        assert "damaged" in screen_text(app).splitlines()[0]
        for key in SCREENS.values():
            await pilot.press(key, "j", "n", "tab", "J")
            await pilot.pause()
            assert app.session._failed == {}
        for path, content in whole.items():
            path.write_bytes(content)
        app.loader.poll()
        await until(pilot, lambda: "damaged" not in screen_text(app).splitlines()[0])
        assert "done 240" in screen_text(app).splitlines()[0]


def counted_beside_the_filters(app: DtuiApp) -> list[str]:
    return re.findall(r"^ +\S (?:dead|moving|late start) +([0-9·])", screen_text(app), re.M)


async def test_what_is_lost_is_not_told_as_what_never_was(tmp_path: Path) -> None:
    app = DtuiApp(write(tmp_path / "run"))
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: is_complete(app))
        await press(app, pilot, "2")
        assert "no filter is dead" in screen_text(app)
        assert "none of 4 dead" in screen_text(app)
        assert counted_beside_the_filters(app) == ["0", "0", "0"]
        lose("records")(app.path)
        app.loader.poll()
        await until(pilot, lambda: "records 0 to 47: missing" in screen_text(app))
        await until(pilot, lambda: "dead filters could not be told: 0 records" in screen_text(app))
        assert "is dead" not in screen_text(app)
        assert "4 dead" not in screen_text(app)
        assert counted_beside_the_filters(app) == ["·", "·", "·"]
        lose("validations")(app.path)
        app.loader.poll()
        await until(pilot, lambda: "validations 0 to 47: missing" in screen_text(app))
        assert "Nothing can be read" in screen_text(app)
        assert "before its first record" not in screen_text(app)


async def test_lost_validations_are_said_although_a_question_missed_them_first(tmp_path: Path) -> None:
    app = DtuiApp(write(tmp_path / "run"))
    async with app.run_test(size=(150, 50)) as pilot:
        await until(pilot, lambda: is_complete(app))
        lose("validations")(app.path)
        await pilot.press("3")
        await until(pilot, lambda: "was lost while it was read" in screen_text(app))
        app.loader.poll()
        await until(pilot, lambda: "No validation can be read" in screen_text(app))


async def test_the_run_that_takes_the_place_of_another_is_shown_as_soon_as_it_can_be_read(tmp_path: Path) -> None:
    app = DtuiApp(write(tmp_path / "run"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: is_complete(app))
        await press(app, pilot, "2", "G", "f")
        replace_run(app.path)
        (app.path / "run.json").rename(run_file := tmp_path / "run.json")
        structure = (app.path / "structure.h5").read_bytes()
        (app.path / "structure.h5").write_bytes(b"")
        run_file.rename(app.path / "run.json")
        app.loader.poll()
        await until(pilot, lambda: "it opens here when it can be read" in screen_text(app).splitlines()[-1])
        assert "gone" in screen_text(app).splitlines()[0]
        (app.path / "structure.h5").write_bytes(structure)
        app.loader.poll()
        await until(pilot, lambda: "this is the new one" in screen_text(app).splitlines()[-1])
        assert app.session.scene.screen.name == "Layers"
        assert app.session.view.last_iteration == 130
        assert "done 14" in screen_text(app).splitlines()[0]
