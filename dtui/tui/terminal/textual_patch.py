"""Makes Textual's partial updates begin at the changed cells.

Owns the one patch of Textual. Textual 8.2.8 rewrites a line from the left edge of the widget that changed
(Textualize/textual#5625): 338 kB for a step of the crosshair on a screen of 150×50, 4–6 kB with this patch.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate

from dtui.tui.terminal.releases import version

PATCHED_VERSIONS = frozenset({"8.2.8"})
"""Releases whose ChopsUpdate was read and measured; any other is left as it is."""


def install() -> bool:
    """Patch Textual if it is a release that is known to need it; return whether it is patched."""
    if version("textual") not in PATCHED_VERSIONS:
        return False
    ChopsUpdate.render_segments = render_segments  # type: ignore[method-assign, assignment]
    return True


def render_segments(update: ChopsUpdate, console: Console) -> str:
    """Return the escape sequences that write only the changed spans of a screen, and nothing to their left."""
    written: list[str] = []
    move_to = Control.move_to
    for y, first, stop in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= stop or end <= first:
                continue
            start, finish = max(x, first), min(end, stop)
            part = strip if (start, finish) == (x, end) else strip.crop(start - x, finish - x)
            written += (move_to(start, y).segment.text, part.render(console))
    return "".join(written)
