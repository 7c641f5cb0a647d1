"""Arrays whose filters are not ours: every command says one line, and no process ends by it."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

from dtui.cli.entry import main
from dtui.store import pack_run
from dtui.store.disk.seal import Seal
from dtui.store.disk.sealed_builder import SealedFileBuilder
from tests.store.hostile_filters import pipeline_place, put_pipeline, random_pipeline
from tests.store.mutating import prepare

PIPELINES = 15
NODES = {
    "run.h5": (
        "/document",
        "/structure/document",
        "/images/targets",
        "/records/iterations",
        "/records/filters/std",
        "/records/scalars",
        "/records/layers/histogram",
        "/validations/validation/label",
    ),
    "run.dtui/structure.h5": ("/document",),
    "run.dtui/images.h5": ("/document", "/targets", "/thumbnails"),
    "run.dtui/parts/records-0000000000-0000000032.h5": ("/document", "/iterations", "/filters/mean", "/scalars"),
    "run.dtui/parts/validations-0000000000-0000000032.h5": ("/validation/label", "/classes/error"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, and the same run packed."""
    folder = tmp_path_factory.mktemp("good")
    made, _ = prepare(folder / "run", 0)
    pack_run(made, folder / "run.h5")
    return folder


def commands(run: Path) -> None:
    """Ask everything about a run; an error is one line of ours."""
    for words in (["info"], ["anomalies"], ["check"], ["report", "-o", str(run.parent / "report.txt")]):
        assert main([words[0], str(run), *words[1:]]) in (0, 1, 3), words


def ends_well(run: Path) -> bool:
    """Whether the commands end in a child process, and say nothing but lines of ours."""
    said = run.parent / "said.txt"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            descriptor = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1)
            commands(run)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, ending = os.waitpid(child, 0)
    text = said.read_text()
    assert os.waitstatus_to_exitcode(ending) == 0, text
    return not any(word in text for word in ("Traceback", "Warning", "HDF5-DIAG", "Exception ignored", "bug in dtui"))


def test_no_pipeline_but_ours_is_applied(good: Path, tmp_path: Path) -> None:
    rng, folder = random.Random(0), tmp_path / "in"
    files = [file for file in NODES if (good / file).exists()]
    assert files == list(NODES)
    for attempt in range(PIPELINES):
        name = rng.choice(files)
        node = rng.choice(NODES[name])
        run = folder / name.split("/")[0]
        folder.mkdir()
        shutil.copytree(good / run.name, run) if run.suffix == ".dtui" else shutil.copy(good / run.name, run)
        _, ours = pipeline_place(folder / name, node)
        message = random_pipeline(rng, len(ours), ours)
        put_pipeline(folder / name, node, message, Seal.PACKED if name == "run.h5" else Seal.FILE)
        assert ends_well(run), f"{attempt}: {node} of {name} with {message.hex()}"
        shutil.rmtree(folder)


def test_a_filter_that_crashes_hdf5_is_one_line(tmp_path: Path) -> None:
    """Blosc without parameters, which its filter reads all the same."""
    path = tmp_path / "crash.h5"
    builder = SealedFileBuilder(path, kind=Seal.PACKED)
    builder.add("/document", np.frombuffer(b"x" * 64, np.uint8))
    builder.seal()
    builder.publish()
    _, ours = pipeline_place(path, "/document")
    message = struct.pack("<BB6xHHHH", 1, 1, 32001, 0, 1, 0).ljust(len(ours), b"\0")
    put_pipeline(path, "/document", message, Seal.PACKED)
    said = subprocess.run([sys.executable, "-m", "dtui", "info", path], capture_output=True, text=True, timeout=120)
    assert said.returncode == 3
    assert said.stdout == ""
    assert said.stderr.startswith(f"dtui: {path}: reading /document failed: ")
    assert said.stderr.count("\n") == 1
