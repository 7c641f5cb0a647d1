"""Files from outside: nothing in them runs, nothing outside them is read, memory stays bounded."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.errors import DtuiError
from dtui.store import RunReader, check_run
from tests.store.hostile import ATTACKS, reseal, unseal
from tests.store.mutating import answers

PART = "parts/records-0000000000-0000000032.h5"


def read_all(path: Path) -> RunReader | None:
    """Read everything there is to read; an error must be one of ours."""
    check_run(path)
    try:
        reader = RunReader(path)
        answers(reader)
        reader.close()
        return reader
    except DtuiError:
        return None


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_in_a_part_runs(folded: Path, tmp_path: Path, name: str) -> None:
    path, marker = tmp_path / "run.dtui", tmp_path / "it-ran"
    shutil.copytree(folded, path)
    unseal(path / PART)
    ATTACKS[name](path / PART, marker)
    reseal(path / PART)
    assert not marker.exists()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_all(path)
    assert not marker.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


EVERYWHERE = [
    name
    for name in ATTACKS
    if name in ("deep tree", "odd names", "huge chunk") or name.endswith((" of /", " of /document"))
]


@pytest.mark.parametrize("file", ["structure.h5", "images.h5"])
@pytest.mark.parametrize("name", EVERYWHERE)
def test_nothing_in_a_fixed_file_runs(folded: Path, tmp_path: Path, file: str, name: str) -> None:
    path, marker = tmp_path / "run.dtui", tmp_path / "it-ran"
    shutil.copytree(folded, path)
    unseal(path / file)
    ATTACKS[name](path / file, marker)
    reseal(path / file)
    read_all(path)
    assert not marker.exists()


def test_the_attack_is_real(folded: Path, tmp_path: Path) -> None:
    """Without the guards PyTables does run the pickle; else the tests above would prove nothing."""
    path, marker = tmp_path / "part.h5", tmp_path / "it-ran"
    shutil.copy(folded / PART, path)
    unseal(path)
    ATTACKS["pickle in anything of /"](path, marker)
    code = f"import tables; file = tables.open_file({str(path)!r}); file.root._v_attrs.anything"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, capture_output=True)
    assert marker.exists()


def test_a_link_is_never_followed(folded: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(folded, path)
    shutil.copy(path / PART, path / "parts" / "outside.h5")
    unseal(path / PART)
    ATTACKS["external group"](path / PART, tmp_path)
    reseal(path / PART)
    reader = RunReader(path)
    assert reader.record_iterations.tolist() == list(range(320, 360, 10))  # a group of another kind is none of ours
    assert any("there is no such" in fault for fault in reader.faults)
    reader.close()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("layers", [{"index": 0, "name": "a", "kind": "b", "shape": [10**15], "first_filter": 0, "aliases": []}]),
        ("layers", [{"index": 0, "name": "a", "kind": "b", "shape": [-4], "first_filter": 0, "aliases": []}]),
        ("layers", {}),
        ("modules", [{"index": 0, "name": "", "kind": "", "parent": 7, "layers": []}]),
        ("modules", [{"index": 0, "name": "", "kind": "", "parent": -1, "layers": [99]}]),
        ("metadata", None),
        ("metadata", {"name": "a"}),
        ("classes", [None] * 70_000),
        ("edges", [["a"]]),
        ("trained", []),
        ("trained", {"parameters": -1, "frozen": []}),
        ("trained", {"parameters": 5, "frozen": [99]}),
        ("trained", {"parameters": 5, "frozen": [0, 0]}),
        ("trained", {"parameters": 5, "frozen": [True]}),
        ("trained", {"parameters": 5, "frozen": [0] * 2000}),
        ("trained", {"parameters": 5}),
        ("coverage", []),
        ("coverage", {"parameters": 5, "recorded": 3}),
        ("coverage", {"parameters": 5, "recorded": 6, "unrecorded": 0, "largest": []}),
        ("coverage", {"parameters": 1 << 70, "recorded": 6, "unrecorded": 0, "largest": []}),
        ("coverage", {"parameters": 5, "recorded": True, "unrecorded": 0, "largest": []}),
        ("coverage", {"parameters": 5, "recorded": 3, "unrecorded": -1, "largest": []}),
        ("coverage", {"parameters": 5, "recorded": 3, "unrecorded": 0.5, "largest": []}),
        ("coverage", {"parameters": 5, "recorded": 3, "unrecorded": 9, "largest": [{"name": "a"}]}),
        (
            "coverage",
            {
                "parameters": 9999,
                "recorded": 3,
                "unrecorded": 9999,
                "largest": [{"name": "", "kind": "", "elements": 1}] * 2000,
            },
        ),
    ],
)
def test_a_structure_that_cannot_be_is_one_clear_line(folded: Path, tmp_path: Path, key: str, value: object) -> None:
    import numpy as np

    from dtui.store.disk.sealed_builder import write_small_file
    from dtui.store.disk.sealed_file import SealedFile

    path = tmp_path / "run.dtui"
    shutil.copytree(folded, path)
    file = SealedFile(path / "structure.h5")
    byte = np.dtype("|u1")
    size = file.length("/document", byte, 1 << 20)
    document = json.loads(file.read("/document", byte, (size,), (slice(None),)).tobytes())
    file.close()
    document[key] = value
    data = np.frombuffer(json.dumps(document).encode(), np.uint8)
    write_small_file(path / "structure.h5", {"/document": data})
    with pytest.raises(DtuiError, match=r"structure\.h5: does not describe a network"):
        RunReader(path)


def test_names_that_are_not_ours_are_ignored(folded: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(folded, path)
    for name in ("records-0000000000-9999999999.h5x", "records-00-01.h5", "evil-0000000000-0000000001.h5", "..h5"):
        (path / "parts" / name).write_bytes(b"\x89HDF")
    (path / "journal" / "records-000000000x.dtj").write_bytes(b"x")
    reader = RunReader(path)
    assert len(reader.record_iterations) == 36
    assert reader.faults == ()
    reader.close()


def test_a_part_that_promises_more_than_it_has_bytes_is_left_out(folded: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(folded, path)
    (path / PART).rename(path / "parts" / "records-0000000000-9999999999.h5")
    reader = RunReader(path)
    assert any("more than it has bytes" in fault for fault in reader.faults)
    reader.close()


def test_a_pipe_in_place_of_a_file_does_not_hang(folded: Path, tmp_path: Path) -> None:
    import os

    path = tmp_path / "run.dtui"
    shutil.copytree(folded, path)
    for name in (PART, "journal/records-0000000032.dtj", "triage.jsonl"):
        (path / name).unlink(missing_ok=True)
        os.mkfifo(path / name)
    code = (
        f"from tests.store.disk.test_hostile import read_all; from pathlib import Path; read_all(Path({str(path)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_journal_of_false_frames_is_given_up(folded: Path, tmp_path: Path) -> None:
    """Each header is right and promises the whole rest of the file: checking them all would take for ever."""
    from dtui.store.disk.journal import JournalScanner, encode_header
    from dtui.store.format.schema import Stream

    header = encode_header(2, Stream.RECORDS, 7, 4 << 20, 0, 0, 1)
    path = tmp_path / "records-0000000000.dtj"
    path.write_bytes(header * 100_000 + bytes(4 << 20))
    scanner = JournalScanner(path, Stream.RECORDS, 7, 1000)
    scanner.scan()
    assert scanner.frames == []
    assert scanner._is_given_up
