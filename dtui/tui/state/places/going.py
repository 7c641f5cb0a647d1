"""The part of a session that goes to places: a typed line, a link, an action that another screen has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from dtui.safe_text import safe
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.places.following import entry_of, follow, nearest_entry
from dtui.tui.state.places.go_to import Place, places
from dtui.tui.state.places.link import Link, link_words
from dtui.tui.state.places.plain_words import asked
from dtui.tui.state.places.remark import Remark, in_a_row, missing
from dtui.tui.state.run_view import RunView
from dtui.tui.state.selection import Selection


class Going(ABC):
    """Goes to places in a run."""

    view: RunView
    message: str
    _link: Link | None
    _awaited: Link | None
    _touched: bool

    @property
    @abstractmethod
    def scene(self) -> Scene:
        """Everything that decides what a key does."""

    @abstractmethod
    def step_of(self, action: str) -> Step | None:
        """Return the step of an action: a pane's own, or else that of every screen; None if it has none."""

    @abstractmethod
    def choose(self, selection: Selection) -> None:
        """Take a selection that was not made by keys."""

    @abstractmethod
    def take(self, pane: Pane, step: Step) -> None:
        """Take a step."""

    @abstractmethod
    def keep_doing(self, do: Callable[[], None], before: Selection) -> bool:
        """Keep what has just been done, if it had no effect because data are missing."""

    @abstractmethod
    def settle(self, selection: Selection) -> None:
        """Take the nearest possible selection."""

    @abstractmethod
    def fail(self, message: str) -> None:
        """Show a message about data that could not be read or written."""

    def reach(self, action: str) -> None:
        """Go to the first screen where an action has an effect; stay if it has one here."""
        if self.step_of(action) is None:
            for pane in self.scene.table.panes:
                if action in pane.steps:
                    self.choose(self.scene.with_pane(pane))
                    return

    def go_to(self, pane: Pane, step: Step) -> None:
        """Go to a pane and take a step there; again when what the step needs has been read."""
        self.choose(self.scene.with_pane(pane))
        before = self.scene.selection
        self.take(pane, step)
        self.keep_doing(partial(self.take, pane, step), before)

    def find_places(self, line: str, most: int) -> list[Place]:
        """Return what a typed line may mean, the best first."""
        return places(self.scene, line, most)

    def go(self, line: str, chosen: int) -> str | None:
        """Go to the chosen one of the places that a line may mean; return the action to perform, if it is one."""
        found = self.find_places(line, chosen + 1)
        if not 0 <= chosen < len(found):
            self.fail(f"{safe(line, 40)}: no iteration, layer, class or action is called so")
            return None
        place = found[chosen]
        if place.action is not None:
            self.reach(place.action)
            return place.action
        if place.step is not None and place.pane is not None:
            self.go_to(place.pane, place.step)
            self.message = place.words if asked(line).short not in place.words.casefold() else self.message
        elif place.step is not None:
            self.choose(place.step(self.scene))
            self.message = place.hint  # that nothing was recorded there
        return None

    def link(self, run: Path) -> str:
        """Return the command that opens what is selected now."""
        return link_words(self.scene, str(run))

    def follow_link(self) -> None:
        """Go to the place that was asked for, once; an empty run has none yet."""
        if self._link is None or self.view.is_empty:
            return
        self._touched = True
        self._follow(self._link)
        is_about_entry = self._link.incident is not None or self._link.at is not None
        self._awaited = self._link if is_about_entry and self.scene.selection.entry is None else None
        self._link = None

    def _follow(self, link: Link, *said: Remark) -> None:
        """Go to a link's place, and say what is not there, behind what is to be said anyhow."""
        selection, more = follow(self.scene, link)
        self.settle(selection)
        self.message = in_a_row([*said, *more])

    def follow_to_entry(self) -> None:
        """Select the incident of a link when the detectors have answered, unless a person has acted since.

        Of one that is not there the nearest is selected, and said.
        """
        link, scene = self._awaited, self.scene
        if link is None:
            return
        found = entry_of(scene, link)
        if link.incident is None:
            if found is not None:
                self._awaited = None
                self._follow(link)
            return
        is_known = self.view.knows_incidents and (
            link.incident.startswith("incident") or self.view.searched is not None  # else it may be an anomaly's
        )
        if found is not None or is_known:
            self._awaited, asked = None, f"incident {safe(link.incident, 60)}"
            if found is not None:
                self._follow(replace(link, incident=found.id))
            elif (near := nearest_entry(scene, link)) is not None:
                instead = f"the nearest, at {near.iteration:,}"
                self._follow(replace(link, incident=near.id, at=None), missing(asked, instead))
            else:
                self.message = missing(asked, more="; there is none").alone
