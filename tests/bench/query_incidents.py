"""Incidents of a whole run and record by record, beside one read of the same arrays."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dtui.analysis.detectors.stream.detector import online_detectors
from dtui.model import RunMetadata
from dtui.query import open_run
from dtui.query.incidents.walk import Incidents, network_of
from dtui.store import RunWriter
from dtui.synth import PRESETS, _images
from dtui.synth.events import plant_events
from dtui.synth.judging import Judge
from dtui.synth.networks import resnet50
from dtui.synth.training import Training
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented

ROUNDS = 3
LIVE = 70
"""Records of a live run."""
WARM, ASKED = 60, 160
"""Records before the online measurement, and at which it ends."""
COLD = """
import sys, time
from dtui.query import open_run
begin = time.process_time()
with open_run(sys.argv[1]) as query:
    found = query.incidents()
    assert not query.detector_faults()
    peak = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
    print(time.process_time() - begin, peak / 1e3, len(found))
"""
READ = """
import sys, time
from dtui.model import SOURCES
from dtui.query import open_run
begin = time.process_time()
with open_run(sys.argv[1]) as query:
    reader, records = query._data.reader, len(query.record_iterations())
    for first in range(0, records, 64):
        some = slice(first, min(records, first + 64))
        for name in ("update_ratio", "gradient_norm"):
            reader.read_filters(name, slice(0, query.structure().filters), some)
        for source in SOURCES:
            reader.read_layers(source, "norm2", some)
    query._data.class_errors()
    print(time.process_time() - begin)
"""


def processor_seconds(script: str, path: Path) -> list[float]:
    """Return the numbers that a script prints in a process of its own, of the run with the smallest first."""
    rounds = []
    for _ in range(ROUNDS):
        (path / "findings.h5").unlink(missing_ok=True)
        words = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True).stdout
        rounds.append([float(word) for word in words.split()])
    return min(rounds)


@benchmark
def incidents_paper() -> list[Measurement]:
    """Processor time of all incidents of a paper-scale run (goals: cold 4 s, 200 MB; cached 20 ms)."""
    path = invented("paper")
    seconds, megabytes, _ = processor_seconds(COLD, path)
    (reading,) = processor_seconds(READ, path)
    with open_run(path) as query:
        query.incidents()
    cached = []
    for _ in range(9):
        with open_run(path) as query:
            query.info()
            begin = time.process_time()
            query.incidents()
            cached.append(1e3 * (time.process_time() - begin))
    middle = statistics.median(cached)
    return [
        Measurement("incidents_paper cold", seconds, "reading the same arrays", reading, "s CPU", seconds / reading),
        Measurement("incidents_paper memory", megabytes, "goal", 200, "MB", megabytes / 200),
        Measurement("incidents_paper cached", middle, "goal", 20, "ms CPU", middle / 20),
    ]


@benchmark
def incidents_online() -> list[Measurement]:
    """Processor time of one more record and validation at paper scale (goal: 2 ms), beside a copy of its arrays."""
    with open_run(invented("paper")) as query:
        data = query._data
        walk, network = Incidents(data), network_of(data)
        streams = [one.begin(network) for one in online_detectors()]
        blocks = []
        for at in range(ASKED):
            blocks.append(walk._read(slice(at, at + 1), slice(at, at + 1), slice(0, 0)))
            walk._records += 1
    taken, copied = [], []
    for place, block in enumerate(blocks):
        begin = time.process_time()
        for stream in streams:
            stream.add(block)
        spent = time.process_time() - begin
        begin = time.process_time()
        for values in (block.update_ratio, block.gradient_norm, block.layer_updates, block.layer_weights, block.errors):
            np.array(values)
        if place >= WARM:
            taken.append(1e3 * spent)
            copied.append(1e3 * (time.process_time() - begin))
    mine, floor = statistics.median(taken), statistics.median(copied)
    return [Measurement("incidents_online", mine, "a copy of its arrays", floor, "ms CPU a record", mine / floor)]


@benchmark
def incidents_live() -> list[Measurement]:
    """Processor time of a viewer of a live run for one more record and validation: to find, read and judge them."""
    size, structure = PRESETS["paper"], resnet50()
    events, images = plant_events(structure, size.classes, LIVE, 0), _images(size.classes)
    training, judge = Training(structure, events, LIVE, 0), Judge(images, events, LIVE, 0)
    metadata = RunMetadata(name="live", created="2026-01-01T00:00:00+00:00", every=size.every, invented=True)
    found, judged = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        with RunWriter(path, structure, metadata, classes=images.classes, compact=False) as writer:
            writer.set_images(images)
            query = None
            for place in range(LIVE):
                validation = judge.validation(place, size.every)
                writer.append_record(training.record(place, size.every, judge.error))
                writer.append_validation(validation)
                query = open_run(writer.path) if query is None else query
                begin = time.process_time()
                query.refresh()
                middle = time.process_time()
                query.incidents()
                if place >= WARM // 2:
                    found.append(1e3 * (middle - begin))
                    judged.append(1e3 * (time.process_time() - middle))
            if query is not None:
                query.close()
    refresh, incidents = statistics.median(found), statistics.median(judged)
    return [
        Measurement("incidents_live", incidents, "a look for new data", refresh, "ms CPU a record", incidents / refresh)
    ]
