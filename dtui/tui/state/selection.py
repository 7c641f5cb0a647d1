"""Holds everything that the user looks at, as one frozen value.

No widget keeps a selected row of its own, so all panes agree on the selected layer, class and iteration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any, Self, TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.model import AnomalySettings
from dtui.model.findings.review import INCIDENTS, Listing
from dtui.number_text import counted

OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True, slots=True)
class RowWindow:
    """The window of rows in a pane.

    Attributes:
        row: The selected one.
        first: The first that is shown.
        count: How many are shown; None shows all, or as many as fit.
        of: What the rows belong to, such as a tree node. For another owner the window starts at the first row.
    """

    row: int = 0
    first: int = 0
    count: int | None = None
    of: object = None


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Selection:
    """Everything that the user has chosen to look at; nothing that can be computed from the run.

    Attributes:
        screen: Place in `Table.every_screen`.
        pane: Place on the screen of the pane that has the keyboard.
        maximised: Whether that pane has the screen to itself.
        rows: The window of rows, by name of the pane.
        options: The options of single panes, by the type of the options; see `get`.
        searches: By name of the pane: a regular expression on its names; "!" first inverts it; "" shows all.
        node: Index of the selected tree node.
        cluster: Selected cluster of classes, or the one that holds the selected class.
        class_index: Selected class; None selects the whole cluster.
        cursor: The iteration under the crosshair.
        follow: Whether the cursor stays on the newest iteration of a live run.
        window: First iteration and stop of the time axis; None shows the whole run.
        anomaly_settings: What counts as an anomaly iteration.
        listing: What is reviewed: "incidents", or the paper's "anomalies".
        entry: Id of the selected entry of the review.
        marked: Ids of marked entries; a decision is about all of them.
        came_from: Screens and panes that inner screens were opened from, one by one; empty on a screen with a tab.
        run: Path of the run to show; None for the one that is open.
    """

    screen: int = 0
    pane: int = 0
    maximised: bool = False
    rows: Mapping[str, RowWindow] = field(default_factory=_nothing)
    options: Mapping[type, Any] = field(default_factory=_nothing)
    searches: Mapping[str, str] = field(default_factory=_nothing)
    node: int = 0
    cluster: int = 0
    class_index: int | None = None
    cursor: int = 0
    follow: bool = False
    window: tuple[float, float] | None = None
    anomaly_settings: AnomalySettings = field(default_factory=AnomalySettings)
    listing: Listing = INCIDENTS
    entry: str | None = None
    marked: frozenset[str] = frozenset()
    came_from: tuple[tuple[int, int], ...] = ()
    run: str | None = None

    def on_screen(self, place: int) -> Self:
        """Return the selection on a screen with a tab: its first pane has the keyboard."""
        return self.changed(screen=place, pane=0, came_from=())

    def gone_back(self) -> Self:
        """Return the selection on the screen that the inner screen was opened from; on a screen with a tab it stays."""
        if not self.came_from:
            return self
        *before, (screen, pane) = self.came_from
        return self.changed(screen=screen, pane=pane, came_from=tuple(before))

    def changed(self, **fields: Any) -> Self:
        """Return the selection with some fields replaced; itself, if they are what they were."""
        is_same = all(getattr(self, name) == value for name, value in fields.items())
        return self if is_same else replace(self, **fields)

    def for_other_run(self) -> Self:
        """Return what stays when another run is opened: the screen, what is reviewed, and options of all runs."""
        kept = {kind: value for kind, value in self.options.items() if getattr(kind, "is_of_all_runs", False)}
        return type(self)(
            screen=self.screen,
            pane=self.pane,
            came_from=self.came_from,
            options=MappingProxyType(kept),
            listing=self.listing,
        )

    def get(self, kind: type[OptionsT]) -> OptionsT:
        """Return the options of a type; the defaults if none were chosen."""
        options: OptionsT = self.options[kind] if kind in self.options else kind()
        return options

    def put(self, options: object) -> Self:
        """Return the selection with new options (a frozen value) in place of those of the same type."""
        if self.options.get(type(options)) == options:
            return self
        return replace(self, options=MappingProxyType({**self.options, type(options): options}))

    def rows_of(self, pane: str, of: object = None) -> RowWindow:
        """Return the window of a pane on the rows of `of`; from the first row if its last window had another owner."""
        found = self.rows.get(pane)
        return found if found is not None and found.of == of else RowWindow(of=of)

    def with_rows(self, pane: str, rows: RowWindow) -> Self:
        """Return the selection with other rows of a pane."""
        if self.rows.get(pane) == rows:
            return self
        return replace(self, rows=MappingProxyType({**self.rows, pane: rows}))

    def search_of(self, pane: str) -> str:
        """Return the search in a pane."""
        return self.searches.get(pane, "")

    def with_search(self, pane: str, pattern: str) -> Self:
        """Return the selection with another search in a pane."""
        return replace(self, searches=MappingProxyType({**self.searches, pane: pattern}))

    def with_cursor(self, iteration: int) -> Self:
        """Return the selection at another iteration, no longer following a live run."""
        return replace(self, cursor=iteration, follow=False)


def anomaly_words(settings: AnomalySettings) -> str:
    """Return what counts as an anomaly iteration in words."""
    window = "automatic" if settings.window is None else settings.window
    unit = (
        f"{settings.threshold:.0%} of a class"
        if settings.unit == "share"
        else counted(round(settings.threshold), "image")
    )
    return f"anomalies: {settings.rule} rule, window {window}, at least {unit}"
