"""Damages copies of a run at random, and holds what is read from them against the truth.

`python -m tests.store.mutating SEED ATTEMPT…` does the same damage again.
"""

from __future__ import annotations

import faulthandler
import os
import random
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import DtuiError, RunFormatError
from dtui.model import FILTER_STATISTICS, NO_VALUE, SOURCES, Gap
from dtui.store import RunReader, check_run
from dtui.store.check.result import FileState
from dtui.store.disk.hdf5 import tables
from dtui.store.disk.sealed_builder import chunk_starts
from dtui.store.format.schema import RUN_FILE, STRUCTURE_FILE
from dtui.store.pack.request import pack_run
from tests.store.conftest import Recording
from tests.store.read.test_watches import TRIGGER, append_watches
from tests.store.tally import Tally

HOMES = (("records-", "watches-"), ("validations-", "images.h5"))
"""How the names of the files begin that hold what is answered along each axis."""
GAP = Gap(5, 7, "records", "disk full")
MOST_SECONDS = 120
"""For one mutated run; more is a hang, and ends the process."""


@dataclass(frozen=True)
class Mutation:
    """What was done to which file.

    Attributes:
        what: Kind and file.
        file: The file.
        touched: Names of all files that are not as they were.
        is_named: Whether the check has to name it.
    """

    what: str
    file: Path
    touched: frozenset[str]
    is_named: bool


@dataclass(frozen=True, eq=False)
class Answers:
    """Everything that a reader answers along one axis.

    Attributes:
        iterations: Shape (n,), ascending.
        values: By name; the last axis of each is the iterations.
    """

    iterations: np.ndarray
    values: dict[str, np.ndarray]


Truth = tuple[Answers, Answers]
"""What an undamaged run answers along its records and its validations."""


def prepare(path: Path, number: int) -> tuple[Path, Truth]:
    """Make a run with parts, journals, watches, gaps, triggers and decisions; return it and its truth.

    Args:
        path: Where.
        number: Becomes its id, so that the same damage is done to the same bytes when it is repeated.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=number))
        recording = Recording(path)
    recording.append(40, 36)
    watched = [n for n in range(101, 180) if n % 10]
    append_watches(recording, watched[:40])
    recording.compact()
    recording.append(6, 6)
    append_watches(recording, watched[40:44])
    recording.writer.append_gap(GAP)
    recording.writer.append_trigger(TRIGGER)
    recording.writer.close()
    reader = recording.reader()
    reader.append_decisions([("a", "flagged", "")])
    truth = answers(reader)
    recording.close()
    return recording.path, truth


def copy(good: Path, path: Path) -> None:
    """Copy a run by links to its files: what is not damaged is not read twice to check its seal."""
    if good.is_dir():
        shutil.copytree(good, path, copy_function=os.link)
    else:
        os.link(good, path)


def answers(reader: RunReader) -> tuple[Answers, Answers]:
    """Ask a reader everything, along its records and its validations."""
    every = slice(None)
    records = {f"filters {name}": reader.read_filters(name, every, every) for name in FILTER_STATISTICS}
    for source in SOURCES:
        records[f"layers {source}"] = reader.read_layers(source, "q1", every)
        records[f"modules {source}"] = reader.read_modules(source, "sum", every)
    records["scalars"] = np.stack([reader.read_scalar(name, every) for name in ("loss", "late [bold]")])
    for layer in range(3):
        records[f"ratios {layer}"] = reader.read_change_ratios(layer, every)
        records[f"histogram {layer}"] = reader.read_histograms(layer, every)
    validations = {
        "labels": reader.read_labels(every, every),
        "confidences": reader.read_confidences(every, every),
        "errors": reader.read_class_errors(every),
    }
    return Answers(reader.record_iterations, records), Answers(reader.validation_iterations, validations)


KINDS = ("flip", "flip", "truncate", "zero", "noise", "remove", "swap", "grow", "mix", "seal", "twice", "text")
KINDS += ("chunk", "chunk")


def mutate(path: Path, rng: random.Random, foreign: Path) -> Mutation:
    """Damage one file of a run, or one packed run.

    Args:
        path: The run, made by `copy`.
        rng: Chooses.
        foreign: Another run.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    files = [file for file in files if file.is_file() and file.name != "heartbeat"]
    others = [file for file in foreign.rglob("*") if file.is_file()] + files
    file = rng.choice(files)
    before = file.read_bytes()
    kind = rng.choice(KINDS)
    if kind == "chunk" and file.suffix != ".h5":
        kind = "flip"
    touched = {file.name}
    data = damaged_chunk(file, rng) if kind == "chunk" else damaged(before, kind, rng, others)
    if kind == "remove" and file != path:
        file.unlink()
    elif kind == "swap" and file != path:
        other = rng.choice(files)
        touched.add(other.name)
        file.rename(path / "aside")
        if other.exists():
            other.rename(file)
        (path / "aside").rename(other)
    elif kind == "twice" and file != path:
        name = file.name.replace("0000000032", "0000000064").replace("0000000000", "0000000032")
        if name != file.name:
            touched.add(name)
            (file.parent / name).unlink(missing_ok=True)
            shutil.copy(file, file.parent / name)
    else:
        file.unlink()
        file.write_bytes(data)
    is_named = kind in ("flip", "chunk", "zero", "noise", "seal", "mix") and data != before and file.suffix != ".jsonl"
    return Mutation(f"{kind} {file}", file, frozenset(touched), is_named)


def damaged_chunk(path: Path, rng: random.Random) -> bytes:
    """Return the bytes of an HDF5 file with one byte changed in the data of an array: the damage that goes unseen."""
    with tables.open_file(str(path), "r") as file:
        array = rng.choice(list(file.walk_nodes("/", "CArray")))
        start = rng.choice(list(chunk_starts(array.shape, array.chunkshape)))
        info = array.chunk_info(start)
    data = bytearray(path.read_bytes())
    data[info.offset + rng.randrange(info.size)] ^= 1 << rng.randrange(8)
    return bytes(data)


def damaged(before: bytes, kind: str, rng: random.Random, others: list[Path]) -> bytes:
    """Return the bytes of a file after some damage; unchanged for what happens to whole files."""
    data = bytearray(before)
    at = rng.randrange(max(1, len(data)))
    if kind == "flip":
        for _ in range(rng.choice([1, 1, 5])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "truncate":
        del data[at:]
    elif kind == "zero":
        length = min(rng.choice([16, 512, 4096]), len(data) - at)
        data[at : at + length] = bytes(length)
    elif kind == "noise":
        length = min(64, len(data) - at)
        data[at : at + length] = rng.randbytes(length)
    elif kind == "seal":
        data[-rng.randrange(1, min(len(data), 120))] ^= 1 << rng.randrange(8)
    elif kind == "grow":
        data += rng.randbytes(100)
    elif kind == "mix":
        data = bytearray(rng.choice(others).read_bytes())
    elif kind == "text":
        old, new = rng.choice([(b"1", b"9"), (b'"', b"'"), (b"{", b"[" * 5000), (b":", b": -"), (b"e", b"")])
        data = bytearray(bytes(data).replace(old, new, rng.choice([1, 1, 1000])))
    return bytes(data)


def assert_nothing_wrong(path: Path, truth: Truth, mutation: Mutation) -> bool:
    """Read all of a damaged run; whatever is answered must be true or no value. Returns whether it opened."""
    faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
    try:
        assert_named(path, mutation)
        return assert_true(path, truth, mutation)
    finally:
        faulthandler.cancel_dump_traceback_later()


def assert_named(path: Path, mutation: Mutation) -> None:
    """The check must name what is damaged."""
    try:
        result = check_run(path)
    except DtuiError as error:
        told = str(error)
        assert str(path) in told, mutation.what
        return
    if mutation.is_named:
        assert not result.is_fine, mutation.what
        named = [str(file.path) for file in result.files if file.state is FileState.DAMAGED]
        lines = "\n".join([*named, *result.faults])
        is_moved = mutation.what.startswith("mix")  # what lies there may be right, and what was there is missing
        assert is_moved or mutation.file.name in lines, f"{mutation.what}: {lines}"


def assert_true(path: Path, truth: Truth, mutation: Mutation) -> bool:
    """Hold what is answered against the truth: it is true or no value, and what was not touched is all there."""
    what = mutation.what
    try:
        reader = RunReader(path)
    except RunFormatError:  # it says that it is newer; where that alone is damaged, its check tells
        assert RUN_FILE in mutation.touched, what
        return False
    except DtuiError:
        assert path.is_file() or STRUCTURE_FILE in mutation.touched, what
        return False
    try:
        for found, expected, homes in zip(answers(reader), truth, HOMES, strict=True):
            is_whole = path.is_dir() and not any(name.startswith((STRUCTURE_FILE, *homes)) for name in mutation.touched)
            assert_answers(found, expected, what, is_whole=is_whole, is_told=bool(reader.faults))
        assert set(reader.gaps) <= {GAP}, what
        assert set(reader.triggers) <= {TRIGGER}, what
        assert set(reader.decisions().values()) <= {("flagged", "")}, what
    finally:
        reader.close()
    return True


def assert_answers(found: Answers, expected: Answers, what: str, *, is_whole: bool, is_told: bool) -> None:
    """Compare answers along one axis with the truth.

    Args:
        found: The answers.
        expected: The truth.
        what: Was done.
        is_whole: Whether nothing of it may be lost.
        is_told: Whether there are faults; without them nothing may be lost either.
    """
    places = np.searchsorted(expected.iterations, found.iterations)
    places[places == len(expected.iterations)] = 0
    np.testing.assert_array_equal(expected.iterations[places], found.iterations, err_msg=what)
    for name, values in found.values.items() if places.size else ():  # without images labels have no rows either
        true = expected.values[name][..., places]
        assert_true_or_nothing(values, true, f"{what}: {name}")
        if is_whole or not is_told:
            assert not np.any(is_nothing(values) & ~is_nothing(true)), f"{what}: {name} has lost values"
    if is_whole or not is_told:
        assert len(places) == len(expected.iterations), f"{what}: {len(places)} of {len(expected.iterations)}"


def is_nothing(values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if values.dtype.kind == "f" else values == NO_VALUE


def assert_true_or_nothing(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert found.dtype == expected.dtype, what
    assert found.shape == expected.shape, what
    np.testing.assert_array_equal(found, np.where(is_nothing(found), found, expected), err_msg=what)


def mutate_runs(folder: Path, seed: int, attempts: Iterable[int]) -> Tally:
    """Damage copies of a run, one of eight of them packed, and judge each.

    Args:
        folder: Where.
        seed: Of all the damage.
        attempts: Each with the seed decides what is done to one copy.

    Returns:
        What was done, "to a folder" or "to a packed run", and what went wrong.
    """
    tally = Tally()
    (good, truth), (foreign, _) = (prepare(folder / name, number) for number, name in enumerate(("good", "foreign")))
    pack_run(good, folder / "packed.h5")
    for attempt in attempts:
        is_packed = attempt % 8 == 7
        path = folder / (f"{attempt}.h5" if is_packed else f"{attempt}.dtui")
        copy(folder / "packed.h5" if is_packed else good, path)
        with tally.verdict(f"python -m tests.store.mutating {seed} {attempt}"):
            tally.counts[f"to a {'packed run' if is_packed else 'folder'}"] += 1
            assert_nothing_wrong(path, truth, mutate(path, random.Random(f"{seed} {attempt}"), foreign))
        path.unlink() if is_packed else shutil.rmtree(path)
    return tally


def main() -> int:
    """Damage runs again as the command line says: a seed, and attempts."""
    seed, *attempts = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        tally = mutate_runs(Path(folder), seed, attempts)
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
