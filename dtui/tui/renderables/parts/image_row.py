"""Images that turned wrong, beside each other, with what each became below it."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import ImageVerdict
from dtui.model.judging import as_groups
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.thumbnail import draw_thumbnail
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.renderables.parts.words.judged_words import is_scored, score_words

THUMBNAILS = (28, 20, 14)
"""Columns of an image, which has half as many rows: the first that has room."""


def rows_of_images(count: int, width: int, most: int) -> int:
    """Return the rows of so many images in a row, at most `most`; 0 where these are too few."""
    size = _size(count, width, most)
    return 2 + size // 2 if size else 0


def _size(count: int, width: int, rows: int) -> int:
    """Return the columns of an image: the largest of which all have room beside each other, else the smallest."""
    fitting = [size for size in THUMBNAILS if size // 2 + 2 <= rows] if count else []
    return next((size for size in fitting if count * (size + 2) <= width), fitting[-1] if fitting else 0)


def draw_image_row(
    cells: Cells, frame: Frame, x: int, y: int, images: Sequence[ImageVerdict], classes: Sequence[str]
) -> None:
    """Draw thumbnails in a row from (x, y) on, the label of each below it; list items that have none by their ids."""
    theme, columns = frame.theme, _size(len(images), frame.width - x - 1, frame.height - y)
    if not columns:
        return
    rows = columns // 2
    cells.text(x + 1, y, as_groups("images that turned wrong:", images[0].judging), theme.text)
    for place, image in enumerate(images):
        left = x + 1 + place * (columns + 2)
        label = "?" if image.label is None else class_name(classes, image.label)
        words = score_words(image) if is_scored(image) else f"→ {label}"
        if image.pixels is None:
            what = f"{as_groups('image', image.judging)} {safe(image.id, 60)}"
            cells.text(x + 2, y + 1 + place, f"{what}: {words}", theme.incorrect, limit=max(0, frame.width - x - 3))
        elif left + columns < frame.width:
            drawn = draw_thumbnail(cells, left, y + 1, columns, rows, image.pixels, frame.output)
            cells.text(left, y + 1 + drawn, shorten(words, columns), theme.incorrect)
