"""Says what a night found: a row a run, sorted by what needs a person, and an exit code. Pure.

What is new is what the index of the night before did not show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dtui.number_text import counted
from dtui.reports.nightly.entry import Entry, Outcome
from dtui.reports.nightly.plan import Shard

FINE, FOUND, NOT_JUDGED = 0, 1, 2
"""Exit codes: nothing to look at, incidents that nobody dismissed, some runs could not be judged."""
_ORDER = tuple(Outcome)
COUNTED = {
    Outcome.LOOK: "to look at",
    Outcome.FAILED: "could not be judged",
    Outcome.UNSURE: "judged in part",
    Outcome.FINE: "fine",
    Outcome.EMPTY: "with nothing recorded yet",
}
"""What stands behind a number of runs."""


@dataclass(frozen=True, slots=True)
class Row:
    """A run on the index.

    Attributes:
        run: Its path below the folder of runs; data from outside.
        outcome: What a reader must know first.
        reason: Why there is no new report, "" where there is one; data from outside.
        entry: What the newest report says; None before the first one.
        report: Address of the newest report, relative to the index; "" before the first one.
        older: Addresses of the reports before it, the newest first.
        is_new: Whether the index of the night before did not show this report.
    """

    run: str
    outcome: Outcome
    reason: str = ""
    entry: Entry | None = None
    report: str = ""
    older: tuple[str, ...] = ()
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """The page of a night.

    Attributes:
        title: Name of the folder of runs; data from outside.
        rows: Those that need a person first.
        gone: Runs that are no longer there, by name; their reports are.
        missing: Shards that have not done their part.
        shards: How many there should be; 0 for a night without shards.
    """

    title: str
    rows: tuple[Row, ...]
    gone: tuple[Row, ...] = ()
    missing: tuple[int, ...] = ()
    shards: int = 0

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Number of runs by outcome, in the order of the page; only those that there are."""
        found = Counter(row.outcome for row in self.rows)
        return {outcome: found[outcome] for outcome in _ORDER if found[outcome]}

    @property
    def exit_code(self) -> int:
        """NOT_JUDGED if there is no run, or a run or a shard gave no answer; else FOUND; else NOT_JUDGED for doubts."""
        counts = self.counts
        if self.missing or not counts or Outcome.FAILED in counts:
            return NOT_JUDGED
        if Outcome.LOOK in counts:
            return FOUND
        return NOT_JUDGED if Outcome.UNSURE in counts else FINE


def make_index(
    title: str,
    rows: Sequence[Row],
    gone: Sequence[Row],
    shown: Mapping[str, str],
    missing: Sequence[Shard] = (),
) -> Index:
    """Return the index of a night.

    Args:
        title: Name of the folder of runs.
        rows: Its runs, in any order.
        gone: Runs that are no longer there.
        shown: What the index of the night before showed: the address of the report by name of the run.
        missing: Shards that have not done their part.
    """
    told = [replace(row, is_new=bool(row.report) and shown.get(row.run) != row.report) for row in rows]
    return Index(
        title,
        tuple(sorted(told, key=_need)),
        tuple(sorted(gone, key=lambda row: row.run)),
        tuple(sorted(shard.number for shard in missing)),
        missing[0].of if missing else 0,
    )


def as_json(index: Index) -> dict[str, Any]:
    """Return the index as JSON types only, for `index.json` and `--json`."""
    return {
        "exit": index.exit_code,
        "counts": {str(outcome): count for outcome, count in index.counts.items()},
        "runs": [_row_fields(row) for row in index.rows],
        "gone": [_row_fields(row) for row in index.gone],
        "missing_shards": [f"{number}/{index.shards}" for number in index.missing],
    }


def shown_by(document: Mapping[str, Any] | None) -> dict[str, str]:
    """Return which report an index showed, by name of the run, from its JSON; {} for what is none."""
    rows = (document or {}).get("runs")
    found = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("run"), str) and isinstance(row.get("report"), str):
            found[row["run"]] = row["report"]
    return found


def summary(index: Index) -> str:
    """Return how many runs need what, in one line without data from outside."""
    outcomes = ", ".join(f"{count:,} {COUNTED[outcome]}" for outcome, count in index.counts.items())
    fresh = sum(row.is_new for row in index.rows)
    runs = counted(len(index.rows), "run")
    reports = counted(fresh, "new report") if fresh else "no new report"
    gone = f"; {counted(len(index.gone), 'run')} no longer there" if index.gone else ""
    return f"{runs}{': ' if outcomes else ''}{outcomes}; {reports}{gone}"


def _need(row: Row) -> tuple[object, ...]:
    """Order those that need a person first: what is new, then what still holds, then how much there is."""
    entry = row.entry or Entry(row.outcome, "")
    return (_ORDER.index(row.outcome), not entry.new, not row.is_new, -entry.persisting, -entry.new, row.run)


def _row_fields(row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "run": row.run,
        "outcome": str(row.outcome),
        "reason": row.reason,
        "report": row.report,
        "older": list(row.older),
        "new_report": row.is_new,
        "status": entry.status if entry else "",
        "verdict": entry.headline if entry else "",
        "details": list(entry.details) if entry else [],
        "since_title": entry.since_title if entry else "",
        "since": list(entry.since) if entry else [],
        "incidents": {"new": entry.new, "flagged": entry.flagged, "persisting": entry.persisting} if entry else None,
        "error": {
            "name": entry.error_name,
            "last": entry.last_error,
            "best": entry.best_error,
            "best_at": entry.best_at,
        }
        if entry
        else None,
        "last_iteration": entry.last_iteration if entry else None,
        "problems": list(entry.problems) if entry else [],
        "undrawn": entry.undrawn if entry else 0,
    }
