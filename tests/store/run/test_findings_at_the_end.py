"""A write of findings.h5 that has begun is finished, also if Python ends meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from dtui.store.run.anomaly_cache import FindingsFile

LEAVES = """
import sys, threading
from pathlib import Path
import numpy as np
from dtui.store.disk.sealed_builder import SealedFileBuilder
from dtui.store.run.anomaly_cache import FindingsFile

begun, create = threading.Event(), SealedFileBuilder.create

def said(builder, *arguments, **options):
    begun.set()
    create(builder, *arguments, **options)

SealedFileBuilder.create = said
table = np.random.default_rng(0).integers(0, 1 << 60, (1_000_000, 5))  # takes a second
file = FindingsFile(Path(sys.argv[1]), "run")
threading.Thread(target=file.write_all, args=([({"of": "x"}, table)],), daemon=True).start()
assert begun.wait(60)
"""


def test_a_write_is_finished_though_nobody_waits_for_its_thread(tmp_path: Path) -> None:
    path = tmp_path / "findings.h5"
    done = subprocess.run([sys.executable, "-c", LEAVES, str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert [found.name for found in tmp_path.iterdir()] == ["findings.h5"]
    found = FindingsFile(path, "run").read_first([{"of": "x"}], 5, 1)
    assert found is not None
    assert np.array_equal(found[1], np.random.default_rng(0).integers(0, 1 << 60, (1_000_000, 5))[:1])
