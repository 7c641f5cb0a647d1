"""How long a training process waits for a record, while compaction runs beside it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dtui.model import RunMetadata
from dtui.store import RunWriter
from dtui.synth.events import plant_events
from dtui.synth.networks import resnet50
from dtui.synth.training import Training
from tests.bench.peers import is_installed
from tests.bench.registry import Measurement, benchmark

RECORDS = 160


@benchmark
def journal_append() -> list[Measurement]:
    """One record of paper scale appended while compaction runs (goal: median 1 ms, p99 5 ms); then peers."""
    structure = resnet50()
    training = Training(structure, plant_events(structure, 1000, 1000, 0), 1000, 0)
    records = [training.record(position, 100, 0.5) for position in range(16)]
    with tempfile.TemporaryDirectory() as folder:
        writer = RunWriter(Path(folder) / "run", structure, RunMetadata("bench", "2026-01-01T00:00:00+00:00", 100))
        plain = (Path(folder) / "plain").open("wb", buffering=0)
        ours, floor = [], []
        for position in range(RECORDS):
            record = records[position % len(records)]
            object.__setattr__(record, "iteration", position)
            start = time.perf_counter()
            writer.append_record(record)
            middle = time.perf_counter()
            plain.write(record.filters.data.cast("B"))
            floor.append(1e3 * (time.perf_counter() - middle))
            ours.append(1e3 * (middle - start))
        plain.close()
        writer.close()
        others = {"one plain write": floor}
        for name, append in appending_peers(Path(folder), records[0].filters.shape).items():
            others[name] = [milliseconds(append, records[at % len(records)].filters) for at in range(RECORDS // 4)]
    rows = []
    for name, share in (("journal_append", 50), ("journal_append_p99", 99)):
        mine = float(np.percentile(ours, share))
        for peer, times in others.items():
            other = float(np.percentile(times, share))
            rows.append(Measurement(name, mine, peer, other, "ms", mine / other))
    return rows


def milliseconds(append: Callable[[np.ndarray], None], values: np.ndarray) -> float:
    start = time.perf_counter()
    append(values)
    return 1e3 * (time.perf_counter() - start)


def appending_peers(folder: Path, shape: tuple[int, ...]) -> dict[str, Callable[[np.ndarray], None]]:
    """Return how others append a record's filter statistics: a chunk each in zarr, a tensor event in TensorBoard."""
    peers: dict[str, Callable[[np.ndarray], None]] = {}
    if is_installed("zarr"):
        import zarr

        array = zarr.create_array(folder / "zarr", shape=(0, *shape), dtype="f4", chunks=(1, *shape))
        peers["zarr 3"] = lambda values: array.append(values[None], axis=0)
    if is_installed("tensorboard"):
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboard.summary.writer.record_writer import RecordWriter

        writer = RecordWriter((folder / "events").open("wb"))
        dimensions = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape])

        def append(values: np.ndarray) -> None:
            tensor = TensorProto(dtype=1, tensor_shape=dimensions, tensor_content=values.tobytes())
            event = Event(step=0, summary=Summary(value=[Summary.Value(tag="filters", tensor=tensor)]))
            writer.write(event.SerializeToString())
            writer.flush()

        peers["TensorBoard"] = append
    return peers
