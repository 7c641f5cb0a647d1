"""Says which shards of a night have done their part.

Each shard leaves a mark when it is done, and takes it away when it begins. A merge that finds all of them moves them
aside, so that those of the next night are known to be new; merging once more gives the same again. No clock is read.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from dtui.errors import OutputError, UsageError
from dtui.reports.nightly.entry import write_json
from dtui.reports.nightly.places import DONE_FOLDER, MERGED_FOLDER, SHARDS_FOLDER
from dtui.reports.nightly.plan import Shard

_MARK = re.compile(r"([1-9][0-9]{0,8})-of-([1-9][0-9]{0,8})\.json")
MOST_SHARDS = 100_000


def parse_shard(text: str) -> Shard:
    """Return the shard that "3/8" stands for.

    Raises:
        UsageError: It is no such pair, or its number is not from 1 to the second.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None:
        raise UsageError(f"shard {text!r}: give I/N, such as 3/8 for the third of eight")
    number, of = int(found[1]), int(found[2])
    if not 1 <= of <= MOST_SHARDS:
        raise UsageError(f"shard {text}: a night has 1 to {MOST_SHARDS:,} shards")
    if not 1 <= number <= of:
        raise UsageError(f"shard {text}: there is none; the first is 1/{of}, the last {of}/{of}")
    return Shard(number, of)


def shard_of_array(environment: Mapping[str, str]) -> Shard | None:
    """Return the shard that a task of a SLURM job array is; None outside of one.

    Raises:
        UsageError: The array has gaps, as in `--array=3,7`, so that its tasks are no shards.
    """
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX")
    words = [environment.get(name, "") for name in names]
    if not words[0]:
        return None
    task, count, first, last = (int(word) if re.fullmatch("[0-9]{1,9}", word) else None for word in words)
    first = 1 if first is None and last is None else first
    if task is None or count is None or first is None or not first <= task < first + count:
        raise UsageError(
            "the tasks of this SLURM array do not count 1, 2, 3, …; say which shard this is with --shard I/N"
        )
    if last is not None and last - first + 1 != count:
        raise UsageError("this SLURM array leaves tasks out; say which shard this is with --shard I/N")
    return Shard(task - first + 1, count)


def begin_shard(out: Path, shard: Shard) -> None:
    """Take away the mark of a shard, and those of a night that was divided otherwise.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder, _ = _folders(out)
    folder.mkdir(parents=True, exist_ok=True)
    for other, path in _marks(folder).items():
        if other == shard or other.of != shard.of:
            path.unlink(missing_ok=True)


def end_shard(out: Path, shard: Shard, runs: int) -> None:
    """Leave the mark that a shard is done.

    Raises:
        OutputError: The folder cannot be written to.
    """
    write_json(_folders(out)[0] / f"{shard.number}-of-{shard.of}.json", {"shard": str(shard), "runs": runs})


def divided(runs: int, runs_a_shard: int, most: int) -> tuple[Shard, ...]:
    """Return the shards that some runs are divided into; none for no run."""
    of = min(most, -(-runs // runs_a_shard))
    return tuple(Shard(number, of) for number in range(1, of + 1))


def forget_shards(out: Path) -> None:
    """Take away all marks: a whole night begins, and divides itself.

    Raises:
        OSError: The folder cannot be written to.
    """
    for path in (path for folder in _folders(out) for path in _marks(folder).values()):
        path.unlink(missing_ok=True)


def missing_shards(out: Path, of: int | None = None) -> tuple[Shard, ...]:
    """Return the shards without a mark.

    Args:
        out: Folder of the night.
        of: How many shards there should be; None for as many as the marks speak of.

    Raises:
        UsageError: No shard is done, or the marks speak of several divisions.
    """
    fresh, merged = _folders(out)
    done = _marks(fresh) or _marks(merged)
    divisions = {of} if of is not None else {shard.of for shard in done}
    if not divisions:
        raise UsageError(f"{out}: no shard is done; run dtui nightly with --shard 1/N to N/N first")
    if len(divisions) > 1:
        told = " and of ".join(f"{number:,}" for number in sorted(divisions))
        raise UsageError(f"{out}: there are shards of {told}; run all shards of one division again")
    (count,) = divisions
    return tuple(shard for shard in divided(count, 1, count) if shard not in done)


def set_aside(out: Path) -> None:
    """Move all marks aside after a merge that found every shard.

    Raises:
        OutputError: The folder cannot be written to.
    """
    done, merged = _folders(out)
    if not _marks(done):
        return
    try:
        if merged.exists():
            shutil.rmtree(merged)
        done.rename(merged)
    except OSError as error:
        raise OutputError(f"{done}: cannot be moved ({error.strerror or error}); run the merge again") from error


def _folders(out: Path) -> tuple[Path, Path]:
    """Return the folder of the marks since the last merge, and of those before."""
    return out / SHARDS_FOLDER / DONE_FOLDER, out / SHARDS_FOLDER / MERGED_FOLDER


def _marks(folder: Path) -> dict[Shard, Path]:
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if (name := _MARK.fullmatch(path.name)) is not None:
            found[Shard(int(name[1]), int(name[2]))] = path
    return found
