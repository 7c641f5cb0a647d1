"""How fast a run is read, beside a memory-mapped read of the same values from a plain .npy file, and beside peers.

`…_cold` has the kernel forget the files first; `…_warm` asks again. The first row of a name is against the floor.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from dtui.model import HeatmapRequest, TimeAxis
from dtui.query import open_run as query_run
from dtui.store import RunReader, compact_run
from dtui.synth import PRESETS, synthesise
from tests.bench.peers import CHUNK, Peer, tensorboard_peer, zarr_peer
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


@contextmanager
def alone(run: Path) -> Iterator[Path]:
    """Lend an invented run in a folder of its own: the screen of runs reads all that lie beside it, and goes on if one
    grows. Its parts are not copied."""

    def link(source: str, target: str) -> None:
        (os.link if source.endswith(".h5") and "parts" in source else shutil.copyfile)(source, target)

    with tempfile.TemporaryDirectory(dir=run.parent.parent) as folder:
        yield Path(shutil.copytree(run, Path(folder) / run.name, copy_function=link))


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
    name: str,
    preset: str,
    read: Callable[[RunReader], np.ndarray],
    *,
    cold: bool,
    peers: Sequence[Peer] = (),
    rounds: int = ROUNDS,
) -> list[Measurement]:
    """Measure a read by an open run and the same values by a memory map and by peers, alternating; medians."""
    path = invented(preset)
    ours: list[float] = []
    others: dict[str, list[float]] = {FLOOR: [], **{peer.name: [] for peer in peers}}
    with tempfile.TemporaryDirectory() as folder:
        reader = RunReader(path)
        plain = Path(folder) / "values.npy"
        np.save(plain, read(reader))
        for _ in range(rounds):
            if cold:
                reader.close()
                drop_from_cache([*path.rglob("*.h5"), plain, *[file for peer in peers for file in peer.files()]])
                reader = RunReader(path)
            ours.append(milliseconds(lambda reader=reader: read(reader)))
            others[FLOOR].append(milliseconds(lambda: np.array(np.load(plain, mmap_mode="r"))))
            for peer in peers:
                others[peer.name].append(milliseconds(peer.open()))
        reader.close()
    mine = statistics.median(ours)
    return [
        Measurement(name, mine, other, statistics.median(times), "ms", mine / statistics.median(times))
        for other, times in others.items()
    ]


def both(name: str, preset: str, read: Callable[[RunReader], np.ndarray], peers: Sequence[Peer]) -> list[Measurement]:
    """Measure a read cold and warm; `name` has neither in it."""
    cold = compare(f"{name}_cold", preset, read, cold=True, peers=peers)
    return cold + compare(f"{name}_warm", preset, read, cold=False, peers=peers)


def in_zarr(
    what: str, preset: str, read: Callable[[RunReader, slice], np.ndarray], rows: slice, index: object
) -> list[Peer]:
    """Return rows of one array of an invented run in zarr 3; `index` is what is read of those rows."""
    path = invented(preset)

    def blocks() -> Iterator[np.ndarray]:
        reader = RunReader(path)
        for start in range(rows.start, rows.stop, 2048):
            yield read(reader, slice(start, min(start + 2048, rows.stop)))
        reader.close()

    return zarr_peer(path.with_name(f"{path.stem}-{what}.zarr"), blocks, rows.stop - rows.start, index, CHUNK)


def of_filters(statistic: str) -> Callable[[RunReader, slice], np.ndarray]:
    return lambda reader, rows: reader.read_filters(statistic, rows, EVERY)


def widest_rows(preset: str) -> slice:
    reader = RunReader(invented(preset))
    rows = widest_layer(reader)
    reader.close()
    return rows


def heatmap(reader: RunReader) -> np.ndarray:
    return reader.read_filters("cosine_distance", widest_layer(reader), EVERY)


def heatmap_peers(preset: str) -> list[Peer]:
    """A layer's filters by themselves, which is the least that zarr can be asked for; TensorBoard has no filters."""
    return in_zarr("heatmap", preset, of_filters("cosine_distance"), widest_rows(preset), EVERY)


@benchmark
def heatmap_cold() -> list[Measurement]:
    """2,048 filters × 1,000 records, files not in memory (goal: 30 ms)."""
    return compare("heatmap_cold", "paper", heatmap, cold=True, peers=heatmap_peers("paper"))


@benchmark
def heatmap_warm() -> list[Measurement]:
    """2,048 filters × 1,000 records, files in memory (goal: 10 ms)."""
    return compare("heatmap_warm", "paper", heatmap, cold=False, peers=heatmap_peers("paper"))


@benchmark
def heatmap_tenfold_cold() -> list[Measurement]:
    """2,048 filters × 10,000 records through the coarse level, files not in memory (goal: 60 ms); zarr has none."""
    return compare("heatmap_tenfold_cold", "tenfold", coarse_heatmap, cold=True, peers=heatmap_peers("tenfold"))


@benchmark
def heatmap_tenfold_warm() -> list[Measurement]:
    """2,048 filters × 10,000 records through the coarse level, files in memory (goal: 20 ms); zarr has none."""
    return compare("heatmap_tenfold_warm", "tenfold", coarse_heatmap, cold=False, peers=heatmap_peers("tenfold"))


@benchmark
def heatmap_tenfold_full() -> list[Measurement]:
    """The same without the coarse level: 2,048 filters × 10,000 records at full resolution, cold and warm."""
    return both("heatmap_tenfold_full", "tenfold", heatmap, heatmap_peers("tenfold"))


def coarse_heatmap(reader: RunReader) -> np.ndarray:
    return reader.read_filter_bins("cosine_distance", widest_layer(reader), EVERY)


@benchmark
def heatmap_answer() -> list[Measurement]:
    """What a person waits for: RunQuery.heatmap of 2,048 filters × all records on 110 columns, first and again."""
    rows = []
    for preset in ("paper", "tenfold"):
        path, first, cold, again = invented(preset), [], [], []
        for is_cold in (True, False) * ROUNDS:
            if is_cold:
                drop_from_cache(list(path.rglob("*.h5")))
            with query_run(path) as query:
                node = next(node for node in query.tree() if node.layer is not None and node.filters == 2048)
                axis = TimeAxis(*query.limits(), 110)
                request = HeatmapRequest(node.index, "cosine_distance", axis, 0, 2048, 60)
                (cold if is_cold else first).append(milliseconds(lambda q=query, r=request: q.heatmap(r)))
                again.append(milliseconds(lambda q=query, r=request: q.heatmap(r)))
        asked_again = statistics.median(again)
        for name, times in (("cold", cold), ("warm", first)):
            taken = statistics.median(times)
            rows.append(
                Measurement(
                    f"heatmap_answer_{preset}_{name}", taken, "asked again", asked_again, "ms", taken / asked_again
                )
            )
    return rows


@benchmark
def filter_cold() -> list[Measurement]:
    """One filter × 1,000 records, files out of memory and in it (goal: 10 and 2 ms); a norm reads two statistics."""
    row = slice(9000, 9001)
    peers = in_zarr("update_norm", "paper", of_filters("update_norm"), slice(0, 27_560), row)
    return both("filter", "paper", lambda r: r.read_filters("update_norm", row, EVERY), peers) + both(
        "filter_norm", "paper", lambda r: r.read_filters("norm", row, EVERY), ()
    )


@benchmark
def record_cold() -> list[Measurement]:
    """One statistic of all 27,560 filters at one record, files not in memory and in memory (goal: 30 and 10 ms)."""
    at = slice(500, 501)
    peers = in_zarr("update_norm", "paper", of_filters("update_norm"), slice(0, 27_560), (EVERY, at))
    return both("record", "paper", lambda r: r.read_filters("update_norm", EVERY, at), peers) + both(
        "record_norm", "paper", lambda r: r.read_filters("norm", EVERY, at), ()
    )


@benchmark
def top_filters() -> list[Measurement]:
    """The ten filters that changed most at one record, of the network and of each layer, cold and warm."""

    def top(reader: RunReader) -> np.ndarray:
        change = np.nan_to_num(reader.read_filters("update_ratio", EVERY, slice(500, 501))[:, 0])
        rows = [slice(0, len(change)), *[layer.filter_rows for layer in reader.structure.layers]]
        return np.concatenate([row.start + np.argpartition(-change[row], 9)[:10] for row in rows])

    return both("top_filters", "paper", top, ())


@benchmark
def layer_cold() -> list[Measurement]:
    """One statistic of all 54 layers × 1,000 records, files not in memory and in memory (goal: 15 and 2 ms)."""
    path = invented("paper")

    def std(reader: RunReader, rows: slice = EVERY) -> np.ndarray:
        return reader.read_layers("weights", "std", EVERY)[rows]

    def values() -> np.ndarray:
        reader = RunReader(path)
        found = std(reader)
        reader.close()
        return found

    peers = in_zarr("layers", "paper", std, slice(0, 54), EVERY)
    peers += tensorboard_peer(path.with_name(f"{path.stem}-layers.events"), values)
    return both("layer", "paper", std, peers)


@benchmark
def class_cold() -> list[Measurement]:
    """The 50 images of one class × 1,000 validations, files not in memory and in memory (goal: 15 and 3 ms)."""
    images = slice(5000, 5050)
    peers = in_zarr("labels", "paper", lambda r, rows: r.read_labels(rows, EVERY), slice(0, 50_000), images)
    return both("class", "paper", lambda r: r.read_labels(images, EVERY), peers) + both(
        "class_errors", "paper", lambda r: r.read_class_errors(EVERY), ()
    )


@benchmark
def open_run() -> list[Measurement]:
    """From nothing to the first answer, files not in memory (goal: 150 ms)."""
    path = invented("paper")
    file = path / "structure.h5"

    def std(reader: RunReader, rows: slice = EVERY) -> np.ndarray:
        return reader.read_layers("weights", "std", EVERY)[rows]

    peers = in_zarr("layers", "paper", std, slice(0, 54), EVERY)
    peers += tensorboard_peer(path.with_name(f"{path.stem}-layers.events"), lambda: std(RunReader(path)))
    ours: list[float] = []
    others: dict[str, list[float]] = {"reading structure.h5": [], **{peer.name: [] for peer in peers}}
    for _ in range(ROUNDS):
        drop_from_cache([*path.rglob("*.h5"), *[file for peer in peers for file in peer.files()]])
        start = time.perf_counter()
        reader = RunReader(path)
        std(reader)
        ours.append(1e3 * (time.perf_counter() - start))
        reader.close()
        others["reading structure.h5"].append(milliseconds(file.read_bytes))
        for peer in peers:
            others[peer.name].append(milliseconds(lambda peer=peer: peer.open()()))
    mine = statistics.median(ours)
    return [
        Measurement("open_run", mine, other, statistics.median(times), "ms", mine / statistics.median(times))
        for other, times in others.items()
    ]


@benchmark
def bytes_per_record() -> list[Measurement]:
    """Bytes of a compacted record, beside the same numbers uncompressed (goal at paper scale: 300 kB)."""
    raw = (13 * 27_560 + 3 * 12 * (54 + 25) + 54 * (64 + 7)) * 4 / 1e3
    rows = []
    for name, preset in (("bytes_per_record", "paper"), ("bytes_per_record_tenfold", "tenfold")):
        parts = list((invented(preset) / "parts").glob("records-*"))
        size = sum(part.stat().st_size for part in parts) / PRESETS[preset].records / 1e3
        rows.append(Measurement(name, size, "uncompressed", raw, "kB", size / raw))
    return rows


READ_ALL = """
import sys, dtui.store.read.run_reader
from dtui.model import HeatmapRequest, TimeAxis
from dtui.query import open_run
from dtui.store import RunReader
if len(sys.argv) > 1:
    reader, every = RunReader(sys.argv[1]), slice(None)
    if sys.argv[2] == "reader":
        at = len(reader.record_iterations) // 2
        reader.read_filters("norm", slice(9000, 9001), every)
        reader.read_filters("norm", every, slice(at, at + 1))
        reader.read_labels(slice(0, 50), every)
        reader.read_class_errors(every)
        reader.read_layers("weights", "std", every)
        reader.read_filter_bins("cosine_distance", slice(19000, 21048), every)
    elif sys.argv[2] == "in full":
        reader.read_filters("cosine_distance", slice(19000, 21048), every)
    else:
        query = open_run(sys.argv[1])
        low, high = query.limits()
        for node in [node for node in query.tree() if node.layer is not None and node.filters == 2048][:2]:
            for statistic in ("cosine_distance", "gradient_norm"):
                for axis in (TimeAxis(low, high, 110), TimeAxis(low, low + (high - low) / 8, 110)):
                    for sort in ("index", "activity"):
                        query.heatmap(HeatmapRequest(node.index, statistic, axis, 0, 2048, 60, "layer", sort))
print([int(line.split()[1]) / 1e3 for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""


@benchmark
def read_memory() -> list[Measurement]:
    """Peak memory of a process that asks all of these, beside one that only imports (goal: 200 MB for any of them)."""

    def peak(*arguments: str) -> float:
        command = [sys.executable, "-c", READ_ALL, *arguments]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    imports, rows = peak(), []
    for preset in ("paper", "tenfold"):
        for what in ("reader", "in full", "heatmaps"):
            name = f"read_memory_{preset}_{what.replace(' ', '_')}"
            found = peak(str(invented(preset)), what)
            rows.append(Measurement(name, found, "imports alone", imports, "MB", found / imports))
    return rows
