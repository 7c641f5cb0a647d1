"""The strongest findings of a long, ended run: from its cache, from a PyTables index, and computed."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np

from dtui.model import AnomalySettings, ImageSet, Validation
from dtui.query import RunQuery, class_table, open_run
from dtui.store import RunWriter, compact_run
from dtui.store.disk.hdf5 import tables
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import drop_from_cache, milliseconds
from tests.store.builders import METADATA, STRUCTURE

CLASSES, PER_CLASS, VALIDATIONS, TOP, ROUNDS = 1_000, 50, 10_000, 100, 9
SETTINGS = AnomalySettings(threshold=0.1)
"""Lower than usual, so that there are some ten thousand of them."""


@cache
def judged_run() -> Path:
    """Return a run of 50,000 images × 10,000 validations, made once and kept as `invented` keeps its runs."""
    folder = Path(os.environ.get("DTUI_BENCH_RUNS", tempfile.gettempdir())) / "dtui-bench"
    path = folder / f"judged-{VALIDATIONS}.dtui"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(0)
        targets = np.repeat(np.arange(CLASSES), PER_CLASS).astype(np.uint16)
        wrong, sure = (targets + 1) % CLASSES, np.zeros(len(targets), np.uint8)
        right = random.random(len(targets)) < 0.7
        with RunWriter(folder / f"making-judged-{os.getpid()}", STRUCTURE, METADATA, compact=False) as writer:
            writer.set_images(ImageSet(tuple(map(str, range(CLASSES))), targets, tuple(map(str, range(len(targets))))))
            for position in range(VALIDATIONS):
                right ^= random.random(len(targets)) < 0.03
                labels = np.where(right, targets, wrong).astype(np.uint16)
                writer.append_validation(Validation(position * 10, labels, sure))
        compact_run(writer.path)
        writer.path.rename(path)
    return path


@benchmark
def findings_top() -> list[Measurement]:
    """The 100 strongest findings of 50,000 images × 10,000 validations (goal: 5 ms), beside an index and computing."""
    path = judged_run()
    kept = path / "findings.h5"
    kept.unlink(missing_ok=True)
    with open_run(path) as query:
        computing = milliseconds(lambda: query.top_anomalies(TOP, SETTINGS))
        expected = query.top_anomalies(TOP, SETTINGS)
        whole = query._data.remembered(("class table", SETTINGS), lambda: np.empty((0, 5)))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, open_run(path) as query:
        indexed = Path(folder) / "indexed.h5"
        write_indexed(indexed, query, whole)
        if query.top_anomalies(TOP, SETTINGS) != expected:
            raise AssertionError("the cache answers differently")
        found = []
        for name, is_cold in (("cold", True), ("warm", False)):
            ours, index = [], []
            for _ in range(ROUNDS):
                if is_cold:
                    drop_from_cache([kept, indexed])
                with mock.patch.object(class_table, "find_flip_table", side_effect=AssertionError("computed")):
                    ours.append(milliseconds(lambda: query.top_anomalies(TOP, SETTINGS)))
                index.append(milliseconds(lambda: ask_index(indexed)))
            mine, other = statistics.median(ours), statistics.median(index)
            found.append(Measurement(f"findings_top {name}", mine, "Table with CSI", other, "ms", mine / other))
            found.append(Measurement(f"findings_top {name}", mine, "computing", computing, "ms", mine / computing))
        begin = time.perf_counter()
        every = query.anomalies(SETTINGS)
        taken = 1e3 * (time.perf_counter() - begin)
    found.append(
        Measurement(f"findings_all {len(every):,}", taken, "computing the top", computing, "ms", taken / computing)
    )
    found.append(
        Measurement(
            "findings bytes",
            kept.stat().st_size / 1e6,
            "uncompressed",
            whole.nbytes / 1e6,
            "MB",
            kept.stat().st_size / whole.nbytes,
        )
    )
    return found


def write_indexed(path: Path, query: RunQuery, whole: np.ndarray) -> None:
    """Write the same findings as a PyTables Table with a completely sorted index on the score."""
    share = whole[:, 4] / query._data.layout.images[whole[:, 1]]
    rows = np.empty(len(whole), [("score", "f8"), *((name, "i8") for name in class_table.COLUMNS)])
    rows["score"] = share * np.sqrt(whole[:, 4])
    for place, name in enumerate(class_table.COLUMNS):
        rows[name] = whole[:, place]
    with tables.open_file(str(path), "w") as file:
        table = file.create_table("/", "findings", obj=np.random.default_rng(0).permutation(rows))
        table.cols.score.create_csindex()


def ask_index(path: Path) -> np.ndarray:
    with tables.open_file(str(path)) as file:
        table = file.root.findings
        return table.read_sorted("score", checkCSI=True, start=table.nrows - TOP, stop=table.nrows)
