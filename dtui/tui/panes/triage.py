"""The list of what people review: incidents, or the paper's anomalies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import RunStatus
from dtui.model.findings.incident_evidence import IncidentEvidence
from dtui.model.findings.review import INCIDENTS, Entry
from dtui.number_text import counted
from dtui.query import RunQuery
from dtui.safe_text import safe
from dtui.tui.panes.entry_detail import EvidenceQuestion
from dtui.tui.panes.rows import ListPane
from dtui.tui.renderables.panes.message import MessagePicture, wrap
from dtui.tui.renderables.panes.triage import FOOTER_INDENT, TITLE, TriagePicture, words_of
from dtui.tui.renderables.parts.chrome import number
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.state.actions import BarItem
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.places.go_to import to_iteration
from dtui.tui.state.questions import Question
from dtui.tui.state.review.entry_steps import NONE_FOUND, is_searching, select_entry, without_entries
from dtui.tui.state.review.listed import BY_TIME, ORDERS, listed
from dtui.tui.state.selection import Selection

UNDO: BarItem = (("undo",), "undo")
MOST_NAMED = 3
"""Classes, or layers of a kind, that a run without incidents names."""
NOTHING_ROWS = 10
"""Of the sentence that says that there is no incident, with air around it."""
LEAST_ROOM = 7
"""Rows from which on the entries leave some to what else is there."""


@dataclass(frozen=True, slots=True)
class TriageOptions:
    """The order of the list, of ORDERS."""

    order: str = BY_TIME


@dataclass(frozen=True, slots=True)
class WorstAtEndQuestion(Question[tuple[tuple[int, float], ...]]):
    """The classes that are most wrong at the last validation: what no detector took for an incident may be one."""

    iteration: int
    about = "the worst classes at the end"

    def ask(self, query: RunQuery) -> tuple[tuple[int, float], ...]:
        """Return their labels and errors, the worst first."""
        return query.worst_classes(self.iteration, MOST_NAMED)


class Triage(ListPane):
    """Entries in order of time, or another; the selected row is the selected entry."""

    name = "triage"
    title = TITLE
    has_time = False
    lists_entries = True
    is_searchable = True
    bar = (
        (("fold_toggle",), "go there"),
        (("inside",), "its images"),
        (("note",), "note"),
        (("mark",), "mark"),
        UNDO,
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Put the entries in another order."""
        return {"sort": cycling(TriageOptions, "order", tuple(ORDERS))}

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return those that do something, with what L lists."""
        is_paper = scene.selection.listing != INCIDENTS
        listing = (("listing",), "incidents" if is_paper else "anomalies")
        own = (item for item in self.bar if scene.can_undo or item != UNDO)
        others = (listing, (("thresholds",), "thresholds")) if is_paper else (listing,)
        return (*own, *others, (("sort",), "sort")) if scene.entries else others

    # --- what it shows

    def needed(self, scene: Scene) -> int:
        """Return the rows of all entries; where there is none, those of the sentence that says why."""
        if not scene.entries:
            return NOTHING_ROWS
        return 1 + len(scene.entries) + sum(map(len, self._footer(scene))) + bool(self._reason(scene))

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for what shows the incidents on the screen."""
        ids = [entry.id for entry in self.asked_for(scene) if entry.incident is not None]
        if ids and self.height(scene):
            yield EvidenceQuestion(tuple(ids))
        last = scene.view.info.last_iteration
        if not scene.entries and not is_searching(scene) and scene.selection.listing == INCIDENTS and last is not None:
            yield WorstAtEndQuestion(last)

    def picture(self, scene: Scene) -> Picture:
        """Return the list, or why it is empty."""
        entries, selection = self.items(scene), scene.selection
        if is_searching(scene) and not entries:
            return MessagePicture("Looking for incidents …", "the detectors read the whole run once", self.title)
        if not scene.entries:
            return MessagePicture(*self._nothing(scene), self.title)
        if not entries:
            search = safe(selection.search_of(self.name), 40)
            return MessagePicture(f"No {scene.entries[0].noun} matches /{search}", "Esc ends the search", self.title)
        row = self.place(scene, entries)
        is_here = entries[row].id == selection.entry
        evidence = scene.answers.get(EvidenceQuestion) or {}
        return TriagePicture(
            entries,
            self.window(selection).first,
            row if is_here else -1,
            selection.marked,
            scene.view.classes,
            {id_: found.series[0] for id_, found in evidence.items() if found.series},
            title=self._counts(scene),
            footer=self._shown_footer(scene),
            reason=self._reason(scene),
        )

    def _reason(self, scene: Scene) -> str:
        """Return why the training crashed; "" if it did not, or nobody knows."""
        info = scene.view.info
        known = info.reason if info.status is RunStatus.CRASHED else ""
        return f"the training crashed: {safe(known, 300)}" if known else ""

    def _shown_footer(self, scene: Scene) -> tuple[str, ...]:
        """Return the quiet lines that are shown: in a low pane, only sentences that take no entry's place."""
        room, shown = self.height(scene) - 1 - bool(self._reason(scene)), tuple[str, ...]()
        for lines in self._footer(scene):
            if room < LEAST_ROOM and len(scene.entries) + len(shown) + len(lines) > room:
                break
            shown += lines
        return shown

    def _counts(self, scene: Scene) -> str:
        entries, listing = scene.entries, scene.selection.listing
        if not entries:
            return ""
        said = [
            f"{sum(entry.status == status for entry in entries):,} {status}"
            for status in ("new", "flagged", "dismissed")
            if any(entry.status == status for entry in entries)
        ]
        found = sum(len(entry.ids) for entry in entries)
        words = f"{found:,} {entries[0].noun if found == 1 else listing}"
        rows = f" in {counted(len(entries), 'row')}" if len(entries) < found else ""
        search, order = scene.selection.search_of(self.name), scene.selection.get(TriageOptions).order
        shown = f" · {len(self.items(scene)):,} found by /{safe(search, 40)}" if search else ""
        return f"{words}{rows}: {', '.join(said)}{shown}" + (f" · {ORDERS[order]}" if order != BY_TIME else "")

    def _footer(self, scene: Scene) -> tuple[tuple[str, ...], ...]:
        """Return quiet sentences, each as lines: what else is there, and what could not be judged."""
        return scene.once(f"{self.name} footer", lambda: self._quiet_lines(scene))

    def _quiet_lines(self, scene: Scene) -> tuple[tuple[str, ...], ...]:
        lines = []
        if scene.selection.listing == INCIDENTS and scene.view.info.not_learned:
            lines.append(scene.view.info.not_learned)
        if scene.selection.listing == INCIDENTS and scene.view.anomalies:
            lines.append(
                f"{counted(len(scene.view.anomalies), 'anomaly', 'anomalies')} by the paper's rules: L lists them"
            )
        lines += [said for said in without_entries(scene)[-1:] if scene.entries and said != NONE_FOUND]
        room = max(1, scene.size[0] - FOOTER_INDENT - 1)
        return tuple(tuple(wrap(safe(line, 400), room)) for line in lines if not line.startswith("searching"))

    def _nothing(self, scene: Scene) -> tuple[str, str]:
        info, listing = scene.view.info, scene.selection.listing
        words = f"No {listing[:-1] if listing == INCIDENTS else 'anomaly'} in {counted(info.records, 'record')}"
        if info.validations:
            words += f" and {counted(info.validations, 'validation')}"
        if info.not_learned and listing == INCIDENTS:
            words += f", but {info.not_learned}"
        if listing == INCIDENTS:
            words = ". ".join((words, *self._at_the_end(scene)))
        said = without_entries(scene)[0]
        if reason := self._reason(scene):
            words = f"{reason}. {words}"
        hint = "L lists the paper's anomalies" if listing == INCIDENTS else "[ lowers the threshold; L goes back"
        return words, hint if said == NONE_FOUND else f"{said}; {hint}"

    def _at_the_end(self, scene: Scene) -> Iterator[str]:
        """Yield what is so at the end, or now, and no incident says: the worst classes, layers that did not train."""
        worst, states = scene.answers.get(WorstAtEndQuestion) or (), scene.view.info.states
        if worst:
            when = "now" if scene.view.is_live else "at the end"
            named = (f"{class_name(scene.view.classes, label)} at {100 * error:.0f} %" for label, error in worst)
            yield f"Most wrong {when}: {', '.join(named)}"
        for layers, what in (
            (states.frozen, "frozen from the start"),
            (states.no_gradient, "without a gradient from the start"),
            (states.unchanged, "unchanged from the start"),
        ):
            if layers:
                named = (safe(name, 40) for name in layers[:MOST_NAMED])
                more = f" and {counted(len(layers) - MOST_NAMED, 'more layer')}" if len(layers) > MOST_NAMED else ""
                yield f"{what.capitalize()}: {', '.join(named)}{more}"

    # --- its rows

    def items(self, scene: Scene) -> Sequence[Entry]:
        """Return the entries that the search finds, in the chosen order."""
        selection = scene.selection
        order, search = selection.get(TriageOptions).order, selection.search_of(self.name)
        if order == BY_TIME and not search:
            return scene.entries
        classes = scene.view.classes
        told = partial(words_of, classes=classes)
        return scene.once(f"{self.name} rows", lambda: listed(scene.entries, order, search, told))

    def shown(self, scene: Scene) -> int:
        """Return the rows that are visible at once."""
        return max(1, self.height(scene) - 1 - len(self._shown_footer(scene)) - bool(self._reason(scene)))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on an entry, with the crosshair, the layer and the class that it names."""
        entries = self.items(scene)
        return select_entry(scene, entries[row].id) if entries else scene.selection

    def row(self, scene: Scene) -> int:
        """Return the row of the selected entry; -1 where none is selected, so that the next row is the first."""
        entry = scene.selection.entry
        return next((row for row, one in enumerate(self.items(scene)) if one.id == entry), -1)

    def place(self, scene: Scene, items: Sequence[Entry]) -> int:
        """Return the row of the selected entry, or the first."""
        return max(0, self.row(scene))

    def settle(self, scene: Scene) -> Selection:
        """Return the selection on an entry that a search finds, the first where it does not find the selected one."""
        if scene.selection.search_of(self.name) and self.items(scene) and self.row(scene) < 0:
            scene = scene.at(select_entry(scene, self.items(scene)[0].id))
        return super().settle(scene)

    def said(self, before: Selection, scene: Scene) -> str:
        """Say in which order the entries are."""
        order = scene.selection.get(TriageOptions).order
        return f"{scene.selection.listing} {ORDERS[order]}" if order != before.get(TriageOptions).order else ""

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is an entry to go to."""
        return scene.selection.entry is not None

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Go to the screen that shows the entry best, its classes or its layer, with all that it names selected."""
        entry = scene.view.find_entry(scene.selection.entry)
        if entry is None or open_ is False:
            return scene.selection
        wanted = Shows.CLASSES if entry.classes and not entry.layers else Shows.LAYERS
        place = next((pane for pane in scene.table.panes if pane.shows is wanted), None)
        if place is None:
            return scene.selection
        there = scene.at(select_entry(scene, entry.id))
        evidence = _evidence_of(scene, entry)
        moment = None if evidence is None or wanted is not Shows.CLASSES else evidence.moment
        if moment is not None and entry.is_at(moment):  # what the classes became may show records after the cause
            there = scene.at(to_iteration(there, moment))
        if not entry.layers and evidence is not None and evidence.moved:
            layers = next((pane for pane in scene.table.panes if pane.shows is Shows.LAYERS), place)
            there = there.at(layers.show(there, replace(entry, layers=(evidence.moved[0].layer,))))
        return there.with_pane(place)

    def led(self, before: Scene, now: Selection) -> str:
        """Say which layer is shown of what names none."""
        entry, panes = before.view.find_entry(before.selection.entry), before.at(now).screen.panes
        has_come = now.screen != before.selection.screen and any(pane.shows is Shows.LAYERS for pane in panes)
        if entry is None or entry.layers or not has_come:
            return ""
        evidence, place = _evidence_of(before, entry), safe(entry.place(before.view.classes), 60)
        most = evidence.moved[0] if evidence is not None and evidence.moved else None
        if most is None or before.view.tree[now.node].name != most.layer:
            return f"{place}: names no layer; this one was selected before"
        return f"{place}: {safe(most.layer, 60)} moved most, {number(most.times)} times its usual"

    def mark(self, scene: Scene) -> Selection:
        """Mark the selected entry, or no longer, and go on to the next row."""
        selection = scene.selection
        if selection.entry is None:
            return selection
        marked = scene.at(selection.changed(marked=selection.marked ^ {selection.entry}))
        return self.select(marked, min(self.row(marked) + 1, self.rows(marked) - 1))

    def mark_alike(self, scene: Scene) -> Selection:
        """Mark all entries of the selected one's kind; none, if they are marked."""
        entry = scene.view.find_entry(scene.selection.entry)
        if entry is None:
            return scene.selection
        alike = frozenset(other.id for other in scene.entries if other.kind == entry.kind)
        marked = scene.selection.marked
        return scene.selection.changed(marked=marked - alike if alike <= marked else marked | alike)

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer each incident, the strongest first, as what a person asks for: what broke."""
        incidents = sorted(scene.view.entries.get(INCIDENTS, ()), key=lambda entry: -entry.score)
        for entry in incidents:
            place = safe(entry.place(scene.view.classes))
            kind = "layer " if entry.layer and place.startswith(entry.layer) and "layer" not in place else ""
            words = f"what broke at {entry.iteration:,}: {kind}{place}"
            yield words, words_of(entry, scene.view.classes), partial(_to_incident, entry=entry.id)
        if not incidents:
            said = "no incident" if scene.view.knows_incidents else "still looking for incidents"
            yield f"what broke: {said}", "Go to the Triage screen.", lambda scene: scene.selection

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the entries that are listed."""
        columns = ("iteration", "last iteration", "kind", "layer", "filter", "class", "status", "sentence", "note")
        rows = [
            (
                entry.iteration,
                entry.last,
                entry.kind,
                entry.layer or "",
                " ".join(map(str, entry.filters)),
                " ".join(map(str, entry.classes)),
                entry.status,
                words_of(entry, scene.view.classes),
                entry.note,
            )
            for entry in self.items(scene)
        ]
        return Numbers(scene.selection.listing, columns, rows)


def _evidence_of(scene: Scene, entry: Entry) -> IncidentEvidence | None:
    found: IncidentEvidence | None = (scene.answers.get(EvidenceQuestion) or {}).get(entry.id)
    return found


def _to_incident(scene: Scene, entry: str) -> Selection:
    return select_entry(scene.at(scene.selection.changed(listing=INCIDENTS)), entry)
