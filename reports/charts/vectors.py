"""Builds pictures out of boxes, lines, words and small rasters as SVG text.

Owns the element tree of such a picture; the library escapes every text.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from dtui.reports.charts import theme
from dtui.safe_text import text_columns

SIZE = 12
"""Of the text, in pixels."""
CHARACTER = 6.6
"""Pixels that a character of that size takes, nearly always at most."""


class Vectors:
    """An SVG picture, or a group in one, that grows by one shape after another."""

    def __init__(self, element: ElementTree.Element) -> None:
        """Go on with an element; `picture` begins a new one."""
        self.element = element

    @classmethod
    def picture(cls, width: float, height: float, description: str, **more: str) -> Vectors:
        """Begin a picture, with words for readers who cannot see it."""
        size = {"width": short(width), "height": short(height), "viewBox": f"0 0 {short(width)} {short(height)}"}
        given = {"xmlns": "http://www.w3.org/2000/svg", **size, "role": "img", "aria-label": description}
        font = {"font-family": theme.FONT, "font-size": str(SIZE)}
        return cls(ElementTree.Element("svg", {**given, **font, **_spelled(more)}))

    def group(self, **more: str) -> Vectors:
        """Begin a group inside."""
        return Vectors(ElementTree.SubElement(self.element, "g", _spelled(more)))

    def box(self, x: float, y: float, width: float, height: float, colour: str, said: str = "", **more: str) -> None:
        """Add a rectangle, with words that a browser shows where the pointer rests on it."""
        place = {"x": short(x), "y": short(y), "width": short(max(0.0, width)), "height": short(max(0.0, height))}
        made = ElementTree.SubElement(self.element, "rect", {**place, "fill": colour, **_spelled(more)})
        if said:
            ElementTree.SubElement(made, "title").text = said

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1, **more: str) -> None:
        """Add a line through some points, at least two."""
        path = "M" + "L".join(f"{short(x)},{short(y)}" for x, y in points)
        given = {"d": path, "fill": "none", "stroke": colour, "stroke-width": short(width)}
        ElementTree.SubElement(self.element, "path", {**given, **_spelled(more)})

    def shape(self, points: Sequence[tuple[float, float]], colour: str, **more: str) -> None:
        """Add a filled polygon."""
        path = "M" + "L".join(f"{short(x)},{short(y)}" for x, y in points) + "Z"
        ElementTree.SubElement(self.element, "path", {"d": path, "fill": colour, **_spelled(more)})

    def path(self, path: str, colour: str) -> None:
        """Fill the outline that the text of a path gives."""
        ElementTree.SubElement(self.element, "path", {"d": path, "fill": colour})

    def steps(self, points: Sequence[tuple[float, float] | None], colour: str, width: float, **more: str) -> None:
        """Add lines through points; None breaks the line, and a lone point is a dot."""
        stretch: list[tuple[float, float]] = []
        for point in (*points, None):
            if point is not None:
                stretch.append(point)
                continue
            if len(stretch) == 1:
                self.dot(*stretch[0], width, colour)
            elif stretch:
                self.line(stretch, colour, width, **more)
            stretch = []

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """Add a filled circle."""
        place = {"cx": short(x), "cy": short(y), "r": short(radius)}
        ElementTree.SubElement(self.element, "circle", {**place, "fill": colour})

    def badge(self, x: float, y: float, text: str, colour: str, target: str, *, is_hollow: bool = False) -> None:
        """Add a number on a pill that leads to an anchor of the page."""
        link = Vectors(ElementTree.SubElement(self.element, "a", {"href": f"#{target}"}))
        width = max(18.0, CHARACTER * len(text) + 8)
        fill = "#ffffff" if is_hollow else colour
        link.box(x - width / 2, y - 9, width, 18, fill, rx="9", stroke=colour)
        link.words(x, y + 4, text, colour if is_hollow else "#ffffff", "middle", font_weight="bold")

    def words(
        self,
        x: float,
        y: float,
        text: str,
        colour: str = theme.MUTED,
        at: str = "start",
        room: float | None = None,
        **more: str,
    ) -> None:
        """Add words at a baseline; they are cut to `room` pixels."""
        size = float(more.get("font_size", SIZE))
        shown = text if room is None else fitted(text, room * SIZE / size)
        place = {"x": short(x), "y": short(y), "fill": colour, "text-anchor": at}
        made = ElementTree.SubElement(self.element, "text", {**place, **_spelled(more)})
        made.text = shown
        if shown != text:
            ElementTree.SubElement(made, "title").text = text

    def image(self, x: float, y: float, width: float, height: float, url: str, **more: str) -> None:
        """Add a raster whose pixels stay sharp when it is enlarged."""
        place = {"x": short(x), "y": short(y), "width": short(width), "height": short(height)}
        sharp = {"preserveAspectRatio": "none", "image-rendering": "pixelated", "href": url}
        ElementTree.SubElement(self.element, "image", {**place, **sharp, **_spelled(more)})

    def svg(self) -> str:
        """Return the picture as text."""
        return ElementTree.tostring(self.element, encoding="unicode")


def fitted(text: str, room: float, *, from_end: bool = False) -> str:
    """Return a text cut with an ellipsis so that it takes about `room` pixels at most; a letter of East Asia takes two.

    Args:
        text: One line.
        room: Pixels.
        from_end: Whether its end is kept: layers of a module differ there.
    """
    most = max(1, int(room / CHARACTER))
    used = 0
    for kept, character in enumerate(reversed(text) if from_end else text):
        used += text_columns(character)
        if used > most - (kept < len(text) - 1):
            return "…" + text[len(text) - kept :] if from_end else text[:kept] + "…"
    return text


def short(value: float) -> str:
    """Return a number with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def colour_of(stops: Sequence[str], share: float) -> str:
    """Return the colour at a share, [0, 1], between stops at equal distances, as "#rrggbb"."""
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    ends = [[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in (stops[low], stops[low + 1])]
    mixed = [round(a + (b - a) * (place - low)) for a, b in zip(*ends, strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _spelled(names: dict[str, str]) -> dict[str, str]:
    """Return attributes as SVG spells them, such as "stroke-opacity"."""
    return {name.replace("_", "-"): value for name, value in names.items()}
