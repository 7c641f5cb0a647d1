"""Writes what is on the screen into a file: a picture as SVG or PNG, or the numbers as CSV."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dtui.errors import OutputError, UsageError
from dtui.model.findings.review import INCIDENTS
from dtui.output import find_target
from dtui.safe_text import safe
from dtui.tui.state.numbers import Numbers, to_csv
from dtui.tui.state.pane import Scene, Shows
from dtui.tui.state.selection import anomaly_words

if TYPE_CHECKING:
    from rich.console import RenderableType

ENDINGS = (".svg", ".png", ".csv")
_REMOTE_FONT = re.compile(r',\s*url\("https?://[^"]*"\)\s*format\("[^"]*"\)')
_TEXT = re.compile(r">([^<]+)<")
FOREIGN = 0x2E80
"""Characters below are in every font for terminals: letters of Europe, lines, blocks, braille."""
NOBODY = "\u0378"
"""Assigned to no character."""
MOST_TRIED, ACROSS, CELL = 400, 40, 24
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Shot(NamedTuple):
    """What was on the screen.

    Attributes:
        lines: What Textual writes to draw all of it; it stays as it is when the screen goes on.
        width: Columns.
        height: Rows.
    """

    lines: RenderableType
    width: int
    height: int

    def to_svg(self, title: str) -> str:
        """Return the picture; of a large screen that takes half a second."""
        from rich.console import Console

        console = Console(
            width=self.width,
            height=self.height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            record=True,
            legacy_windows=False,
            safe_box=False,
        )
        console.print(self.lines)
        return console.export_svg(title=title)


def first_name(scene: Scene) -> str:
    """Return a name for the file: the run, the screen and the iteration."""
    run = _NOT_IN_NAMES.sub("-", scene.view.info.run).strip("-.") or "run"
    return f"{run[:60]}-{scene.screen.name.lower()}-{scene.selection.cursor}.svg"


def file_name(name: str) -> str:
    """Return the last part of a name, of letters, digits and `._-` alone, as the header of a download needs it."""
    return _NOT_IN_NAMES.sub("-", Path(name).name)


def heading_of(scene: Scene) -> str:
    """Return what stands over an export: run, screen, range, iteration, and the settings behind what is drawn."""
    view, axis = scene.view, None if scene.view.is_empty else scene.axis
    range_ = "" if axis is None else f" · iterations {axis.first:,.0f} to {axis.stop:,.0f}"
    settings = [f"/{safe(scene.selection.search_of(pane.name), 40)}" for pane in scene.screen.panes]
    settings = [one for one in settings if one != "/"]
    if scene.selection.listing != INCIDENTS or any(pane.shows is Shows.CLASSES for pane in scene.screen.panes):
        settings.append(anomaly_words(scene.selection.anomaly_settings))
    place = f"{safe(view.info.run, 80)} · {scene.screen.name}{range_} · at {scene.selection.cursor:,}"
    return " · ".join((place, *settings))


def wrong_name(name: str) -> str:
    """Return what is wrong with a file name, "" for nothing."""
    ending = Path(name).suffix.lower()
    return "" if ending in ENDINGS else f"the name must end in {', '.join(ENDINGS)}"


def export(name: str, scene: Scene, shot: Shot) -> str:
    """Write a file whose ending says what it holds; return a line that says what was written.

    Args:
        name: Of the file; it is replaced if it exists.
        scene: What is on the screen.
        shot: What to draw: the screen.

    Raises:
        UsageError: The ending is unknown, or no pane on the screen has numbers.
        OutputError: The file cannot be written.
    """
    wrong = wrong_name(name)
    if wrong:
        raise UsageError(f"{name}: {wrong}")
    target, was_there = find_target(name), Path(name).exists()
    data, lacking = exported(name, scene, shot)
    target.write(data)
    replaced = " in place of the file that was there" * was_there
    return f"written: {safe(name)}, {len(data):,} bytes{replaced}{lacking}"


def exported(name: str, scene: Scene, shot: Shot) -> tuple[bytes, str]:
    """Return what a file of this name holds, and what to say of characters that are not in the picture, "" for none.

    Raises:
        UsageError: The ending is unknown, or no pane on the screen has numbers.
        OutputError: The picture cannot be made.
    """
    wrong, ending = wrong_name(name), Path(name).suffix.lower()
    if wrong:
        raise UsageError(f"{name}: {wrong}")
    if ending == ".csv":
        numbers = find_numbers(scene)
        if numbers is None:
            raise UsageError(f"{name}: no pane of this screen has numbers; .svg and .png write the picture")
        return to_csv(numbers, heading_of(scene)).encode(), ""
    svg = shot.to_svg(heading_of(scene))
    drawn = without_remote_fonts(svg)
    if ending == ".svg":
        return drawn.encode(), ""
    return _png(drawn), _told(not_drawn(svg))


def without_remote_fonts(svg: str) -> str:
    """Return an SVG that asks for fonts of the machine only."""
    return _REMOTE_FONT.sub("", svg).replace("Fira Code, monospace", "Fira Code, DejaVu Sans Mono, monospace")


def find_numbers(scene: Scene) -> Numbers | None:
    """Return the numbers of the pane with the keyboard, or of the first pane that has any; None if none has."""
    for pane in (scene.pane, *scene.screen.panes, *scene.table.above):
        found = scene.asked(pane, lambda pane, scene: pane.numbers(scene))
        if found is not None:
            return found
    return None


def not_drawn(svg: str) -> str:
    """Return the characters of a picture that no font of this machine has, ascending.

    A grid of them is drawn, and compared with a character that does not exist.
    """
    from PIL import Image

    texts = html.unescape("".join(_TEXT.findall(svg)))
    wanted = sorted({one for one in texts if not one.isspace() and ord(one) >= FOREIGN})[:MOST_TRIED]
    if not wanted:
        return ""
    shown, rows = [NOBODY, *wanted], -(-(1 + len(wanted)) // ACROSS)
    places = [(k % ACROSS * CELL, k // ACROSS * CELL) for k in range(len(shown))]
    cells = "".join(
        f'<text x="{x + 4}" y="{y + 18}">{html.escape(one)}</text>' for one, (x, y) in zip(shown, places, strict=True)
    )
    grid = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{ACROSS * CELL}" height="{rows * CELL}" font-size="14" '
        f'font-family="Fira Code, DejaVu Sans Mono, monospace">{cells}</svg>'
    )
    with Image.open(io.BytesIO(_png(grid))) as drawn:
        ink = drawn.convert("RGBA").getchannel("A")
    cut = [ink.crop((x, y, x + CELL, y + CELL)).tobytes() for x, y in places]
    return "".join(one for one, pixels in zip(wanted, cut[1:], strict=True) if pixels == cut[0] or not any(pixels))


def _told(lacking: str) -> str:
    if not lacking:
        return ""
    some = " ".join(f"{safe(one)} U+{ord(one):04X}" for one in lacking[:3])
    more = f" and {len(lacking) - 3:,} more" if len(lacking) > 3 else ""
    return f"; no font here has {some}{more}: install one that has, such as Noto Sans CJK, or write .svg"


def _png(svg: str) -> bytes:
    import vl_convert

    try:
        png: bytes = vl_convert.svg_to_png(svg)
    except Exception as error:  # it raises what its Rust code raises
        raise OutputError(f"the picture could not be made: {error}") from error
    return png
