"""The top bar: run, size, screens and status in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dtui.dataclass_on_use import dataclass
from dtui.model import RunInfo, RunStatus
from dtui.model.judging import as_groups
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.panes.runs.run_list import STATUS_MARKS, duration, rate_in_words
from dtui.tui.renderables.parts.picture import Picture

Tab = tuple[str, str, str]
"""Key, label, short label."""

_BADGE = " INVENTED "
_STATUS = {status: f"{STATUS_MARKS[status].glyph} {status}" for status in RunStatus}


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a live training is.

    Attributes:
        rate: Iterations a second; NaN where that is not known.
        seconds_left: Until it ends; NaN where that is not known.
        quiet_seconds: For how long nothing new came, where that is strange; else 0.
    """

    rate: float = float("nan")
    seconds_left: float = float("nan")
    quiet_seconds: float = 0.0

    @property
    def words(self) -> tuple[str, ...]:
        """What to say, the fullest first: rate and time left, the time left alone; or that nothing new comes."""
        if self.quiet_seconds:
            return (f"no update for {duration(self.quiet_seconds)}",)
        rate = rate_in_words(self.rate).replace("/", " it/")
        left = f"{duration(self.seconds_left)} left" if duration(self.seconds_left) else ""
        both = tuple(part for part in (rate, left) if part)
        return (" · ".join(both), both[-1]) if both else ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """The parts that fit: from the left name, badge, size; from the right status and pace, tabs."""

    name: str
    size: str
    labels: tuple[str, ...]
    status: str
    pace: str = ""

    @property
    def right(self) -> str:
        """What stands at the right end."""
        return f"{self.status} · {self.pace}" if self.pace else self.status


@dataclass(frozen=True, slots=True)
class TopBarPicture(Picture):
    """The top bar, one row. Parts that do not fit are left out in a fixed order.

    First the size of the network from its end, then long tab names, then the end of the run's name and how fast a live
    run is, then its records, then the names of inactive tabs, then the time left. The badge of an invented run stays.

    Attributes:
        info: The run; None while it loads.
        tabs: A key, a label and a short label for each screen.
        active: Index of the screen shown.
        is_damaged: Whether anything of the run is known to be damaged or missing.
        pace: How fast a live run is.
        is_gone: Whether its files are no longer there.
    """

    info: RunInfo | None
    tabs: tuple[Tab, ...]
    active: int
    is_damaged: bool = False
    pace: Pace = Pace()
    is_gone: bool = False

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the row."""
        theme, info = frame.theme, self.info
        cells = Cells(frame.width, frame.height, theme, theme.background)
        layout = _lay_out(frame, self)
        x = cells.text(1, 0, "dtui", theme.accent, bold=True)
        if layout.name:
            x = cells.text(x + 2, 0, layout.name, theme.bright, bold=True)
        if info is not None and info.invented:
            begin = x + 1
            x = cells.text(begin, 0, _BADGE, theme.badge_text, theme.warning, bold=True)
            cells.mark[:1, begin:x] = 1
        if layout.size:
            cells.text(x + 2, 0, layout.size, theme.muted)
        regions = _tab_columns(frame, self.tabs, layout)
        for index, ((key, _, _), label, (begin, _, width, _)) in enumerate(
            zip(self.tabs, layout.labels, regions, strict=True)
        ):
            on = index == self.active
            back = theme.selection if on else theme.background
            end = cells.text(begin, 0, f" {key}", theme.accent if on else theme.muted, back, on)
            cells.text(end, 0, f" {label} " if label else " ", theme.bright if on else theme.muted, back, on)
            if on:
                cells.mark[:1, max(0, begin) : max(0, begin + width)] = 1
        if info is not None:
            colours = {
                RunStatus.LIVE: theme.live,
                RunStatus.INCOMPLETE: theme.warning,
                RunStatus.CRASHED: theme.crashed,
            }
            colour = (
                theme.crashed
                if self.is_gone
                else theme.warning
                if self.is_damaged
                else colours.get(info.status, theme.muted)
            )
            x = cells.text(frame.width - 1 - text_width(layout.right), 0, layout.status, colour)
            if layout.pace:
                cells.text(x, 0, f" · {layout.pace}", theme.warning if self.pace.quiet_seconds else theme.text)
        return cells

    def tab_regions(self, frame: Frame) -> tuple[Region, ...]:
        """Return where each tab is, for clicks, as `draw` places them."""
        return _tab_columns(frame, self.tabs, _lay_out(frame, self))


def _tab_columns(frame: Frame, tabs: Sequence[Tab], layout: _Layout) -> tuple[Region, ...]:
    x = frame.width - _tabs_width(tabs, layout.labels) - text_width(layout.right) - (3 if layout.right else 1)
    regions = []
    for (key, _, _), label in zip(tabs, layout.labels, strict=True):
        width = text_width(key) + text_width(label) + (3 if label else 2)
        regions.append((x, 0, width, 1))
        x += width
    return tuple(regions)


def _tabs_width(tabs: Sequence[Tab], labels: Sequence[str]) -> int:
    pairs = zip(tabs, labels, strict=True)
    return sum(text_width(tab[0]) + text_width(label) + (3 if label else 2) for tab, label in pairs)


def _sizes(info: RunInfo | None) -> list[str]:
    """Return what to say of the size of a run, the fullest first and nothing last."""
    if info is None:
        return [""]
    parts = [
        counted(info.layers, "layer"),
        counted(info.filters, "filter"),
        as_groups(counted(info.images, "image"), info.judging),
    ]
    return [" · ".join(parts[:kept]) for kept in (3, 2, 1, 0)]


def _lay_out(frame: Frame, picture: TopBarPicture) -> _Layout:
    """Return the fullest layout that fits."""
    info, tabs = picture.info, picture.tabs
    name = "" if info is None else safe(info.run)
    badge = len(_BADGE) + 1 if info is not None and info.invented else 0
    status = "" if info is None else f"{marks.WRONG.glyph} gone" if picture.is_gone else _STATUS[info.status]
    full = "" if info is None else f"{status} {info.records:,}{' · damaged' * picture.is_damaged}"
    long = tuple(tab[1] for tab in tabs)
    short = tuple(tab[2] for tab in tabs)
    only = tuple(tab[2] if index == picture.active else "" for index, tab in enumerate(tabs))
    keys = tuple("" for _ in tabs)

    def room(labels: tuple[str, ...], status: str) -> int:
        fixed = 5 + badge + _tabs_width(tabs, labels) + text_width(status) + 4
        return frame.width - fixed

    said = picture.pace.words
    whole = _Layout(name, "", long, full, said[0] if said else "")
    for size in _sizes(info):
        if text_width(name) + text_width(size) + 6 <= room(long, whole.right):
            return replace(whole, size=size)
    ways = [(labels, least, full, pace) for pace in said for labels, least in ((long, 99), (short, 99), (short, 12))]
    if info is not None and said and not picture.pace.quiet_seconds:
        # the names of tabs are worth more than the records
        ways += [(short, 7, status, said[-1])]
    ways += [(only, 8, full, pace) for pace in said]
    if info is not None and picture.pace.quiet_seconds:  # this is worth more than the names of tabs and the records
        ways += [(keys, 4, full, said[0]), (keys, 3, _STATUS[info.status], said[0])]
    ways += [
        (labels, least, full, "") for labels, least in ((long, 99), (short, 99), (short, 12), (only, 8), (keys, 4))
    ]
    for labels, least, status, pace in ways:
        fits = _Layout("", "", labels, status, pace)
        if min(least, text_width(name)) + 2 <= room(labels, fits.right):
            return replace(fits, name=shorten(name, room(labels, fits.right) - 2))
    mark = full[:1]
    return _Layout(shorten(name, max(0, room(keys, mark) - 2)), "", keys, mark)
