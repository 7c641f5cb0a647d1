"""Makes decisions on entries of the review, takes them back, and says what is new in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.review import Entry
from dtui.safe_text import safe
from dtui.tui.state.pane import Scene
from dtui.tui.state.run_view import RunView

WORDS = {"dismissed": "dismissed", "flagged": "flagged", "new": "no longer flagged"}


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on an entry, to be written by the loader; a note of None stays as it is."""

    entry: str
    status: str
    note: str | None


def targets(scene: Scene) -> tuple[Entry, ...]:
    """Return the entries that a decision is about: the marked ones, or the selected one if the crosshair is on it."""
    selection = scene.selection
    marked = tuple(entry for entry in scene.entries if entry.id in selection.marked)
    if marked:
        return marked
    entry = scene.view.find_entry(selection.entry)
    return (entry,) if entry is not None and entry.is_at(selection.cursor) else ()


def no_target(scene: Scene) -> str:
    """Return why a decision would be about nothing, and what to do."""
    selection = scene.selection
    noun = "incident" if selection.listing == "incidents" else "anomaly"
    entry = scene.view.find_entry(selection.entry)
    if entry is None:
        return f"no {noun} selected: n goes to the next"
    return f"the crosshair is at {selection.cursor:,}, and the {noun} at {entry.iteration:,}: n goes to the next"


def decided(entries: Sequence[Entry], action: str) -> tuple[Decision, ...]:
    """Return the decisions of "flag" or "dismiss"; a flag on entries that all have one takes it away."""
    if action == "dismiss":
        status = "dismissed"
    else:
        status = "new" if all(entry.status == "flagged" for entry in entries) else "flagged"
    return tuple(Decision(one, status, None) for entry in entries for one in entry.ids)


def noted(entries: Sequence[Entry], text: str) -> tuple[Decision, ...]:
    """Return the decisions that put a note on entries."""
    return tuple(Decision(one, entry.status, text) for entry in entries for one in entry.ids)


def undoing(entries: Iterable[Entry]) -> tuple[Decision, ...]:
    """Return the decisions that make entries again what they are now."""
    one_by_one = (entry.anomalies or (entry,) for entry in entries)
    return tuple(Decision(one.id, one.status, one.note) for event in one_by_one for one in event)


def told(decisions: Sequence[Decision], scene: Scene) -> str:
    """Return a message about decisions just taken: on what, and how much is left."""
    view, left = scene.view, sum(entry.status == "new" for entry in scene.entries)
    return f"{WORDS[decisions[0].status]}: {about(decisions, view)}; {left} to review, u takes it back"


def about(decisions: Sequence[Decision], view: RunView) -> str:
    """Return what decisions are about, such as "layer3.conv1 filter 17 at 1,360"; safe to show."""
    entry = view.find_entry(decisions[0].entry)
    if entry is None:
        return "an entry that is no longer listed"
    many = len({found.id for one in decisions if (found := view.find_entry(one.entry)) is not None})
    if many > 1:
        return f"{many:,} marked"
    return f"{safe(entry.place(view.classes), 40)} at {entry.iteration:,}"


def news(view: RunView, incidents: Sequence[Entry]) -> str:
    """Return what a live run has shown since the detectors answered last; "" if nothing, or they never did."""
    known = {incident.id for incident in view.incidents}
    new = [incident for incident in incidents if incident.id not in known]
    if not (view.knows_incidents and view.is_live and new):
        return ""
    latest = max(new, key=lambda incident: incident.score)
    more = f" and {len(new) - 1} more" if len(new) > 1 else ""
    return f"new: {latest.sign} {safe(latest.place(view.classes), 40)} at {latest.iteration:,}{more}"
