"""The terminal program: see `run_tui`. Importing this package imports neither Textual nor NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["run_tui"]


def run_tui(
    path: Path,
    *,
    places: Sequence[Path] = (),
    color: str = "auto",
    ascii: bool = False,
    theme: str = "dark",
    mouse: bool = True,
    slow_link: bool = False,
    bell: bool = False,
    place: Mapping[str, Any] | None = None,
) -> None:
    """Open the TUI on a run and return when the person leaves it.

    Args:
        path: The run.
        places: Runs and folders to list: the list is shown first then. None for the folder of the run.
        color: "auto" (from COLORTERM, TERM and NO_COLOR), "truecolor", "256", "16" or "never".
        ascii: Whether to write ASCII only; always so if the encoding is not UTF-8.
        theme: "dark", "light", or "auto": as the terminal says, which is asked.
        mouse: Whether the program uses the mouse; if not, the terminal can select text.
        slow_link: Whether to draw with fewer colour steps, which costs fewer bytes.
        bell: Whether the terminal's bell rings at a new incident of a live run.
        place: Where to open it, by the names of `state.places.link.Link`; of what is not there the nearest.

    Raises:
        TerminalError: There is no terminal, or one that cannot show the TUI.
        UsageError: `color` or `theme` is not known.
        RunNotFoundError, RunFormatError, RunDamagedError: The run cannot be opened.
    """
    from dtui.tui.start import start

    start(
        path,
        color=color,
        ascii_only=ascii,
        theme=theme,
        mouse=mouse,
        slow_link=slow_link,
        bell=bell,
        place=place or {},
        places=places,
    )
