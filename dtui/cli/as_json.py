"""Writes answers as JSON that any parser accepts.

Owns how values become JSON. NaN and infinities become null. A number that was measured in 32 bits is written with the
digits that it has, 0.078 and not 0.07800000160932541. Lone surrogates (from file names that cannot be decoded)
become U+FFFD. Everything beyond ASCII is escaped, so that no name can send a control sequence to a terminal.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtui.model import Anomaly, Evidence, Incident, RunInfo, RunState, Verdict

if TYPE_CHECKING:
    from dtui.model.findings.batches import BatchAnswer
    from dtui.reports.build import ReportResult, RunSummary


def to_json(value: object) -> str:
    """Return `value` (of dataclasses, mappings, sequences, numbers, names, paths) as indented JSON."""
    return json.dumps(plain(value), indent=2, allow_nan=False)


def plain(value: Any) -> Any:
    """Return `value` in JSON types only.

    Raises:
        TypeError: It holds a value that JSON cannot express.
    """
    if value is None or (isinstance(value, bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return _own_digits(value) if math.isfinite(value) else None
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str | Path):
        return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "item"):  # a NumPy scalar
        return plain(value.item())
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _own_digits(value: float) -> float:
    """Return the shortest number that is the same in 32 bits, if `value` came from there; else `value` itself.

    Runs hold most numbers in 32 bits, where 9 digits say all. A share of 64 bits that is one by chance
    is as short as 1/4096, and stays, as does a whole number, which may be a count.
    """
    single = struct.pack("f", value) if not value.is_integer() else b""
    if not single or struct.unpack("f", single)[0] != value or float(f"{value:.9g}") == value:
        return value
    return next(short for digits in range(1, 10) if struct.pack("f", short := float(f"{value:.{digits}g}")) == single)


def info_fields(info: RunInfo) -> dict[str, Any]:
    """Return the object of `dtui info --json`."""
    result: dict[str, Any] = plain(info)
    return result


def anomaly_fields(anomaly: Anomaly, classes: Sequence[str]) -> dict[str, Any]:
    """Return one object of the list of `dtui anomalies --json`: `class` is a name, as in `--class`."""
    evidence, label = anomaly.evidence, anomaly.class_index
    result: dict[str, Any] = plain(
        {
            "id": anomaly.id,
            "kind": anomaly.kind,
            "rule": evidence.rule,
            "iteration": evidence.iteration,
            "class": None if label is None else class_name(classes, label),
            "layer": evidence.layer,
            "filters": evidence.filters,
            "direction": evidence.direction,
            "count": evidence.count,
            "share": evidence.share,
            "score": evidence.strength,
            "threshold": evidence.threshold,
            "status": anomaly.status,
            "note": anomaly.note,
        }
    )
    return result


def incident_fields(incident: Incident, classes: Sequence[str], batch: BatchAnswer | None = None) -> dict[str, Any]:
    """Return one object of the list of `dtui incidents --json`: classes are names, as in `--class`.

    `batches` is null where no samples were kept right before the incident.
    """
    batches = None
    if batch is not None:
        here = [one.sample for one in batch.here]
        batches = {"iteration": batch.batch.iteration, "count": batch.batch.count, "standouts": here}
    result: dict[str, Any] = plain(
        {
            "id": incident.id,
            "first": incident.first,
            "last": incident.last,
            "cause": incident.cause,
            "sentence": incident.sentence,
            "scope": incident.scope,
            "layers": incident.layers,
            "filters": incident.filters,
            "classes": [class_name(classes, label) for label in incident.classes],
            "evidence": [_evidence_fields(one, classes) for one in incident.evidence],
            "moved_first": incident.moved_first,
            "next_step": incident.next_step,
            "persists": incident.persists,
            "final": incident.is_final,
            "score": incident.score,
            "status": incident.status,
            "note": incident.note,
            "batches": batches,
            "origin": incident.origin,
        }
    )
    return result


def report_fields(result: ReportResult) -> dict[str, Any]:
    """Return the object of `dtui report --json`: files, problems, and for each run what the report says."""
    answer: dict[str, Any] = plain(
        {"files": result.paths, "bytes": result.bytes, "charts": result.charts, "problems": result.problems}
    )
    answer["runs"] = [_run_fields(one) for one in result.runs]
    return answer


def _run_fields(run: RunSummary) -> dict[str, Any]:
    """Return what a report says about one run; `verdict` is null where the run could not be read far enough."""
    verdict = None if run.verdict is None else verdict_fields(run.verdict)
    since = {"title": run.since_title, "changes": run.since} if run.since_title else None
    answer: dict[str, Any] = plain({"run": run.run, "verdict": verdict, "facts": run.facts, "since": since})
    incidents = zip(run.incidents, run.batches, strict=True)
    answer["incidents"] = [incident_fields(one, run.classes, batch) for one, batch in incidents]
    return answer


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """Return the object of a verdict: incidents are named by their ids."""
    answer: dict[str, Any] = plain(verdict)
    answer["worst"] = [plain(one.id) for one in verdict.worst]
    answer |= {"sentence": plain(verdict.sentence), "persisting": verdict.persisting, "incidents": verdict.incidents}
    return answer


def state_fields(state: RunState) -> dict[str, Any]:
    """Return the object of `dtui state --json`: `since` has one iteration a filter, or one for a whole layer."""
    result: dict[str, Any] = plain(state)
    return result


def _evidence_fields(evidence: Evidence, classes: Sequence[str]) -> dict[str, Any]:
    """Return the JSON object of one detector's evidence on one record."""
    return {
        "detector": evidence.detector,
        "rule": evidence.rule,
        "iteration": evidence.iteration,
        "known": evidence.iteration if evidence.known is None else evidence.known,
        "layer": evidence.layer,
        "norm": evidence.norm,
        "filters": evidence.filters,
        "classes": [class_name(classes, label) for label in evidence.classes],
        "strength": evidence.strength,
        "count": evidence.count,
        "share": evidence.share,
        "times": evidence.times,
        "amount": evidence.amount,
        "usual": evidence.usual,
        "concentration": evidence.concentration,
        "frequency": evidence.frequency,
    }


def class_name(classes: Sequence[str], label: int) -> str:
    """Return the name of a label; data from outside. A label without a name is shown as its number."""
    return classes[label] if 0 <= label < len(classes) else f"class {label}"
