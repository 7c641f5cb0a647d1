"""What packing a run costs, beside tar with a general compressor over the same directory."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from dtui.store.disk.child_process import child_command, child_environment
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented

ROUNDS = 3
PEERS = {"tar and gzip": ("z", ".tar.gz", "gzip"), "tar and zstd": ("--zstd", ".tar.zst", "zstd")}


@benchmark
def pack_paper() -> list[Measurement]:
    """Pack a run at paper scale: seconds and bytes beside tar with gzip and zstd, peak memory (goal: 200 MB)."""
    run = invented("paper")
    source = sum(file.stat().st_size for file in run.rglob("*") if file.is_file()) / 1e6
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory(dir=run.parent) as folder:
        out = Path(folder) / "run.h5"
        command = child_command("dtui.store.pack", str(run), str(out))
        ours = best_seconds(lambda: call(command))
        size = out.stat().st_size / 1e6
        for name, (option, suffix, program) in PEERS.items():
            if shutil.which(program) is None:
                print(f"pack_paper: {program} is not installed", file=sys.stderr)
                continue
            peer = Path(folder) / f"run{suffix}"
            words = ["tar", f"-c{option}f" if len(option) == 1 else option, *([] if len(option) == 1 else ["-cf"])]
            theirs = best_seconds(lambda words=words, peer=peer: call([*words, str(peer), str(run)]))
            found.append(Measurement("pack_paper seconds", ours, name, theirs, "s", ours / theirs))
            found.append(
                Measurement(
                    "pack_paper bytes", size, name, peer.stat().st_size / 1e6, "MB", size / (peer.stat().st_size / 1e6)
                )
            )
        found.append(Measurement("pack_paper bytes", size, "the directory", source, "MB", size / source))
        code = (
            "import resource, sys; from dtui.store.pack.worker import main; main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(run), str(out)],
            capture_output=True,
            text=True,
            check=True,
            env=child_environment(),
        )
        peak = int(done.stderr.split()[-1]) * 1024 / 1e6
        found.append(Measurement("pack_paper memory", peak, "goal", 200, "MB", peak / 200))
    return found


def call(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=child_environment())


def best_seconds(work: Callable[[], object]) -> float:
    """Return the least processor time of a few runs of a child process: other work on the machine only adds."""
    times = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        work()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)
