"""`dtui compare`: what it prints, its JSON, its exit codes, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.cli import main
from dtui.model import ImageSet, Layer, Module, Structure, Validation
from dtui.store import RunWriter
from tests.store.builders import METADATA, make_record

EVIL = "\x1b]0;renamed\x07[red]{name}"
STRUCTURE = Structure(
    (Layer(0, EVIL, "Conv2d", (6, 1, 3, 3), 0), Layer(1, "fc", "Linear", (4, 6), 6)),
    (Module(0, "", "Net", -1, (0, 1)),),
)
IMAGES = ImageSet((EVIL, "dog"), np.repeat([0, 1], 10).astype(np.uint16), tuple(f"id{n}" for n in range(20)))


def write(path: Path, lost_at: int = 99, lr: str = "0.1", structure: Structure = STRUCTURE) -> Path:
    """Write a run of 20 records; class 0 is lost from `lost_at` on."""
    metadata = replace(METADATA, hyperparameters={EVIL: lr, "batch": "64"}, notes=())
    with RunWriter(path, structure, metadata, compact=False) as writer:
        writer.set_images(IMAGES)
        for position in range(20):
            writer.append_record(make_record(position, structure=structure))
            right = np.repeat([position < lost_at, True], 10)
            labels = np.where(right, IMAGES.targets, 1 - IMAGES.targets).astype(np.uint16)
            writer.append_validation(Validation(10 * position, labels, np.full(20, 200, np.uint8)))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: b loses a class at 14, and c is a twin of a."""
    found = tmp_path_factory.mktemp("runs")
    write(found / "a.dtui")
    write(found / "b.dtui", lost_at=14, lr="0.2")
    write(found / "c.dtui")
    return found


def test_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(folder / "a"), str(folder / "b")]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "\x1b" not in shown.out
    assert "hyper-parameter  0.1  0.2" in shown.out
    assert "batch" not in shown.out
    assert "first divergence: iteration 140, class " in shown.out
    assert "(the same, number for number, up to 130)" in shown.out
    assert "layers: the same at all 20 moments" in shown.out


def test_several_are_each_put_beside_the_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *(str(folder / name) for name in "abc"), "--top", "1"]) == 0
    shown = capsys.readouterr().out
    assert "A and B: first divergence: iteration 140" in shown
    assert "A and C: the same, number for number, to the end (190)" in shown


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *(str(folder / name) for name in "abc"), "--json", "--by", "share"]) == 0
    shown = capsys.readouterr().out
    assert shown.isascii()
    found = json.loads(shown)
    assert [Path(run["path"]).name for run in found["runs"]] == ["a.dtui", "b.dtui", "c.dtui"]
    assert found["differences"] == [{"kind": "hyper-parameter", "name": EVIL, "values": ["0.1", "0.2", "0.1"]}]
    parted, same = found["pairs"]
    assert parted["divergences"][0]["iteration"] == 140
    assert parted["classes"][0]["name"] == EVIL
    assert (parted["classes"][0]["a"], parted["classes"][0]["b"]) == (0, 1)
    assert same["same_until"] == 190
    assert same["divergences"] == []
    assert len(same["incidents"]) == 2


def test_exit_codes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = (str(folder / name) for name in "abc")
    assert main(["compare", a, b, "--fail-on", "1"]) == 1
    assert main(["compare", a, b, "--fail-on", "9"]) == 0
    assert main(["compare", a, c, "--fail-on", "1"]) == 0
    other = Structure((Layer(0, "other", "Conv2d", (6, 1, 3, 3), 0),), (Module(0, "", "Net", -1, (0,)),))
    with RunWriter(tmp_path / "other.dtui", other, METADATA, compact=False) as writer:
        writer.append_record(make_record(0, structure=other))
    capsys.readouterr()
    assert main(["compare", a, str(tmp_path / "other"), "--fail-on", "1"]) == 2
    assert "not compared: layers: no name in common" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["a"], 2, "1 run given"),
        (["a", "missing"], 3, "missing: no such file"),
        (["a", "b", "--by", "epoch"], 2, "no scalar named epoch"),
        (["a", "b", "--by", "moon"], 2, "invalid choice"),
    ],
)
def test_what_it_refuses(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(folder)
    assert main(["compare", *words]) == code
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.out == ""
    assert shown.err.count("\n") == 1
