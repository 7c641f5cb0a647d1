"""When a run was closed: written with its end, kept by a pack, unknown of an open run and of one from an older dtui."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dtui.query import open_run
from dtui.store import RunReader, RunWriter, pack_run
from dtui.store.disk.json_lines import check_of
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(IMAGES)
        writer.append_record(make_record(0))
    return writer.path


def ended(path: Path) -> str:
    with closing(RunReader(path)) as reader:
        return reader.ended


def test_a_closed_run_says_when_in_which_zone(closed: Path) -> None:
    when = datetime.fromisoformat(ended(closed))
    assert when.utcoffset() == timedelta(0)
    assert timedelta(0) <= datetime.now(UTC) - when < timedelta(hours=1)
    with open_run(closed) as query:
        assert query.verdict().ended == ended(closed)


def test_an_open_run_has_not_ended(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
    writer.append_record(make_record(0))
    assert ended(writer.path) == ""
    writer.close()


def test_a_pack_keeps_it_and_is_the_same_each_time(closed: Path, tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        pack_run(closed, tmp_path / name)
    assert ended(tmp_path / "a.h5") == ended(closed)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_run_of_an_older_dtui_does_not_say(closed: Path) -> None:
    file = closed / "run.json"
    values = json.loads(file.read_text())
    del values["check"], values["ended"]
    file.write_text(json.dumps({**values, "check": check_of(values)}))
    assert ended(closed) == ""
    with open_run(closed) as query:
        assert query.faults() == ()
        assert query.verdict().ended == ""
