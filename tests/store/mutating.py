"""Damages copies of a run at random, and holds what is read from them against the truth."""

from __future__ import annotations

import faulthandler
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtui.errors import DtuiError
from dtui.model import FILTER_STATISTICS, NO_VALUE, SOURCES, Gap
from dtui.store import RunReader, check_run
from dtui.store.hdf5 import tables
from dtui.store.sealed_builder import chunk_starts
from dtui.store.verdict import FileState
from tests.store.conftest import Recording
from tests.store.test_watches import TRIGGER, append_watches

GAP = Gap(5, 7, "records", "disk full")
MOST_SECONDS = 120
"""For one mutated run; more is a hang, and ends the process."""


@dataclass(frozen=True)
class Mutation:
    """What was done to which file, and whether the check has to name it."""

    what: str
    file: Path
    is_named: bool


@dataclass
class Truth:
    """What an undamaged run answers, by iteration."""

    records: dict[int, dict[str, np.ndarray]]
    validations: dict[int, dict[str, np.ndarray]]


def prepare(path: Path) -> tuple[Path, Truth]:
    """Make a run with parts, journals, watches, gaps, triggers and decisions; return it and its truth."""
    recording = Recording(path)
    recording.append(40, 36)
    watched = [n for n in range(101, 180) if n % 10]
    append_watches(recording, watched[:40])
    recording.compact()
    recording.append(6, 6)
    append_watches(recording, watched[40:])
    recording.writer.append_gap(GAP)
    recording.writer.append_trigger(TRIGGER)
    recording.writer.close()
    reader = recording.reader()
    reader.append_decision("a", "flagged", "")
    truth = Truth(*answers(reader))
    recording.close()
    return recording.path, truth


def copy(good: Path, path: Path) -> None:
    """Copy a run by links to its files: what is not damaged is not read twice to check its seal."""
    if good.is_dir():
        shutil.copytree(good, path, copy_function=os.link)
    else:
        os.link(good, path)


def answers(reader: RunReader) -> tuple[dict[int, dict[str, np.ndarray]], dict[int, dict[str, np.ndarray]]]:
    """Ask a reader everything."""
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
    return by_iteration(reader.record_iterations, records), by_iteration(reader.validation_iterations, validations)


def by_iteration(iterations: np.ndarray, values: dict[str, np.ndarray]) -> dict[int, dict[str, np.ndarray]]:
    return {
        int(iteration): {name: array[..., at] for name, array in values.items()}
        for at, iteration in enumerate(iterations)
    }


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
    data = damaged_chunk(file, rng) if kind == "chunk" else damaged(before, kind, rng, others)
    if kind == "remove" and file != path:
        file.unlink()
    elif kind == "swap" and file != path:
        other = rng.choice(files)
        file.rename(path / "aside")
        if other.exists():
            other.rename(file)
        (path / "aside").rename(other)
    elif kind == "twice" and file != path:
        name = file.name.replace("0000000032", "0000000064").replace("0000000000", "0000000032")
        if name != file.name:
            (file.parent / name).unlink(missing_ok=True)
            shutil.copy(file, file.parent / name)
    else:
        file.unlink()
        file.write_bytes(data)
    is_named = kind in ("flip", "chunk", "zero", "noise", "seal", "mix") and data != before and file.suffix != ".jsonl"
    return Mutation(f"{kind} {file}", file, is_named)


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
    what = mutation.what
    faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
    try:
        assert_named(path, mutation)
        return assert_true(path, truth, what)
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


def assert_true(path: Path, truth: Truth, what: str) -> bool:
    try:
        reader = RunReader(path)
    except DtuiError:
        return False
    try:
        for found, expected in zip(answers(reader), (truth.records, truth.validations), strict=True):
            assert set(found) <= set(expected), what
            for iteration, values in found.items():
                for name, value in values.items():
                    truth_there = expected[iteration][name]
                    assert_true_or_nothing(value, truth_there, f"{what}: {name} at {iteration}")
                    assert reader.faults or not np.any(is_nothing(value) & ~is_nothing(truth_there)), what
        if len(reader.record_iterations) < len(truth.records):
            assert reader.faults, what
        if len(reader.validation_iterations) < len(truth.validations):
            assert reader.faults, what
        assert set(reader.gaps) <= {GAP}, what
        assert set(reader.triggers) <= {TRIGGER}, what
        assert set(reader.decisions().values()) <= {("flagged", "")}, what
    finally:
        reader.close()
    return True


def is_nothing(values: np.ndarray) -> np.ndarray:
    return np.isnan(values) if values.dtype.kind == "f" else values == NO_VALUE


def assert_true_or_nothing(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert found.dtype == expected.dtype, what
    assert found.shape == expected.shape, what
    np.testing.assert_array_equal(found, np.where(is_nothing(found), found, expected), err_msg=what)
