"""Decides which runs are reported this night. Pure: it sees names, fingerprints and records, and no file.

A run is reported if it has no report yet, if its data, people's decisions on it, dtui or the format of the report have
changed since the last one, if the last look made no report or could not draw all of its pictures, or if it was live:
then it may have ended without a trace.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dtui.query.folders import FoundRun
from dtui.reports.nightly.entry import Record
from dtui.reports.nightly.places import digest

LIVE = "live"


@dataclass(frozen=True, slots=True)
class Unit:
    """One run to report: all that a worker process, on whatever host, needs to know.

    Attributes:
        run: Its path below the folder of runs; data from outside.
        path: Where it is.
        out: The folder of the night.
        signature: What the run is now, as far as its files tell.
        format: Of the report.
        keep: Reports of the run that are kept, the new one too; at least 1.
    """

    run: str
    path: str
    out: str
    signature: str
    format: str
    keep: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the runs: the `number`-th of `of`, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def has(self, run: str) -> bool:
        """Whether a run is in this shard. It depends on its name alone: whatever runs come and go, it stays there."""
        number = int.from_bytes(hashlib.sha256(os.fsencode(run)).digest()[:8], "big")
        return number % self.of == self.number - 1


WHOLE = Shard(1, 1)
"""All runs."""


def signature_of(run: FoundRun, format: str, version: str) -> str:
    """Return a text that changes whenever a new report of the run would say something else."""
    return digest(run.fingerprint, format, version)


def plan(
    found: Sequence[FoundRun],
    records: Mapping[str, Record],
    *,
    out: str,
    format: str,
    keep: int,
    version: str,
    shard: Shard = WHOLE,
) -> tuple[Unit, ...]:
    """Return the runs to report, by name.

    Args:
        found: All runs.
        records: What is known of their reports, by name of the run.
        out: The folder of the night.
        format: Of the reports.
        keep: Reports of a run that are kept.
        version: Of dtui.
        shard: Only these.
    """
    units = []
    for run in found:
        signature = signature_of(run, format, version)
        if shard.has(run.name) and _has_news(run, signature, records.get(run.name)):
            units.append(Unit(run.name, str(run.path), out, signature, format, keep))
    return tuple(sorted(units, key=lambda unit: unit.run))


def _has_news(run: FoundRun, signature: str, record: Record | None) -> bool:
    if record is None or record.outcome or record.lacks_pictures or not run.fingerprint:
        return True
    return record.signature != signature or record.status == LIVE
