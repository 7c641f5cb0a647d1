"""Has the reports of a night made by one array of SLURM jobs, through submitit.

Owns the only import of submitit, an optional extra. Each task of the array is a shard of the night.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dtui.errors import MissingExtraError, ReportError, UsageError
from dtui.reports.nightly.index import Index
from dtui.reports.nightly.night import NightSettings, Progress, run_divided, run_shard
from dtui.reports.nightly.plan import Shard

RUNS_A_TASK = 8
MOST_TASKS = 256
MINUTES = 60
"""That a task asks for; SBATCH_TIMELIMIT in the environment says otherwise."""
LOGS_FOLDER = "slurm"


def run_on_slurm(
    folder: Path, out: Path, settings: NightSettings, progress: Progress | None = None, *, cluster: str = "slurm"
) -> Index:
    """Submit a night as one array, of which at most `settings.jobs` tasks run at once; wait for it; write the index.

    Args:
        folder: Of the runs; every node must see it.
        out: Folder of the night; every node must see it.
        settings: How the reports are made.
        progress: Told of each task that is done.
        cluster: "slurm", or "local" for processes on this host.

    Raises:
        MissingExtraError: submitit is not installed.
        UsageError: There is no SLURM on this host.
        ReportError: SLURM takes no jobs.
        DtuiError: As for `run_night`.
    """
    if find_spec("submitit") is None:
        raise MissingExtraError("nightly --slurm: submitit is not installed; pip install '.[slurm]' in dtui's folder")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise UsageError("nightly --slurm: no sbatch on the path; run it on a host that submits jobs")

    def work(shards: Sequence[Shard]) -> None:
        shutil.rmtree(out / LOGS_FOLDER, ignore_errors=True)  # of the night before
        jobs = _submitted(folder, out, settings, shards, cluster)
        try:
            for done, job in enumerate(jobs, 1):
                with suppress(Exception):  # a task that failed has left no mark, and the index says so
                    job.exception()  # waits
                if progress is not None:
                    progress(done, len(shards), f"task {done}")
        except BaseException:  # interrupted: nobody waits for them any more, and they would hold their shards
            for job in jobs:
                with suppress(Exception):
                    job.cancel(check=False)
            raise

    return run_divided(folder, out, settings, work, runs_a_shard=RUNS_A_TASK, most=MOST_TASKS)


@dataclass(frozen=True, slots=True)
class _Task:
    """What one task of the array does, on whatever host."""

    folder: Path
    out: Path
    settings: NightSettings

    def __call__(self, shard: Shard) -> int:
        alone = replace(self.settings, jobs=1)
        return run_shard(self.folder, self.out, shard, alone, is_alone=False)


def _submitted(
    folder: Path, out: Path, settings: NightSettings, shards: Sequence[Shard], cluster: str
) -> Sequence[Any]:
    import submitit

    executor = submitit.AutoExecutor(folder=out.absolute() / LOGS_FOLDER, cluster=cluster)
    executor.update_parameters(
        name="dtui-nightly",
        timeout_min=MINUTES,
        cpus_per_task=1,
        mem_gb=-(-settings.limits.memory // 2**30) + 1,
        slurm_array_parallelism=settings.jobs,
    )
    try:
        jobs: Sequence[Any] = executor.map_array(_Task(folder.absolute(), out.absolute(), settings), shards)
    except Exception as error:
        raise ReportError(f"nightly --slurm: the jobs were not taken: {_said(error)}") from error
    return jobs


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
