"""Runs the app for a path and options: checks the terminal before, and restores it afterwards.

Owns the order of these steps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtui.errors import UsageError
from dtui.tui.terminal import pace
from dtui.tui.terminal.capabilities import THEMES, find_mode, is_served, log_path, quiet_terminal, require_terminal

if TYPE_CHECKING:
    from dtui.tui.state.places.link import Link

_SYSTEMS = {"truecolor": "truecolor", "256": "256", "16": "standard", "none": "standard"}


def start(
    path: Path,
    *,
    color: str,
    ascii_only: bool,
    theme: str,
    mouse: bool,
    slow_link: bool,
    bell: bool,
    place: Mapping[str, Any],
    places: Sequence[Path],
) -> None:
    """Run the app; see `dtui.tui.run_tui`."""
    if theme not in THEMES:
        raise UsageError(f"theme {theme!r}: not known; give one of {', '.join(THEMES)}")
    mode = find_mode(color, os.environ)
    require_terminal()
    for frozen_size in () if is_served(os.environ) else ("COLUMNS", "LINES"):
        os.environ.pop(frozen_size, None)
    os.environ["TEXTUAL_COLOR_SYSTEM"] = _SYSTEMS[mode]
    if mode != "none":
        os.environ.pop("NO_COLOR", None)
    else:
        os.environ["NO_COLOR"] = "1"

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # OpenBLAS has all cores wait in a loop for 0.1 s when it is imported
    with pace.of_a_start():
        from dtui.tui.app import DtuiApp
        from dtui.tui.terminal.signals import exit_code

        with quiet_terminal(log_path()):
            app = DtuiApp(
                path,
                color=mode,
                ascii_only=ascii_only,
                theme_name=theme,
                slow_link=slow_link,
                link=_link(place),
                bell=bell,
                places=places,
            )
            app.run(mouse=mouse)
    if app.ended_by is not None:
        raise SystemExit(exit_code(app.ended_by))
    if app.error is not None:
        raise app.error


def _link(place: Mapping[str, Any]) -> Link | None:
    """Return the place to open, None for none: what it needs is imported only then, as it delays the first paint."""
    if all(value is None for value in place.values()):
        return None
    from dtui.tui.state.places.link import Link

    return Link(**place)
