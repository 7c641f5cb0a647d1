"""Damages copies of a run at random, and holds what is read from them against the truth."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtui.errors import DtuiError
from dtui.model import FILTER_STATISTICS, SOURCES
from dtui.store import RunReader, check_run
from tests.store.conftest import Recording


@dataclass
class Truth:
    """What an undamaged run answers, by iteration."""

    records: dict[int, dict[str, np.ndarray]]
    validations: dict[int, dict[str, np.ndarray]]


def prepare(path: Path) -> tuple[Path, Truth]:
    """Make a run with parts, journals, gaps and decisions; return it and its truth."""
    recording = Recording(path)
    recording.append(40, 36)
    recording.compact()
    recording.append(6, 6)
    recording.writer.close()
    reader = recording.reader()
    reader.append_decision("a", "flagged", "")
    truth = Truth(*answers(reader))
    recording.close()
    return recording.path, truth


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
        records[f"histogram {layer}"] = attempt(lambda layer=layer: reader.read_histograms(layer, every))
    validations = {
        "labels": attempt(lambda: reader.read_labels(every, every)),
        "confidences": attempt(lambda: reader.read_confidences(every, every)),
        "errors": reader.read_class_errors(every),
    }
    return by_iteration(reader.record_iterations, records), by_iteration(reader.validation_iterations, validations)


def attempt(read: object) -> np.ndarray | None:
    """Return what is read, None where it is refused with a clear error."""
    try:
        return read()  # type: ignore[operator, no-any-return]
    except DtuiError:
        return None


def by_iteration(iterations: np.ndarray, values: dict[str, np.ndarray | None]) -> dict[int, dict[str, np.ndarray]]:
    return {
        int(iteration): {name: array[..., at] for name, array in values.items() if array is not None}
        for at, iteration in enumerate(iterations)
    }


def mutate(path: Path, rng: random.Random) -> str:
    """Damage one file of a run; returns what was done."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != "heartbeat")
    file = rng.choice(files)
    data = bytearray(file.read_bytes())
    kind = rng.choice(["flip", "flip", "flip", "truncate", "zero", "noise", "remove", "swap", "grow", "mix"])
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
    elif kind == "grow":
        data += rng.randbytes(100)
    elif kind == "mix":
        data = bytearray(rng.choice(files).read_bytes())
    if kind == "remove":
        file.unlink()
    elif kind == "swap":
        other = rng.choice(files)
        shutil.move(file, path / "aside")
        if other.exists():
            shutil.move(other, file)
        shutil.move(path / "aside", other)
    else:
        file.write_bytes(data)
    return f"{kind} {file.relative_to(path)} at {at} of {len(data)}"


def assert_nothing_wrong(path: Path, truth: Truth, what: str) -> bool:
    """Read all of a damaged run; whatever is answered must be true or no value. Returns whether it opened."""
    check_run(path)
    try:
        reader = RunReader(path)
    except DtuiError:
        return False
    try:
        for found, expected in zip(answers(reader), (truth.records, truth.validations), strict=True):
            assert set(found) <= set(expected), what
            for iteration, values in found.items():
                for name, value in values.items():
                    assert_true_or_nothing(value, expected[iteration][name], f"{what}: {name} at {iteration}")
        if len(reader.record_iterations) < len(truth.records):
            assert reader.faults, what
        assert set(reader.decisions().values()) <= {("flagged", "")}, what
    finally:
        reader.close()
    return True


def assert_true_or_nothing(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    if np.issubdtype(found.dtype, np.floating):
        assert found.shape == expected.shape, what
        expected = np.where(np.isnan(found), np.nan, expected)
    np.testing.assert_array_equal(found, expected, err_msg=what)
