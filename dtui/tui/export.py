"""Writes what is on the screen into a file: a picture as SVG or PNG, or the numbers as CSV."""

from __future__ import annotations

import re
from pathlib import Path

from dtui.errors import OutputError, UsageError
from dtui.output import find_target
from dtui.safe_text import safe
from dtui.tui.state.numbers import find_numbers, to_csv
from dtui.tui.state.pane import Scene

ENDINGS = (".svg", ".png", ".csv")
_REMOTE_FONT = re.compile(r',\s*url\("https?://[^"]*"\)\s*format\("[^"]*"\)')
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def first_name(scene: Scene) -> str:
    """Return a name for the file: the run, the screen and the iteration."""
    run = _NOT_IN_NAMES.sub("-", scene.view.info.run).strip("-.") or "run"
    return f"{run[:60]}-{scene.screen.name.lower()}-{scene.selection.cursor}.svg"


def heading_of(scene: Scene) -> str:
    """Return what stands over an export: run, screen, range, iteration."""
    view, axis = scene.view, None if scene.view.is_empty else scene.axis
    range_ = "" if axis is None else f" · iterations {axis.first:,.0f} to {axis.stop:,.0f}"
    return f"{safe(view.info.run, 80)} · {scene.screen.name}{range_} · at {scene.selection.cursor:,}"


def wrong_name(name: str) -> str:
    """Return what is wrong with a file name, "" for nothing."""
    ending = Path(name).suffix.lower()
    return "" if ending in ENDINGS else f"the name must end in {', '.join(ENDINGS)}"


def export(name: str, scene: Scene, svg: str) -> str:
    """Write a file whose ending says what it holds; return a line that says what was written.

    Args:
        name: Of the file; it is replaced if it exists.
        scene: What is on the screen.
        svg: The screen as an SVG.

    Raises:
        UsageError: The ending is unknown, or no pane on the screen has numbers.
        OutputError: The file cannot be written.
    """
    wrong = wrong_name(name)
    if wrong:
        raise UsageError(f"{name}: {wrong}")
    target, ending = find_target(name), Path(name).suffix.lower()
    if ending == ".csv":
        numbers = find_numbers(scene)
        if numbers is None:
            raise UsageError(f"{name}: no pane of this screen has numbers; .svg and .png write the picture")
        data = to_csv(numbers, heading_of(scene)).encode()
    else:
        drawn = without_remote_fonts(svg)
        data = drawn.encode() if ending == ".svg" else _png(drawn)
    target.write(data)
    return f"written: {safe(name)}, {len(data):,} bytes"


def without_remote_fonts(svg: str) -> str:
    """Return an SVG that asks for fonts of the machine only."""
    return _REMOTE_FONT.sub("", svg).replace("Fira Code, monospace", "Fira Code, DejaVu Sans Mono, monospace")


def _png(svg: str) -> bytes:
    import vl_convert

    try:
        png: bytes = vl_convert.svg_to_png(svg)
    except Exception as error:  # it raises what its Rust code raises
        raise OutputError(f"the picture could not be made: {error}") from error
    return png
