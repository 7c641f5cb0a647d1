"""Makes the header of a chapter: the facts about a run that come before any chart.

Owns the choice and the units of those lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from dtui.model import RunStatus
from dtui.reports.document import Fact
from dtui.reports.sections.registry import View
from dtui.safe_text import safe

MOST_EVENTS = 24
MOST_FINDINGS = 8


def header_facts(view: View) -> tuple[Fact, ...]:
    """Return size, progress and the last values of a run."""
    info = view.info
    facts = [
        Fact("network", _counted(info.layers, "layer"), _counted(info.filters, "filter")),
        Fact("images", f"{info.images:,}", _counted(info.classes, "class", "es")),
        Fact("records", f"{info.records:,}", _iterations(info.first_iteration, info.last_iteration)),
        Fact("validations", f"{info.validations:,}"),
    ]
    if info.coverage is not None:
        facts.insert(1, Fact("parameters", f"{info.coverage.parameters:,}", safe(info.coverage.text(3), 400)))
    if info.last_iteration is not None:
        facts += _last_values(view.query.curves_at(info.last_iteration))
    if info.joins:
        facts.append(Fact("resumed", f"{len(info.joins):,}×", _listed(info.joins)))
    facts.append(Fact("anomalies", f"{len(view.anomalies):,}", _reviewed(view)))
    facts.append(Fact("gaps", f"{len(info.gaps):,}"))
    return tuple(facts)


def _listed(joins: tuple[int, ...]) -> str:
    """Return where a training was resumed; only the last places if there are many."""
    shown = ", ".join(f"{iteration:,}" for iteration in joins[-3:])
    return f"at iteration {'…, ' if len(joins) > 3 else ''}{shown}"


def findings_of(view: View) -> tuple[str, ...]:
    """Return the trouble in a run, one line each: at most MOST_FINDINGS, then how many more there are."""
    findings = view.query.info().findings  # asked again: making the sections may have found damage
    if view.info.reason:
        is_incomplete = view.info.status is RunStatus.INCOMPLETE
        what = "not all of the training was recorded" if is_incomplete else "the training ended early"
        findings = (f"{what}: {view.info.reason}", *findings)
    lines = [safe(finding, 400) for finding in findings[:MOST_FINDINGS]]
    if len(findings) > MOST_FINDINGS:
        lines.append(f"{len(findings) - MOST_FINDINGS:,} more: dtui check lists every file")
    return tuple(lines)


def further_facts(view: View) -> tuple[Fact, ...]:
    """Return where and how the run was made."""
    metadata = view.query.metadata()
    facts = [
        Fact("recorded", safe(metadata.created)),
        Fact("every", f"{metadata.every:,} iterations"),
        Fact("format", str(view.info.format)),
    ]
    facts += [Fact(safe(name), safe(value)) for name, value in sorted(metadata.versions.items())]
    facts += [Fact(safe(name), safe(str(value))) for name, value in metadata.hyperparameters.items()]
    for note in metadata.notes[:MOST_EVENTS]:
        rest = ", ".join(f"{key} {value}" for key, value in note.items() if key not in ("iteration", "kind"))
        kind = str(note.get("kind", "event")).replace("_", " ")
        facts.append(Fact(f"known event at {safe(str(note.get('iteration')), 20)}", safe(kind), safe(rest)))
    if len(metadata.notes) > MOST_EVENTS:
        facts.append(Fact("further known events", f"{len(metadata.notes) - MOST_EVENTS:,}"))
    return tuple(facts)


def _counted(number: int, noun: str, plural: str = "s") -> str:
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def _iterations(first: int | None, last: int | None) -> str:
    return f"iterations {first:,}–{last:,}" if first is not None and last is not None else "none yet"


def _last_values(values: Mapping[str, float]) -> list[Fact]:
    known = (
        ("validation_error", "validation error", ".1%"),
        ("train_error", "train error", ".1%"),
        ("loss", "loss", ".4g"),
        ("learning_rate", "learning rate", ".3g"),
    )
    return [
        Fact(name, format(values[key], form) if math.isfinite(values[key]) else "NaN or Inf", "last")
        for key, name, form in known
        if key in values
    ]


def _reviewed(view: View) -> str:
    new = sum(anomaly.status == "new" for anomaly in view.anomalies)
    return f"{new:,} to review" if new else ""
