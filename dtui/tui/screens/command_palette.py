"""Finds entries for the command palette: actions, statistics, layers, classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

if TYPE_CHECKING:
    from dtui.tui.state.pane import Pane, Step
    from dtui.tui.state.session import Session

Command = tuple[str, str, Callable[[], None]]
HIDDEN = frozenset({"palette"})


class CommandedApp(Protocol):
    """The part of the app that commands use."""

    @property
    def session(self) -> Session | None:
        """The session of the open run; None before it is open."""

    def perform(self, action: str) -> None:
        """Do an action, as its key does."""

    def paint(self) -> None:
        """Show what has changed."""


class ActionProvider(Provider):
    """Finds commands by their words."""

    async def discover(self) -> Hits:
        """Offer the actions of the registry."""
        for words, help_, run in _actions(self._dtui):
            yield DiscoveryHit(Content(words), run, text=words, help=help_)

    async def search(self, query: str) -> Hits:
        """Offer the entries that match."""
        matcher = self.matcher(query)
        for words, help_, run in (*_actions(self._dtui), *_choices(self._dtui)):
            score = matcher.match(words)
            if score > 0:
                yield Hit(score, Content(words), run, text=words, help=help_)

    @property
    def _dtui(self) -> CommandedApp:
        return cast("CommandedApp", self.app)


def _actions(app: CommandedApp) -> Iterator[Command]:
    session = app.session
    if session is None:
        return
    for action in session.table.actions:
        if action.id not in HIDDEN:
            yield f"{action.words}  {action.shown_keys}", action.help, partial(_perform, app, session, action.id)


def _perform(app: CommandedApp, session: Session, action: str) -> None:
    """Perform an action, on a screen where it has an effect."""
    session.reach(action)
    app.perform(action)


def _choices(app: CommandedApp) -> Iterator[Command]:
    """Choices that keys only step through, by name; and places to go to."""
    session = app.session
    if session is None:
        return
    for pane in session.table.panes:
        for words, help_, step in session.scene.asked(pane, lambda pane, scene: tuple(pane.choices(scene))) or ():
            yield words, help_, partial(_go_to, app, session, pane, step)


def _go_to(app: CommandedApp, session: Session, pane: Pane, step: Step) -> None:
    session.go_to(pane, step)
    app.paint()
