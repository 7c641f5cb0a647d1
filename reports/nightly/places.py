"""Names everything in the folder of a night.

Owns those names:

    index.html, index.json       the page, and the same for scripts
    night.json                   which folder of runs this is the night of
    runs/<run>/report.html       the newest report of a run
    runs/<run>/<progress>-<id>/  a report, what it was compared with later, and its line on the index; it never changes
    runs/<run>/record.json       which of them is the newest, and why there is no newer one
    shards/done/<i>-of-<n>.json  that a shard is done; in shards/merged/ once a merge has seen all of them
    *.lease                      who is at work
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

from dtui.output import TEMPORARY
from dtui.run_path import SUFFIX

INDEX_PAGE, INDEX_JSON, NIGHT_FILE, NIGHT_LEASE = "index.html", "index.json", "night.json", "night.lease"
RUNS_FOLDER, SHARDS_FOLDER, DONE_FOLDER, MERGED_FOLDER = "runs", "shards", "done", "merged"
RECORD_FILE, ENTRY_FILE, REPORT = "record.json", "entry.json", "report"
STAGING_MARK = ".new-"
_LONGEST_NAME = 80
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def digest(*words: str) -> str:
    """Return 12 characters that stand for some words; other words have others."""
    joined = b"\0".join(os.fsencode(word) for word in words)
    return hashlib.sha256(joined).hexdigest()[:12]


def run_folder(out: Path, run: str) -> Path:
    """Return the folder for the reports of a run.

    A plain name stays as it is. Any other keeps its plain characters and gets a mark that no plain name has.

    Args:
        out: Folder of the night.
        run: Its path below the folder of runs; data from outside.
    """
    name = run.removesuffix(SUFFIX)
    is_plain = name != run and _PLAIN.fullmatch(name) and len(name) <= _LONGEST_NAME
    if not is_plain:
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:_LONGEST_NAME].lstrip("._-") or "run"
        name = f"{readable}~{digest(run)}"
    return out / RUNS_FOLDER / name


def is_left_over(name: str) -> bool:
    """Whether a file is what a killed process left when it wrote another one."""
    return name.startswith((STAGING_MARK, TEMPORARY)) or ".lease.tmp-" in name


def link_to(path: Path, out: Path) -> str:
    """Return the address of a file of the night, relative to its index."""
    return quote(path.relative_to(out).as_posix())
