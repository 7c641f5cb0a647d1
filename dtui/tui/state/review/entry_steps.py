"""Steps through the entries of the review: pure functions that return the Selection on an entry."""

from __future__ import annotations

from dtui.model import Missing
from dtui.model.findings.review import INCIDENTS, Entry, reviewable
from dtui.tui.state.navigate import move_rows, shown
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.questions import IncidentsNotJudgedQuestion, NotJudgedQuestion
from dtui.tui.state.selection import Selection

NONE_FOUND = "none found"


def is_searching(scene: Scene) -> bool:
    """Whether the detectors have not answered yet."""
    selection, view = scene.selection, scene.view
    if selection.listing == INCIDENTS:
        return not view.knows_incidents
    return view.searched != selection.anomaly_settings


def without_entries(scene: Scene) -> tuple[str, ...]:
    """Return messages for a run without entries, the longest first: still searching, or what detectors lack."""
    if is_searching(scene):
        return ("searching …",)
    kind = IncidentsNotJudgedQuestion if scene.selection.listing == INCIDENTS else NotJudgedQuestion
    lacking: tuple[Missing, ...] = scene.answers.get(kind) or ()
    said = [lacks.sentence for lacks in sorted(lacking, key=lambda lacks: not lacks.is_early)]
    if not said:
        return (NONE_FOUND,)
    return ("; ".join(said), f"{said[0]} (and {len(said) - 1} more)", said[0]) if len(said) > 1 else (said[0],)


def said_on_ribbon(scene: Scene) -> tuple[str, ...]:
    """Return messages for a ribbon without entries, the longest first: that there is none, then what detectors lack."""
    said = without_entries(scene)
    if is_searching(scene) or said == (NONE_FOUND,):
        return said
    none = "no incident" if scene.selection.listing == INCIDENTS else "no anomaly"
    return (*(f"{none}; {words}" for words in said), f"{none}; not all could be judged", none)


def searched_pane(scene: Scene) -> Pane | None:
    """Return the pane of the screen whose search is on; None for none."""
    panes = (scene.pane, *scene.screen.panes)
    return next((pane for pane in panes if scene.selection.search_of(pane.name)), None)


def next_entry(scene: Scene, by: int) -> Selection:
    """Return the selection on the next (1) or previous (-1) entry; at the ends it stays.

    While a search is on, it is the next or previous match instead, as in vim.
    """
    searched = searched_pane(scene)
    if searched is not None:
        return move_rows(scene.at(scene.with_pane(searched)), by)
    found = neighbour(scene, by)
    return scene.selection if found is None else select_entry(scene, found.id)


def neighbour(scene: Scene, by: int) -> Entry | None:
    """Return the next (1) or previous (-1) entry, or None at an end.

    It is counted from the selected entry if the crosshair is on it, or else from the crosshair.
    """
    selection, entries = scene.selection, scene.entries
    places = {entry.id: place for place, entry in enumerate(entries)}
    selected = scene.view.find_entry(selection.entry)
    here = None if selected is None or not selected.is_at(selection.cursor) else places.get(selected.id)
    if here is not None:
        after = [entry for entry in reviewable(entries) if (places[entry.id] - here) * by > 0]
    elif by > 0:
        after = [entry for entry in reviewable(entries) if entry.iteration >= selection.cursor]
    else:
        after = [entry for entry in reviewable(entries) if entry.iteration < selection.cursor]
    if not after:
        return None
    return after[0] if by > 0 else after[-1]


def select_entry(scene: Scene, entry: str) -> Selection:
    """Return the selection on an entry: its iteration, and its layer, filter or class in each pane."""
    found = scene.view.find_entry(entry)
    if found is None:
        return scene.selection
    scene = scene.at(scene.selection.changed(entry=found.id).with_cursor(found.iteration))
    return shown(scene.through(lambda pane, scene: pane.show(scene, found)), scene)


def entry_at(scene: Scene, iteration: int) -> Entry | None:
    """Return the entry of the review that lies at an iteration: the selected one, if it does."""
    selected = scene.view.find_entry(scene.selection.entry)
    candidates = scene.entries if selected is None else (selected, *scene.entries)
    return next((entry for entry in candidates if entry.is_at(iteration)), None)


def select_strongest(scene: Scene) -> Selection:
    """Return the selection on the strongest entry of a finished run, unless one is selected."""
    candidates = reviewable(scene.entries)
    if scene.view.is_live or scene.selection.entry or not candidates:
        return scene.selection
    return select_entry(scene, max(candidates, key=lambda entry: entry.score).id)


def switch_listing(scene: Scene) -> Selection:
    """Return the selection that lists the paper's anomalies in place of the incidents, or the other way round.

    What lies at the crosshair is selected there.
    """
    listing = "anomalies" if scene.selection.listing == INCIDENTS else INCIDENTS
    switched = scene.selection.changed(listing=listing, entry=None, marked=frozenset())
    here = entry_at(scene.at(switched), switched.cursor)
    return switched.changed(entry=None if here is None else here.id)
