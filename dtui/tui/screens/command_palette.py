"""What the command palette finds: actions, statistics, layers, classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from dtui.model import SOURCES
from dtui.safe_text import safe
from dtui.tui.state.actions import ACTIONS, Action

if TYPE_CHECKING:
    from dtui.tui.state.session import Session

Command = tuple[str, str, Callable[[], None]]
HIDDEN = frozenset({"palette"})


class CommandedApp(Protocol):
    """What a command needs of the app."""

    @property
    def session(self) -> Session | None:
        """The person's look at the run; None before it is open."""

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
        """Offer whatever matches."""
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
    for action in ACTIONS:
        if action.id not in HIDDEN and session is not None:
            yield f"{action.words}  {action.shown_keys}", action.help, partial(_perform, app, session, action)


def _perform(app: CommandedApp, session: Session, action: Action) -> None:
    """Do an action, on a screen where it does something."""
    if not action.applies(session.selection.screen):
        session.choose(session.selection.with_screen(action.screens[0]))
    app.perform(action.id)


def _choices(app: CommandedApp) -> Iterator[Command]:
    """What a key only steps through, by name; and places to go to."""
    session = app.session
    if session is None:
        return
    for statistic in session.view.layer_statistics:
        change = {"screen": "layers", "pane": "tree", "statistic": statistic}
        yield f"layers: {statistic}", "Show this statistic in the tree.", partial(_change, app, session, change)
    for source in SOURCES:
        change = {"screen": "layers", "pane": "tree", "source": source}
        yield f"layers: of {source}", "Show statistics of these in the tree.", partial(_change, app, session, change)
    for statistic in session.view.filter_statistics:
        change = {"screen": "layers", "pane": "filters", "filter_statistic": statistic}
        words = statistic.replace("_", " ")
        yield f"filters: {words}", "Show this statistic in the Filters pane.", partial(_change, app, session, change)
    for node in session.view.tree:
        words = f"go to {safe(node.name)}"
        yield words, f"Select this {safe(node.kind)}.", partial(_go_to_node, app, session, node.index)
    for label, name in enumerate(session.view.classes):
        yield f"go to class {safe(name)}", "Select this class.", partial(_go_to_class, app, session, label)


def _change(app: CommandedApp, session: Session, change: dict[str, str]) -> None:
    session.choose(session.selection.changed(**change))
    app.paint()


def _go_to_node(app: CommandedApp, session: Session, node: int) -> None:
    session.go_to_node(node)
    app.paint()


def _go_to_class(app: CommandedApp, session: Session, label: int) -> None:
    session.choose(session.selection.with_pane("classes").with_group(session.selection.cluster, label))
    app.paint()
