"""The commands on what happened in a run (one incident per cause), and on its state at the end: incidents, state."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dtui.cli.outcome import Exit, Outcome
from dtui.errors import UsageError
from dtui.number_text import counted

if TYPE_CHECKING:
    from dtui.model import Incident, Missing, RunState, StateEntry
    from dtui.model.findings.batches import BatchAnswer
    from dtui.model.relations import FilterChoice

_STYLES = {"flagged": "warn", "dismissed": "dim"}
LONGEST_SENTENCE = 400
MOST_NUMBERS = 12


def run_incidents(options: argparse.Namespace) -> Outcome:
    """List the incidents and, with --fail-on, judge the run by their number."""
    from dtui.cli.as_json import incident_fields, to_json
    from dtui.query import open_run

    with open_run(options.run) as query:
        query.settle()
        images = query.image_set()
        classes: tuple[str, ...] = images.classes if images is not None else ()
        found = [one for one in query.incidents() if options.since is None or one.last >= options.since]
        missing, failed, damage = query.incidents_not_judged(), query.detector_faults(), query.faults()
        checks, info = query.incident_checks(), query.info()
        batches = query.incident_batches(found)
    code, remark = Exit.DONE, _remark(options.run, damage, failed, missing)
    if options.fail_on is not None:
        left = sum(one.status != "dismissed" for one in found)
        is_unsure = bool(damage or failed or any(not lacks.is_covered for lacks in missing))
        code = Exit.NOT_FINE if left >= options.fail_on else Exit.NOT_JUDGED if is_unsure else Exit.DONE
    if options.json:
        return Outcome(
            to_json([incident_fields(one, classes, batch) for one, batch in zip(found, batches, strict=True)]),
            code,
            remark,
        )
    seen = f"{counted(info.records, 'record')}, {counted(info.validations, 'validation')}"
    return Outcome(_text(options.run, found, batches, checks, seen, info.not_learned), code, remark)


def events_of_filter(options: argparse.Namespace, choice: FilterChoice) -> Outcome:
    """List the anomalies and incidents at which one filter is among those that changed most."""
    from dtui.cli.as_json import class_name, to_json
    from dtui.cli.table import table
    from dtui.query import open_run
    from dtui.query.relations.anomaly_filters import layers_like

    name, number = options.of
    with open_run(options.run) as query:
        layers = query.structure().layers
        layer = next((one for one in layers if name in (one.name, *one.aliases)), None)
        if layer is None:
            raise UsageError(f"{options.run}: no layer {name!r}; {layers_like(name, [one.name for one in layers])}")
        if not number.isdigit() or int(number) >= layer.filters:
            raise UsageError(f"{options.run}: no filter {number!r} in layer {layer.name}; use 0 to {layer.filters - 1}")
        events = (*query.class_events(), *query.incident_events())
        found = query.events_of_filter(layer.index, int(number), events, choice)
        images, damage = query.image_set(), query.faults()
    classes = images.classes if images is not None else ()
    remark = f"{options.run}: events may be missing where it is damaged: {damage[0]}" if damage else ""
    rows = [(one.iteration, "" if one.label is None else class_name(classes, one.label), one.id) for one in found]
    if options.json:
        fields = [{"iteration": at, "class": label, "id": event} for at, label, event in rows]
        return Outcome(to_json(fields), remark=remark)
    if not rows:
        return Outcome(f"filter {number} of {layer.name} is among those that changed most at none", remark=remark)
    cells = [[f"{at:,}", label, event] for at, label, event in rows]
    return Outcome(table([">iteration", "class", "id"], cells), remark=remark)


def run_state(options: argparse.Namespace) -> Outcome:
    """Show the state of filters and layers at the end of the run."""
    from dtui.cli.as_json import state_fields, to_json
    from dtui.query import open_run

    with open_run(options.run) as query:
        query.settle()
        state, faults = query.state(), query.faults()
    lines = [*(f"what is damaged is not told: {fault}" for fault in faults), *state.missing]
    remark = f"{options.run}: {lines[0]}{f' (and {len(lines) - 1} more)' if len(lines) > 1 else ''}" if lines else ""
    if options.json:
        return Outcome(to_json(state_fields(state)), remark=remark)
    return Outcome(_state_text(state), remark=remark)


def _state_text(state: RunState) -> str:
    from dtui.cli.table import paint, table
    from dtui.model.findings.adapters import adapter_sentences
    from dtui.safe_text import safe

    adapters = [f"adapters: {safe(line, LONGEST_SENTENCE)}" for line in adapter_sentences(state.adapters)]
    if not state.entries:
        nothing = paint(f"nothing stands out at the end of {counted(state.records, 'record')}", "dim")
        return "\n".join([nothing, *adapters])
    rows = [
        [
            str(entry.standing),
            entry.layer,
            f"{len(entry.filters):,} of {entry.of:,}" if entry.filters else "all",
            _since(entry),
            _numbers(entry.filters),
        ]
        for entry in state.entries
    ]
    return "\n".join([table(["state", "layer", ">filters", ">since", "which"], rows), *adapters])


def _since(entry: StateEntry) -> str:
    known = [at for at in entry.since if at is not None]
    if not known:
        return "the beginning" if entry.standing in ("no gradient", "not trained") else ""
    return f"{min(known):,}" + (f"–{max(known):,}" if max(known) != min(known) else "")


def _numbers(filters: Sequence[int]) -> str:
    shown = ", ".join(map(str, filters[:MOST_NUMBERS]))
    return f"{shown} and {len(filters) - MOST_NUMBERS:,} more" if len(filters) > MOST_NUMBERS else shown


def _remark(run: str, damage: Sequence[str], failed: Sequence[str], missing: Sequence[Missing]) -> str:
    """Return one line on why incidents may be hidden: damage, a detector that failed, what was not recorded; or ""."""
    lines = [f"incidents may be hidden where it is damaged: {fault}" for fault in damage]
    lines += [f"incidents may be hidden: {fault}" for fault in failed]
    lines += [lacks.sentence for lacks in missing if not lacks.is_covered]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return f"{run}: {lines[0]}{more}" if lines else ""


def _text(
    run: str,
    found: Sequence[Incident],
    batches: Sequence[BatchAnswer | None],
    checks: Sequence[str],
    seen: str,
    not_learned: str,
) -> str:
    from dtui.cli.table import sentence

    widest = max((len(f"{one.first:,}") for one in found), default=0)
    lines = [line for one, batch in zip(found, batches, strict=True) for line in _lines(run, one, batch, widest)]
    lines += [not_learned] if not_learned else []
    to_review = sum(one.status == "new" for one in found)
    count = f"{counted(len(found), 'incident')}, {to_review:,} to review" if found else "no incident"
    looked = f"looked for in {seen}: {', '.join(checks)}" if checks else f"no check could run yet in {seen}"
    return "\n".join([*lines, sentence(f"{count}; {looked}", "dim")])


def _lines(run: str, incident: Incident, batch: BatchAnswer | None, widest: int) -> list[str]:
    from dtui.cli.table import sentence
    from dtui.safe_text import safe

    head = f"{incident.first:,}".rjust(widest)
    status = "" if incident.status == "new" else f" [{incident.status}]"
    notes = [incident.moved_first, "still so at the end" if incident.persists else "", incident.note, incident.id]
    said = safe(f"{head}  {incident.sentence}{status}", LONGEST_SENTENCE)
    more = safe(" · ".join(note for note in notes if note), LONGEST_SENTENCE)
    blank = " " * (widest + 2)
    told = [] if incident.status == "dismissed" else [sentence(f"{blank}next: {incident.next_step}", "", len(blank))]
    if batch is not None:
        told.append(sentence(safe(f"{blank}data: {batch.sentence}", LONGEST_SENTENCE), "", len(blank)))
        told.append(safe(f"{blank}dtui batch {shlex.quote(run)} --at {incident.first} lists them", LONGEST_SENTENCE))
    return [
        sentence(said, _STYLES.get(incident.status, ""), len(blank)),
        *told,
        sentence(f"{blank}{more}", "dim", len(blank)),
    ]
