"""The bars around the panes of every screen: top bar, ribbon, time axis and key bar; or a notice in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dtui.model.findings.review import INCIDENTS
from dtui.model.judging import as_groups
from dtui.safe_text import safe
from dtui.tui.panes.batches.batch import OPENING, OPENING_STEPS
from dtui.tui.panes.curves import reading_without_curves
from dtui.tui.panes.layers.structure import SCREEN as STRUCTURE
from dtui.tui.panes.validation.inside import FROM_EVERYWHERE
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.axis import AxisPicture
from dtui.tui.renderables.panes.incident_ribbon import IncidentRibbonPicture, entry_at
from dtui.tui.renderables.panes.key_bar import KeyBarPicture
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.panes.ribbon import RibbonPicture, anomaly_at
from dtui.tui.renderables.panes.top_bar import Pace, TopBarPicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import (
    BAR,
    BAR_AFTER,
    BAR_BETWEEN,
    BAR_LAST,
    BAR_LAST_INSIDE,
    BAR_OF_ANOMALIES,
    Action,
    BarItem,
    main_keys,
)
from dtui.tui.state.key_steps import STEPS
from dtui.tui.state.navigate import gone_back
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.questions import (
    AnomaliesQuestion,
    IncidentsNotJudgedQuestion,
    IncidentsQuestion,
    NotJudgedQuestion,
    Question,
)
from dtui.tui.state.review.entry_steps import said_on_ribbon, select_entry
from dtui.tui.state.screens.layout import RIBBON_ROWS, SMALLEST
from dtui.tui.state.selection import Selection


class TopBar(Pane):
    """The run, its size and status, and the screens."""

    name = "top"
    fixed_rows = 1
    has_time = False
    needs_records = False

    def picture(self, scene: Scene) -> TopBarPicture:
        """Return the bar."""
        tabs = tuple((screen.key, screen.name, screen.name[:3]) for screen in scene.table.screens)
        selection = scene.selection
        way = (selection.screen, *(screen for screen, _ in reversed(selection.came_from)))
        active = next((screen for screen in way if screen < len(scene.table.screens)), selection.screen)
        view = scene.view
        pace = Pace(view.rate, view.seconds_left, view.quiet_seconds) if view.is_live else Pace()
        return TopBarPicture(view.info, tabs, active, view.is_damaged, pace, view.is_gone)

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Go to the screen of a tab."""
        for place, (begin, _, width, _) in enumerate(self.picture(scene).tab_regions(frame)):
            if begin <= x < begin + width:
                return scene.selection.on_screen(place)
        return None


THRESHOLDS_OF_ANOMALIES = Action(
    "thresholds", ("p",), "thresholds", "Show what each threshold of anomalies marks, and the best.", "Review"
)


class Ribbon(Pane):
    """The ribbon of what people review along the time axis: incidents, or the paper's anomalies."""

    name = "ribbon"
    fixed_rows = RIBBON_ROWS
    actions = (OPENING, THRESHOLDS_OF_ANOMALIES)

    @property
    def steps(self) -> Mapping[str, Step]:
        """Open what is one key away from every screen: the batch behind an incident, lists of images, the network."""
        return {**OPENING_STEPS, **FROM_EVERYWHERE, STRUCTURE: lambda scene: scene.opened(STRUCTURE)}

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for incidents and anomalies, and for what detectors cannot judge."""
        yield IncidentsQuestion()
        yield IncidentsNotJudgedQuestion()
        yield AnomaliesQuestion(scene.selection.anomaly_settings)
        yield NotJudgedQuestion(scene.selection.anomaly_settings)

    def picture(self, scene: Scene) -> Picture:
        """Return them."""
        view, selection, nothing = scene.view, scene.selection, said_on_ribbon(scene)
        reading = reading_without_curves(scene)
        if selection.listing == INCIDENTS:
            return IncidentRibbonPicture(
                scene.entries, selection.entry, view.classes, view.stages, nothing, view.info.judging, reading
            )
        return RibbonPicture(
            view.anomalies, scene.entries, selection.entry, view.classes, view.stages, nothing, reading
        )

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Go to an entry."""
        if scene.selection.listing == INCIDENTS:
            found = entry_at(frame, scene.entries, x)
        else:
            found = anomaly_at(frame, scene.view.anomalies, x, y)
        return None if found is None else select_entry(scene, found)


class Axis(Pane):
    """The time axis."""

    name = "axis"
    fixed_rows = 1

    def picture(self, scene: Scene) -> Picture:
        """Return the axis."""
        info = scene.view.info
        gaps = tuple((gap.first, gap.last) for gap in info.gaps if gap.stream == "records")
        return AxisPicture(info.joins, gaps)


class KeyBar(Pane):
    """The keys of the pane that has the keyboard, or a message."""

    name = "bar"
    fixed_rows = 1
    has_time = False
    needs_records = False

    def picture(self, scene: Scene) -> KeyBarPicture:
        """Return the keys."""
        by_id, judging = scene.table.by_id, scene.view.info.judging
        shown, last = (
            tuple((main_keys(by_id, ids), as_groups(words, judging)) for ids, words in part)
            for part in self._items(scene)
        )
        return KeyBarPicture(shown, scene.message, last)

    def action_at(self, scene: Scene, frame: Frame, x: int) -> str | None:
        """Return the action of the key at a column."""
        found = self.picture(scene).item_at(frame, x)
        shown, last = self._items(scene)
        return None if found is None else (*shown, *last)[found[0]][0][found[1]]

    @staticmethod
    def _items(scene: Scene) -> tuple[Sequence[BarItem], Sequence[BarItem]]:
        """Return what the bar tells, the most important first, and what it ends with."""
        keys = dict(scene.asked(scene.pane, lambda pane, scene: pane.keys(scene)) or ())
        meant = BAR if scene.selection.listing == INCIDENTS else BAR_OF_ANOMALIES
        first = [(ids, keys.get(ids, words)) for ids, words in meant if ids in keys or _does(scene, ids)]
        own = [item for item in keys.items() if item[0] not in dict(BAR)]
        told = {id_ for ids in keys for id_ in ids}
        is_about_entries = scene.pane.needs_records and "entry_next" not in told  # else n is about something else
        between, after = (
            [item for item in part if told.isdisjoint(item[0]) and _does(scene, item[0])]
            for part in (BAR_BETWEEN if is_about_entries else (), BAR_AFTER)
        )
        items = (*first, *own[:1], *between, *own[1:], *after)
        return items, BAR_LAST if gone_back(scene) is None else BAR_LAST_INSIDE


def _does(scene: Scene, ids: tuple[str, ...]) -> bool:
    """Whether keys that every screen has can do anything in the pane with the keyboard."""
    if "row_down" in ids:
        return bool(scene.asked(scene.pane, lambda pane, scene: pane.rows(scene)))
    if ids[0] in ("entry_next", "flag", "dismiss"):
        return bool(scene.entries)
    if "pane" in ids or "maximise" in ids:
        return STEPS[ids[0]](scene) is not scene.selection
    return scene.pane.is_searchable or "search" not in ids


class Notice(Pane):
    """A notice on a screen that is too small, or that has nothing to show yet."""

    name = "notice"
    has_time = False

    def is_shown(self, scene: Scene) -> bool:
        """Whether there is something to say."""
        needs_records = any(pane.needs_records for pane in scene.screen.panes)
        return scene.layout.is_too_small or (scene.view.is_empty and needs_records)

    def height(self, scene: Scene) -> int:
        """Return the rows of the screen without the bars."""
        bars = [pane for pane in (*scene.table.above, *scene.table.below) if pane is not self and pane.is_shown(scene)]
        return max(0, scene.layout.height - sum(pane.height(scene) for pane in bars))

    def picture(self, scene: Scene) -> Picture:
        """Return what to say."""
        layout, view = scene.layout, scene.view
        if layout.is_too_small:
            text = f"{layout.width}×{layout.height} is too small"
            return MessagePicture(text, f"at least {SMALLEST[0]}×{SMALLEST[1]}; q quits")
        run = safe(view.info.run)
        if view.is_damaged:
            return MessagePicture(
                "Nothing can be read", f"files of {run} are missing or damaged: dtui check lists them"
            )
        if view.is_live:
            detail = f"{run} is being recorded; it shows up here by itself"
            return MessagePicture("Waiting for the first record", detail)
        return MessagePicture("Nothing was recorded", f"{run} ended before its first record; q quits")
