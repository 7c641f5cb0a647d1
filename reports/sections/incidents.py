"""The sections on incidents: what happened, in the order of time with its evidence, and what people decided on it."""

from __future__ import annotations

from dtui.model import Cause, Incident
from dtui.model.findings.incident_evidence import IncidentEvidence
from dtui.model.layers import layer_called
from dtui.number_text import counted
from dtui.reports.charts.pictures.evidence import evidence_pictures
from dtui.reports.charts.pictures.scale import times
from dtui.reports.document import NEXT, Card, Fact, Item, Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, moment, section
from dtui.safe_text import safe

MOST_CARDS = 30
"""Incidents with pictures: the worst; the others are lines of a table."""
MOST_NUMBERS = 12
MOST_TAKEN_FOR = 3


@section("incidents", order=10, screen="triage")
def incidents_section(view: View) -> Section | None:
    """Return the incidents by iteration, each with small pictures of its evidence."""
    anchor, title = f"{view.prefix}-incidents", "What happened"
    if view.nothing:
        return Section(anchor, title, "", (Paragraph(view.nothing),))
    if not view.incidents:
        seen = f"{counted(view.info.records, 'record')} and {counted(view.info.validations, 'validation')}"
        but = f", but {view.info.not_learned}" if view.info.not_learned else ""
        return Section(anchor, title, "", (Paragraph(f"No incident in {seen}{but}."),))
    dismissed = [one for one in view.incidents if one.status == "dismissed"]
    with_cards = {one.id for one in (*view.verdict.worst, *dismissed)[:MOST_CARDS]}
    items: list[Item] = [_card(view, one) for one in view.incidents if one.id in with_cards]
    others = [one for one in view.incidents if one.id not in with_cards]
    if others:
        rows = tuple(_row(view, one) for one in others)
        columns, numeric = ("number", "iteration", "what", "status"), (True, True, False, False)
        items.append(Table(columns, numeric, rows, title="Further incidents, less strange than those above"))
    caption = (
        "One entry for each cause, in the order of time. A picture shows over the iterations 20 records (or "
        "validations) before and after the beginning, which the dashed red line marks; the dashed blue line is what "
        "the value is compared with."
    )
    return Section(anchor, title, caption, tuple(items))


def _card(view: View, incident: Incident) -> Card:
    anchor = f"{view.prefix}-incident{view.numbers[incident.id]}"
    (evidence,) = view.query.incident_evidence([incident])
    pictures = evidence.series if incident.status != "dismissed" else ()
    return Card(
        id=anchor,
        number=view.numbers[incident.id],
        iteration=incident.first,
        title=_title(incident),
        standing={True: "still so at the end", False: "over", None: ""}[incident.persists],
        status=incident.status,
        facts=_facts(view, incident, evidence),
        pictures=evidence_pictures(anchor, pictures, incident.first),
        command=view.command(
            incident.first,
            next(iter(incident.layers), ""),
            next(iter(incident.classes), None),
            next(iter(incident.filters), None),
        ),
        rank=view.ranks.get(incident.id, 0),
    )


def _facts(view: View, incident: Incident, evidence: IncidentEvidence) -> tuple[Fact, ...]:
    facts = [Fact("cause", view.of_groups(incident.cause.heading))]
    if incident.layers:
        facts.append(Fact("where" if len(incident.layers) == 1 else "layers", safe(", ".join(incident.layers), 200)))
    if incident.filters:
        shown = ", ".join(map(str, incident.filters[:MOST_NUMBERS]))
        more = filters_of(incident) - MOST_NUMBERS
        facts.append(
            Fact(
                "filter" if filters_of(incident) == 1 else "filters",
                f"{shown} and {more:,} more" if more > 0 else shown,
            )
        )
    if incident.classes:
        facts.append(
            Fact(
                view.group if len(incident.classes) == 1 else view.of_groups("classes"),
                ", ".join(view.class_name(label) for label in incident.classes),
            )
        )
    facts += _shown_by(view, evidence)
    if evidence.rule:
        facts.append(Fact("rule", evidence.rule.removeprefix("rule: ")))
    turned = None if incident.classes else view.query.turned_wrong(incident)
    if turned is not None:
        told = turned.told(view.called, view.info.judging)
        facts.append(Fact(view.of_groups("images"), told))
    if not incident.is_final:
        facts.append(Fact("so far", "later records may still change this"))
    if incident.last > incident.first:
        facts.append(Fact("evidence", f"from {incident.first:,} to {incident.last:,}"))
    if incident.moved_first:
        facts.append(Fact("order", safe(incident.moved_first, 200)))
    if incident.status != "dismissed":
        facts.append(Fact(NEXT, incident.next_step))
    if incident.note:
        facts.append(Fact("note", safe(incident.note, 400)))
    return tuple(facts)


def filters_of(incident: Incident) -> int:
    """Return how many filters of its first layer an incident is of; it names some of many that died."""
    died = (one.count or 0 for one in incident.evidence if one.layer == incident.layers[0])
    return max(len(incident.filters), max(died, default=0) if incident.cause is Cause.DEAD else 0)


def _shown_by(view: View, evidence: IncidentEvidence) -> list[Fact]:
    """Return what the images of its class became, the layers that moved most then, and the samples before it."""
    facts = []
    if evidence.became and evidence.label is not None:
        facts.append(Fact("wrong", _became(view, evidence, evidence.label)))
    if evidence.moved:
        told = ", ".join(f"{layer_called(safe(one.layer, 80))} {times(one.times)}" for one in evidence.moved)
        facts.append(Fact("moved most", f"{told} the usual"))
    if evidence.batch is not None:
        facts.append(Fact("data", evidence.batch.sentence))
    return facts


def _became(view: View, evidence: IncidentEvidence, label: int) -> str:
    """Return how many images of a class were wrong at the worst validation, and what they were taken for."""
    wrong = sum(one.count for one in evidence.became)
    of = f"of {evidence.judged:,} {view.nouns[0]} of {view.called(label)} at {evidence.moment:,}"
    if not view.has_confusions:
        return f"{wrong:,} {of}"
    first, *others = evidence.became[:MOST_TAKEN_FOR]
    more = wrong - sum(one.count for one in (first, *others))
    told = [f"{first.count:,} taken for {view.called(first.label)}"]
    told += [f"{one.count:,} for {view.called(one.label)}" for one in others]
    told += [f"{more:,} for others"] if more else []
    return f"{wrong:,} {of}: {', '.join(told)}"


def _title(incident: Incident) -> str:
    """Return what happened, as a sentence without its full stop."""
    return safe(incident.sentence[:1].upper() + incident.sentence[1:], 400)


def _row(view: View, incident: Incident) -> Row:
    number = view.numbers[incident.id]
    cells = (str(number), f"{incident.first:,}", _title(incident), incident.status)
    return Row(cells, id=f"{view.prefix}-incident{number}", iteration=incident.first)


_ORDER = ("flagged", "new", "dismissed")


@section("review", order=40, screen="triage")
def review_section(view: View) -> Section | None:
    """Return the decisions on incidents; nothing where there are no incidents."""
    if not view.incidents:
        return None
    anchor, title = f"{view.prefix}-review", "Review"
    decided = [one for one in view.incidents if one.status != "new" or one.note]
    left = sum(one.status == "new" for one in view.incidents)
    if not decided:
        which = "the incident" if left == 1 else f"any of the {left:,} incidents"
        return Section(anchor, title, "", (Paragraph(f"Nobody has decided on {which} yet."),))
    decided.sort(key=lambda one: (_ORDER.index(one.status), one.first))
    rows = []
    for one in decided:
        who, when = view.query.decided_by(one.id)
        cells = (
            str(view.numbers[one.id]),
            f"{one.first:,}",
            one.status,
            safe(one.sentence, 300),
            safe(one.note, 400),
            safe(who, 60),
            moment(when) or safe(when, 40),
        )
        rows.append(Row(cells, iteration=one.first))
    columns = ("number", "iteration", "decision", "what", "note", "who", "when")
    table = Table(columns, (True, True, *(False,) * 5), tuple(rows))
    flagged = sum(one.status == "flagged" for one in decided)
    caption = f"{flagged:,} flagged, {len(decided):,} with a decision or note, {left:,} still to review."
    return Section(anchor, title, caption, (table,))
