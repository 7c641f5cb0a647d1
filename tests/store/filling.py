"""A disk that is full in earnest: `python -m tests.store.filling FOLDER KIND` records on it and tells how it went."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

SIZE = 600 << 10
_MOUNT = f'mount -t tmpfs -o size={SIZE} tmpfs "$1" && exec "$0" -m tests.store.filling "$1" tmpfs'


def on_a_small_disk(folder: Path) -> dict[str, object]:
    """Record a run in a process of its own until the disk is full, and after it has space again.

    The disk is a small tmpfs in a namespace of its own where the machine allows that, else a limit on the size of
    files; `kind` of what is returned says which of the two.
    """
    folder.mkdir()
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    try:
        can_mount = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        can_mount = False
    mounted = ["unshare", "-rm", "sh", "-c", _MOUNT, sys.executable, str(folder)]
    limited = [sys.executable, "-m", "tests.store.filling", str(folder), "limit"]
    done = subprocess.run(mounted if can_mount else limited, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, object] = json.loads(done.stdout)
    return told


def _fill(folder: Path, kind: str, leave: int) -> None:
    if kind == "limit":
        journal = next((folder / "run.dtui" / "journal").glob("records-*"))
        size = journal.stat().st_size + leave
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "ballast").write_bytes(bytes(free - leave))


def _empty(folder: Path, kind: str) -> None:
    if kind == "limit":
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        return
    (folder / "ballast").unlink()


def main(folder: Path, kind: str) -> None:
    """Record, fill, go on, free, go on; print what was acknowledged, refused and read back."""
    from dtui.model import Gap
    from dtui.store import RunReader, RunWriter, check_run
    from tests.store.builders import METADATA, STRUCTURE, make_record
    from tests.store.twin import Twin

    twin = Twin(images=None)
    errors: list[str] = []
    writer = RunWriter(folder / "run", STRUCTURE, METADATA, compact=False)

    def append(positions: range) -> None:
        for position in positions:
            try:
                writer.append_record(make_record(position))
                twin.records.append(make_record(position))
            except OSError as error:
                errors.append(error.strerror or "")

    append(range(5))
    _fill(folder, kind, 12_000)
    append(range(5, 25))
    writer.append_gap(Gap(50, 240, "records", "disk full"))
    before = len(twin.records)
    reader = RunReader(writer.path)
    twin.assert_read_by(reader)
    _empty(folder, kind)
    append(range(25, 40))
    writer.close()
    reader.refresh()
    twin.assert_read_by(reader)
    told = {
        "kind": kind,
        "errors": sorted(set(errors)),
        "refused": len(errors),
        "before": before,
        "records": len(twin.records),
        "gaps": len(reader.gaps),
        "is_fine": check_run(writer.path).is_fine,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
