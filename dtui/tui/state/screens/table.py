"""The table of screens: which there are, with their keys, and which panes stand on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, Generic, Protocol, TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.tui.state.actions import COMMON, GROUPS, Action
from dtui.tui.state.selection import Selection


class Named(Protocol):
    """What the table must know of a pane; all else of it is in `state/pane.py`."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """Those that no other pane and no screen has."""

    @property
    def steps(self) -> Mapping[str, Callable[[Any], Selection]]:
        """Its steps, by action."""


PaneT = TypeVar("PaneT", bound=Named)


@dataclass(frozen=True)
class Screen(Generic[PaneT]):
    """One line of the table: a key, a name, and panes from the top; the first has the keyboard at first.

    An inner screen has no key and no tab: a pane opens it (`Scene.opened`), and Esc and q go back.
    """

    key: str
    name: str
    panes: tuple[PaneT, ...]
    is_wide: bool = False
    """Whether its gutter has columns of numbers beside the names, where the terminal has room for them."""

    @property
    def action(self) -> Action:
        """The action that opens it."""
        help_ = f"Go to the {self.name} screen."
        return Action(f"screen_{self.name.lower()}", (self.key,), self.name, help_, "Screens")


@dataclass(frozen=True, eq=False)
class Table(Generic[PaneT]):
    """The screens with tabs, the inner screens, and the bars above and below their panes."""

    screens: tuple[Screen[PaneT], ...]
    above: tuple[PaneT, ...]
    below: tuple[PaneT, ...]
    inner: tuple[Screen[PaneT], ...] = ()
    runs: PaneT | None = None
    """The pane that lists runs: it has the keyboard first where several were given."""

    def __post_init__(self) -> None:
        """Check that no name is used for two panes, and no key for two actions.

        Raises:
            ValueError: A name or a key is used twice.
        """
        keys = [key for action in self.actions for key in action.keys]
        for names in ([pane.name for pane in dict.fromkeys(self.panes)], keys):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"in the table of screens twice: {', '.join(twice)}")

    @cached_property
    def every_screen(self) -> tuple[Screen[PaneT], ...]:
        """The screens with tabs, then the inner ones; `Selection.screen` is a place here."""
        return (*self.screens, *self.inner)

    @cached_property
    def panes(self) -> tuple[PaneT, ...]:
        """The panes of all screens, then those that every screen has."""
        of_screens = dict.fromkeys(pane for screen in self.every_screen for pane in screen.panes)
        return (*of_screens, *self.above, *self.below)

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """Every action of the TUI, by group."""
        own = [action for pane in dict.fromkeys(self.panes) for action in pane.actions]
        every = (*COMMON, *own, *(screen.action for screen in self.screens))
        return tuple(sorted(every, key=lambda action: GROUPS.index(action.group)))

    @cached_property
    def by_id(self) -> Mapping[str, Action]:
        """The same by their ids."""
        return {action.id: action for action in self.actions}

    @cached_property
    def steps(self) -> Mapping[str, Callable[[Any], Selection]]:
        """A `Step` of each action that opens a screen."""
        return {screen.action.id: partial(_go_to_screen, place=place) for place, screen in enumerate(self.screens)}

    def homes_of(self, action: str) -> tuple[str, ...]:
        """Return the screens that have a pane with an action, by key and name: those with tabs, or else inner ones."""
        homes = [screen for screen in self.every_screen if any(action in pane.steps for pane in screen.panes)]
        return tuple(f"{screen.key} {screen.name}".strip() for screen in homes if screen.key or not homes[0].key)

    def place_of(self, pane: PaneT) -> tuple[int, int] | None:
        """Return the place of the first screen that has a pane, and the pane's place on it."""
        return self._places.get(pane)

    @cached_property
    def _places(self) -> Mapping[PaneT, tuple[int, int]]:
        places: dict[PaneT, tuple[int, int]] = {}
        for n, screen in enumerate(self.every_screen):
            for place, pane in enumerate(screen.panes):
                places.setdefault(pane, (n, place))
        return places


def _go_to_screen(scene: Any, place: int) -> Selection:
    selection: Selection = scene.selection
    return selection.on_screen(place)
