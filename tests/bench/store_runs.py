"""How fast a run is read, beside a memory-mapped read of the same values from a plain .npy file."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from dtui.store import RunReader, compact_run
from dtui.synth import PRESETS, synthesise
from tests.bench.registry import Measurement, benchmark

ROUNDS = 9
FLOOR = "memory-mapped array"
EVERY = slice(None)
GENERATION = 2
"""Raised when invented numbers or the layout of parts change, so that no kept run is measured that is out of date."""


@cache
def invented(preset: str) -> Path:
    """Return an invented run, made once and kept under DTUI_BENCH_RUNS (default: the temporary folder)."""
    folder = Path(os.environ.get("DTUI_BENCH_RUNS", tempfile.gettempdir())) / "dtui-bench"
    path = folder / f"{preset}-{GENERATION}.dtui"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = synthesise(folder / f"making-{preset}-{os.getpid()}", preset)
        while compact_run(made).is_busy or any((made / "journal").iterdir()):
            time.sleep(1)  # until what the last part replaced is removed, which takes a grace period
        made.rename(path)
    return path


def widest_layer(reader: RunReader) -> slice:
    """Return the filter rows of the first layer of 2,048 filters."""
    return next(layer.filter_rows for layer in reader.structure.layers if layer.filters == 2048)


def drop_from_cache(paths: list[Path]) -> None:
    """Have the kernel forget what it holds of files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def milliseconds(read: Callable[[], object]) -> float:
    start = time.perf_counter()
    read()
    return 1e3 * (time.perf_counter() - start)


def compare(
    name: str, preset: str, read: Callable[[RunReader], np.ndarray], *, cold: bool, floor_index: object = ...
) -> list[Measurement]:
    """Measure a read by an open run and the same values by a memory map, alternating; medians."""
    path = invented(preset)
    ours, floor = [], []
    with tempfile.TemporaryDirectory() as folder:
        reader = RunReader(path)
        values = read(reader)
        plain = Path(folder) / "values.npy"
        np.save(plain, values)
        for _ in range(ROUNDS):
            if cold:
                reader.close()
                drop_from_cache([*path.rglob("*.h5"), plain])
                reader = RunReader(path)
            ours.append(milliseconds(lambda reader=reader: read(reader)))
            floor.append(milliseconds(lambda: np.array(np.load(plain, mmap_mode="r"))))
        reader.close()
    mine, other = statistics.median(ours), statistics.median(floor)
    return [Measurement(name, mine, FLOOR, other, "ms", mine / other)]


def heatmap(reader: RunReader) -> np.ndarray:
    return reader.read_filters("cosine_distance", widest_layer(reader), EVERY)


@benchmark
def heatmap_cold() -> list[Measurement]:
    """2,048 filters × 1,000 records, files not in memory (goal: 30 ms)."""
    return compare("heatmap_cold", "paper", heatmap, cold=True)


@benchmark
def heatmap_warm() -> list[Measurement]:
    """2,048 filters × 1,000 records, files in memory (goal: 10 ms)."""
    return compare("heatmap_warm", "paper", heatmap, cold=False)


@benchmark
def filter_cold() -> list[Measurement]:
    """One filter × 1,000 records, files not in memory (goal: 10 ms)."""
    return compare(
        "filter_cold", "paper", lambda r: r.read_filters("norm", slice(9000, 9001), EVERY), cold=True
    ) + compare("filter_warm", "paper", lambda r: r.read_filters("norm", slice(9000, 9001), EVERY), cold=False)


@benchmark
def record_cold() -> list[Measurement]:
    """One statistic of all 27,560 filters at one record, files not in memory (goal: 30 ms)."""
    return compare(
        "record_cold", "paper", lambda r: r.read_filters("norm", EVERY, slice(500, 501)), cold=True
    ) + compare("record_warm", "paper", lambda r: r.read_filters("norm", EVERY, slice(500, 501)), cold=False)


@benchmark
def layer_cold() -> list[Measurement]:
    """One statistic of all 54 layers × 1,000 records, files not in memory (goal: 15 ms)."""
    return compare("layer_cold", "paper", lambda r: r.read_layers("weights", "std", EVERY), cold=True) + compare(
        "layer_warm", "paper", lambda r: r.read_layers("weights", "std", EVERY), cold=False
    )


@benchmark
def class_cold() -> list[Measurement]:
    """The 50 images of one class × 1,000 validations, files not in memory (goal: 15 ms)."""
    return (
        compare("class_cold", "paper", lambda r: r.read_labels(slice(5000, 5050), EVERY), cold=True)
        + compare("class_warm", "paper", lambda r: r.read_labels(slice(5000, 5050), EVERY), cold=False)
        + compare("class_errors_cold", "paper", lambda r: r.read_class_errors(EVERY), cold=True)
    )


@benchmark
def open_run() -> list[Measurement]:
    """From nothing to the first answer, files not in memory (goal: 150 ms)."""
    path = invented("paper")
    ours, floor = [], []
    file = path / "structure.h5"
    for _ in range(ROUNDS):
        drop_from_cache(list(path.rglob("*.h5")))
        start = time.perf_counter()
        reader = RunReader(path)
        reader.read_layers("weights", "std", EVERY)
        ours.append(1e3 * (time.perf_counter() - start))
        reader.close()
        floor.append(milliseconds(file.read_bytes))
    mine, other = statistics.median(ours), statistics.median(floor)
    return [Measurement("open_run", mine, "reading structure.h5", other, "ms", mine / other)]


@benchmark
def heatmap_tenfold_cold() -> list[Measurement]:
    """2,048 filters × 10,000 records, files not in memory (goal: 60 ms)."""
    return compare("heatmap_tenfold_cold", "tenfold", heatmap, cold=True)


@benchmark
def bytes_per_record() -> list[Measurement]:
    """Bytes of a compacted record at paper scale, beside the same numbers uncompressed (goal: 300 kB)."""
    path = invented("paper")
    records = PRESETS["paper"].records
    size = sum(part.stat().st_size for part in (path / "parts").glob("records-*")) / records / 1e3
    raw = (13 * 27_560 + 3 * 12 * (54 + 25) + 54 * (64 + 7)) * 4 / 1e3
    return [Measurement("bytes_per_record", size, "uncompressed", raw, "kB", size / raw)]


@benchmark
def read_memory() -> list[Measurement]:
    """Peak memory of a process that opens a run and reads a heatmap, beside one that only imports (goal: 200 MB)."""
    script = (
        "import sys; from dtui.store import RunReader; import dtui.store.reader\n"
        "if len(sys.argv) > 1:\n"
        "    r = RunReader(sys.argv[1]); e = slice(None)\n"
        "    r.read_filters('cosine_distance', slice(19000, 21048), e); r.read_labels(slice(0, 50), e)\n"
        "    r.read_filters('norm', e, slice(500, 501)); r.read_class_errors(e); r.read_layers('weights', 'std', e)\n"
        "print([int(l.split()[1]) / 1e3 for l in open('/proc/self/status') if l.startswith('VmHWM')][0])"
    )
    peaks = [
        float(subprocess.run([sys.executable, "-c", script, *some], capture_output=True, text=True, check=True).stdout)
        for some in ([str(invented("paper"))], [])
    ]
    return [Measurement("read_memory", peaks[0], "imports alone", peaks[1], "MB", peaks[0] / peaks[1])]
