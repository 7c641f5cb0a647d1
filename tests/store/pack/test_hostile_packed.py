"""Packed runs from outside under every command: nothing runs, nothing outside is read, memory is bounded."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import DtuiError
from dtui.store import RunReader, check_run, pack_run
from dtui.store.check.result import FileState
from dtui.store.disk.seal import Seal, append_seal
from dtui.store.disk.sealed_builder import write_small_file
from tests.store.conftest import Recording
from tests.store.foreign import FOREIGN, write_foreign
from tests.store.hostile import tables, unseal
from tests.store.hostile_folders import SECRET
from tests.store.hostile_packed import (
    ATTRIBUTES,
    GROUPS,
    INSTEAD,
    NODES,
    SEALS,
    WHOLE,
    Attack,
    bombs,
    make_hostile,
    pickled_rows,
    replaced,
)
from tests.store.mutating import answers, prepare
from tests.store.surviving import Survival, survive

MOST_MEMORY = 700 << 20
SCREENS = 4
"""Of so many attacks on a whole run one is looked at on the screens, too."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed run with every stream."""
    folder = tmp_path_factory.mktemp("good")
    made, _ = prepare(folder / "run", 0)
    pack_run(made, folder / "run.h5")
    return folder / "run.h5"


@pytest.fixture
def packed(good: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy in a folder with secrets beside it; whatever is done to it, no pickle in it may run."""
    folder = tmp_path / "in"
    folder.mkdir()
    secret = f'{{"run": "{SECRET}"}}'.ljust(64)
    (folder / "secret.txt").write_text(secret)
    write_small_file(folder / "secret.h5", {"/document": np.frombuffer(secret.encode(), np.uint8)})
    yield Path(shutil.copy(good, folder / "run.h5"))
    assert not (tmp_path / "it-ran").exists()


def survived(path: Path, *, has_screen: bool = False) -> Survival:
    """Let every command loose on a packed run; the screens, which take longest, where that is asked for."""
    survival = survive(path, has_screen=has_screen)
    assert not any(SECRET in text for text in survival.texts.values())
    assert survival.memory < MOST_MEMORY
    for name, text in survival.texts.items():
        told = [line for line in text.splitlines() if line.startswith("dtui: ")]
        assert len(told) <= 1, f"{name}: {text}"
    return survival


def test_the_commands_work_on_what_is_not_hostile(packed: Path) -> None:
    """Else all that follows would prove nothing."""
    texts = survived(packed, has_screen=True).texts
    assert "fine" in texts["check RUN"]
    assert "46" in texts["info RUN"]
    assert "filters" in texts["screen"].lower()
    assert "a packed run" in texts["pack RUN"]


@pytest.mark.parametrize("name", WHOLE)
def test_a_hostile_packed_run_harms_nobody(packed: Path, tmp_path: Path, name: str) -> None:
    make_hostile(packed, WHOLE[name], tmp_path / "it-ran")
    survived(packed, has_screen=list(WHOLE).index(name) % SCREENS == 0)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_as_a_packed_run_reads_nothing_outside(packed: Path, name: str) -> None:
    write_foreign(name, packed)
    append_seal(packed, [], Seal.PACKED)
    assert "not fine" in survived(packed).texts["check RUN"]


def test_a_file_that_cannot_be_read_is_not_called_fine(tmp_path: Path) -> None:
    """Its seal may be right, and it has no more than that of a packed run."""
    path = tmp_path / "run.h5"
    path.write_bytes(b"nothing that HDF5 knows".ljust(4096))
    append_seal(path, [], Seal.PACKED)
    (file,) = check_run(path).files
    assert file.state is FileState.DAMAGED
    assert "cannot be read" in file.detail or "no HDF5 file" in file.detail, file.detail


@pytest.mark.parametrize("name", SEALS)
def test_what_is_not_sealed_at_its_end_is_no_packed_run(packed: Path, name: str) -> None:
    SEALS[name](packed)
    assert "run.h5: " in survived(packed).texts["info RUN"]


def read_all(path: Path) -> None:
    """Read everything that there is to read; an error must be one of ours."""
    check_run(path)
    with contextlib.suppress(DtuiError):
        reader = RunReader(path)
        try:
            answers(reader)
        finally:
            reader.close()


@pytest.mark.parametrize("names", ATTRIBUTES, ids="-".join)
@pytest.mark.parametrize("where", [*GROUPS, *NODES])
def test_no_attribute_is_unpickled(packed: Path, tmp_path: Path, where: str, names: tuple[str, ...]) -> None:
    make_hostile(packed, bombs(where, names), tmp_path / "it-ran")
    read_all(packed)


@pytest.mark.parametrize("what", ["pickled rows", *INSTEAD])
@pytest.mark.parametrize("where", NODES)
def test_nothing_else_in_place_of_an_array_is_read(packed: Path, tmp_path: Path, where: str, what: str) -> None:
    attack: Attack = pickled_rows(where) if what == "pickled rows" else replaced(where, INSTEAD[what])
    make_hostile(packed, attack, tmp_path / "it-ran")
    read_all(packed)
    is_optional = where in ("/images/thumbnails", "/images/targets") or what == "a long document"
    assert is_optional or not check_run(packed).is_fine


def test_a_mangled_structure_under_a_right_seal_is_no_traceback(packed: Path) -> None:
    """It must be an error of ours, or no value."""
    _, body, count = struct.unpack_from("<8sQQ", packed.read_bytes()[-40:])
    data = packed.read_bytes()
    ranges = [struct.unpack_from("<QQ", data, body + 16 * at) for at in range(count)]
    inside = np.zeros(body, bool)
    for offset, size in ranges:
        inside[offset : offset + size] = True
    structure, random = np.flatnonzero(~inside & (np.frombuffer(data[:body], np.uint8) > 0)), np.random.default_rng(0)
    for attempt in range(80):
        mangled = bytearray(data[:body])
        for at in random.choice(structure, random.choice([1, 3, 10])):
            mangled[at] = random.choice([0, 255, random.integers(256)])
        path = packed.with_name(f"mangled-{attempt}.h5")
        path.write_bytes(mangled)
        append_seal(path, [], Seal.PACKED)
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            try:
                read_all(path)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        _, ending = os.waitpid(child, 0)
        assert ending == 0, attempt
        path.unlink()


@pytest.mark.parametrize("where", ["/records/filters/std", "/document"])
def test_the_attacks_are_real(packed: Path, tmp_path: Path, where: str) -> None:
    """Without the guards PyTables does run the pickles."""
    for attack, use in ((bombs(where, ("anything",)), "_v_attrs.anything"), (pickled_rows(where), "read()")):
        path, marker = Path(shutil.copy(packed, tmp_path / "bad.h5")), tmp_path / "ran-by-pytables"
        make_hostile(path, attack, marker)
        code = f"import tables; file = tables.open_file({str(path)!r}); file.get_node({where!r}).{use}"
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, capture_output=True)
        assert marker.exists()
        marker.unlink()


# --- one kind of file in the place of the other


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Recording(tmp_path / "folder" / "run")
    made.append(36)
    made.compact()
    made.close()
    return made.path


PART = "parts/records-0000000000-0000000032.h5"


@pytest.mark.parametrize("place", [PART, "structure.h5", "images.h5", "parts/records-0000000036-0000000040.h5"])
def test_a_packed_run_in_a_folder_is_no_part_of_it(packed: Path, folder: Path, place: str) -> None:
    shutil.copy(packed, folder / place)
    texts = survived(folder).texts
    assert "not fine" in texts["check RUN"]
    assert place.rpartition("/")[2] in texts["check RUN"]


@pytest.mark.parametrize("place", [PART, "structure.h5", "images.h5"])
def test_a_file_of_a_folder_sealed_as_a_packed_run_is_none(folder: Path, place: str) -> None:
    path = folder.parent / "alone.h5"
    shutil.copy(folder / place, path)
    unseal(path)
    append_seal(path, [], Seal.PACKED)
    assert "does not describe a packed run" in survived(path).texts["info RUN"]


def test_the_frames_of_one_stream_are_not_those_of_another(packed: Path) -> None:
    """A group that claims the frames of another, byte for byte."""
    unseal(packed)
    with tables.open_file(str(packed), "a") as file:
        file.remove_node("/watches", recursive=True)
        file.copy_node("/records", "/", "watches", recursive=True)
    append_seal(packed, [], Seal.PACKED)
    assert "not what its name and place say" in survived(packed).texts["info RUN"]
