"""Draws the images pane: one pixel row per validation image, right or wrong, the image, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import ClassErrors, ImageRows, ImageVerdict, IntArray
from dtui.model.judging import Judging, as_groups
from dtui.model.learning import TakenFor
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, UintArray, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.palettes import interpolate
from dtui.tui.renderables.canvas.primitives import SHADES, last_known, paint_pixels, quantise, resample, shading_colours
from dtui.tui.renderables.canvas.theme import Theme
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.here_line import draw_here_line
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.pixel_rows import PixelRows
from dtui.tui.renderables.parts.thumbnail import draw_thumbnail
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.renderables.parts.words.judged_words import is_scored, no_label_words, score_words, wrong_colour
from dtui.tui.renderables.parts.words.label_letters import letter_of

TITLE = "Images"
CORRECTNESS_STEPS = 8
FEWEST_ROWS = 3
"""Of a thumbnail: in fewer nobody knows what it shows."""
LEAST_GUTTER = 6
"""In a narrower one nothing is written beside the images."""
MOST_NAMED = 24
"""Labels that a header may name."""
_Line = tuple[str, int, bool]
"""Words, their colour, whether they are bold."""


@dataclass(frozen=True, slots=True)
class ImagesPicture(Picture):
    """Images by validations: header with legend, the pixel map, and image and verdict in the gutter.

    Attributes:
        images: Over any axis; coloured by correctness or by wrong label, as its request says.
        title: Of the class or cluster; data from outside.
        selected: Selected row in sorted order.
        classes: Names by label; data from outside.
        validations: Number of validations in the run.
        verdict: On the selected image at the cursor; None while it loads.
        errors_now: Exact errors, on an axis of one column and one iteration; used if that is the cursor.
        taken: What the images were taken for at the cursor; None while it loads.
        judging: What decides what is right, in a run that scores decide; None where class scores do.
    """

    images: ImageRows
    title: str
    selected: int
    classes: tuple[str, ...]
    validations: int = 0
    verdict: ImageVerdict | None = field(default=None, compare=False)
    errors_now: ClassErrors | None = field(default=None, compare=False)
    taken: TakenFor | None = field(default=None, compare=False)
    judging: Judging | None = None
    crosshair = True

    @property
    def readout_of(self) -> object:
        """Verdict, errors and wrong labels at the cursor."""
        return self.verdict, self.errors_now, self.taken

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, pixels, verdict and thumbnail."""
        cells, rows = Cells(frame.width, frame.height, frame.theme), self.images
        by_label = rows.request.colour_by == "label"
        labels = _frequent_labels(rows.wrong_label) if by_label else []
        _draw_images_header(cells, frame, self, labels)
        if frame.axis is None or frame.plot_width < 1 or frame.height < 2:
            return cells
        place = place_of(rows, frame.height)
        if by_label:
            steps, colours = _steps_by_label(frame, rows, labels, self.judging)
        else:
            axis = frame.axis.with_columns(frame.plot_width)
            colours = _correctness_colours(frame)
            steps = quantise(1 - resample(rows.correct, rows.request.axis, axis), len(colours))
        if by_label and not frame.output.has_pixels:
            _paint_letters(cells, frame, place.expand(steps), colours, labels)
        else:
            paint_pixels(cells, frame.gutter, 1, place.expand(steps), colours, frame.output)
        if frame.gutter >= LEAST_GUTTER:
            _draw_image_marks(cells, frame, rows, place, self.selected)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the gutter, with image, verdict and share of right images, and the line below the images."""
        if here_rows(frame.height):
            draw_here_line(cells, frame, frame.height - 1, self.taken, self.classes, self.judging)
        _, top, width, height = images_readout_region(frame)
        if frame.gutter < LEAST_GUTTER or height < 1:
            return
        cells.clear(0, top, width, height)
        cells.bg[top : top + height, :width] = frame.theme.panel
        cells.mark[top : top + height, :width] = 0
        y = 1
        for text, colour, bold in _verdict_lines(frame, self, _share_right(frame, self, iteration)):
            cells.text(2 if frame.gutter >= 26 else 1, y, text, colour, bold=bold, limit=max(0, width - 3))
            y += 1
        if self.verdict is not None and self.verdict.pixels is not None:
            gap = 1 if height - y > 8 else 0
            room = top + height - y - gap
            if room < FEWEST_ROWS:
                return
            draw_thumbnail(cells, 2, y + gap, width - 4, room, self.verdict.pixels, frame.output)


def images_readout_region(frame: Frame) -> Region:
    """Return the cells of the gutter that the readout may change, all but the marks beside the images.

    The line below the images is its own, too.
    """
    return 0, 1, max(0, min(frame.gutter, frame.width) - 1), max(0, frame.height - 1 - here_rows(frame.height))


def here_rows(height: int) -> int:
    """Return the rows of the line below the images: 1, or 0 in a pane that has no room for it."""
    return 1 if height >= 4 else 0


def place_of(rows: ImageRows, height: int) -> PixelRows:
    """Return where the images are in a pane of `height` rows."""
    return PixelRows(rows.request.first, rows.request.count, len(rows.correct), height - here_rows(height))


def _correctness_colours(frame: Frame) -> UintArray:
    """Return colours from all right to all wrong."""
    return interpolate((frame.theme.correct, frame.theme.incorrect), CORRECTNESS_STEPS)


def _frequent_labels(wrong: IntArray) -> list[int]:
    """Return the wrong labels on screen, the most frequent first."""
    labels, counts = np.unique(wrong[wrong >= 0], return_counts=True)
    order = np.lexsort((labels, -counts))
    return [int(label) for label in labels[order]]


def _steps_by_label(
    frame: Frame, rows: ImageRows, labels: Sequence[int], judging: Judging | None
) -> tuple[IntArray, UintArray]:
    """Return colour indices and colours: right, then the wrong labels. One wrong image makes a pixel wrong."""
    assert frame.axis is not None
    axis = frame.axis.with_columns(frame.plot_width)
    correct = resample(rows.correct, rows.request.axis, axis)
    wrong = resample(rows.wrong_label, rows.request.axis, axis)
    colours = np.array(
        [frame.theme.correct, *(wrong_colour(frame.theme, label, judging) for label in labels)], np.uint32
    )
    steps = np.where(np.isfinite(correct), 0, -1)
    step_of = np.zeros(max(labels, default=-1) + 2, np.int64)
    step_of[labels] = np.arange(1, len(labels) + 1)
    steps = np.where(wrong >= 0, step_of[wrong], steps)
    return steps, colours


def _paint_letters(cells: Cells, frame: Frame, steps: IntArray, colours: UintArray, labels: Sequence[int]) -> None:
    """Write a letter for each wrong label where its colour cannot be shown, one pixel a cell, wrong before right."""
    shown = np.maximum(steps[0::2], steps[1::2])
    letters = [ord(SHADES[1]), *(ord(letter_of(label)) for label in labels), 32]
    glyphs = np.array(letters, np.uint32)[shown]
    cells.paste(frame.gutter, 1, glyphs, np.append(colours, np.uint32(0))[shown])


def _share_right(frame: Frame, picture: ImagesPicture, iteration: int | None) -> float:
    """Return the share of right images at the cursor: the exact one, or that of the line below, or of its column.

    NaN where there is no validation.
    """
    now, rows = picture.errors_now, picture.images
    if now is not None and now.axis.first == iteration and rows.request.classes in now.groups:
        exact = 1.0 - float(now.values[now.groups.index(rows.request.classes), 0])
        if np.isfinite(exact):
            return exact
    taken = picture.taken
    if taken is not None and taken.iteration is not None and (judged := taken.right + int(taken.counts.sum())):
        return taken.right / judged
    column = frame.column_of(iteration)
    if column is None or frame.axis is None or not rows.correct.size:
        return float("nan")
    axis = frame.axis.with_columns(frame.plot_width)
    values = last_known(resample(rows.correct, rows.request.axis, axis), column - frame.gutter)
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")


def _draw_image_marks(cells: Cells, frame: Frame, rows: ImageRows, place: PixelRows, selected: int) -> None:
    """Mark the selected row, and rows with images that were always wrong."""
    x = frame.gutter - 1
    for y in range(1, place.height):
        shown = place.rows_in(y)
        if rows.always_wrong[shown.start : shown.stop].any():
            cells.text(x, y, marks.ALWAYS_WRONG.glyph, marks.ALWAYS_WRONG.of(frame.theme), bold=True)
    chosen_y = place.y_of(selected)
    if chosen_y is not None:
        cells.text(x, chosen_y, marks.CHOSEN.glyph, marks.CHOSEN.of(frame.theme), bold=True)
        cells.mark[chosen_y, x] = 1


def _verdict_lines(frame: Frame, picture: ImagesPicture, share: float) -> list[_Line]:
    """Return the lines above the thumbnail: id, verdict, how often wrong, share right."""
    verdict, theme = picture.verdict, frame.theme
    right = "" if np.isnan(share) else f"{share * 100:.0f}% right"
    if right and frame.gutter >= 26:
        right = f"{share * 100:.0f}% of {picture.images.images:,} right here"
    if verdict is None:
        return [(right, theme.muted, False)] if right else []
    room = max(0, frame.gutter - 4)
    ident = safe(verdict.id)
    head = as_groups(f"image {verdict.image}", picture.judging)
    if ident and ident != str(verdict.image):
        head = next((words for words in (f"{head}, id {ident}", f"id {ident}") if text_width(words) <= room), ident)
    lines = [(head, theme.flag, True), *_label_lines(theme, picture.classes, verdict, room)]
    if frame.height >= 8:
        lines.append(_often_wrong_line(theme, picture, verdict, room))
        if right and frame.height >= 12:  # the line below says it, too
            lines.append((right, theme.muted, False))
    return lines


def _label_lines(theme: Theme, classes: Sequence[str], verdict: ImageVerdict, room: int) -> list[_Line]:
    """Return how the image was judged, and of a wrong one what it is."""
    true_name = class_name(classes, verdict.target)
    sure = "" if np.isnan(verdict.confidence) else f" {verdict.confidence:.0%}"
    is_right = verdict.label == verdict.target
    if verdict.label is None:
        return [(no_label_words(verdict), theme.muted, False)]
    if is_scored(verdict):
        words = f"{marks.RIGHT if is_right else marks.WRONG} {score_words(verdict, room - 2)}"
        return [
            (words, theme.gained if is_right else theme.warning, True),
            (f"in {true_name}", theme.muted, False),
        ]
    if is_right:
        if text_width(true_name + sure) + 2 > room:
            sure = ""
        return [(f"{marks.RIGHT} {shorten(true_name, max(3, room - 2))}{sure}", theme.gained, True)]
    name = class_name(classes, verdict.label)
    words = f"{marks.WRONG} predicted " if text_width(name) + 12 + len(sure) <= room else f"{marks.WRONG} "
    if text_width(words + name + sure) > room:
        sure = ""
    name = shorten(name, max(3, room - len(words)))
    return [(words + name + sure, theme.warning, True), (f"is {true_name}", theme.muted, False)]


def _often_wrong_line(theme: Theme, picture: ImagesPicture, verdict: ImageVerdict, room: int) -> _Line:
    """Return at how many validations the image was wrong."""
    always_wrong, selected = picture.images.always_wrong, picture.selected
    words = f"wrong {verdict.times_wrong:,} of {verdict.validations:,}"
    ways: tuple[str, ...] = (words, words.replace(" of ", "/"))
    if 0 <= selected < len(always_wrong) and always_wrong[selected]:
        mark = marks.ALWAYS_WRONG
        ways = tuple(f"{mark} {way}" for way in (*(f"{way}: always" for way in ways), "always wrong", "always"))
        return _first_that_fits(ways, room), mark.of(theme), False
    return _first_that_fits(ways, room), theme.muted, False


def _first_that_fits(ways: Sequence[str], room: int) -> str:
    return next((way for way in ways if text_width(way) <= room), ways[-1])


def _draw_images_header(cells: Cells, frame: Frame, picture: ImagesPicture, labels: Sequence[int]) -> None:
    """Write name, title and counts, and at the right end the meaning of the colours."""
    theme, rows, request, classes = frame.theme, picture.images, picture.images.request, picture.classes
    x = draw_header(cells, frame, as_groups(TITLE, picture.judging), max(0, frame.gutter - 1))
    cells.text(x + 2, 0, safe(picture.title), theme.accent, limit=max(0, frame.gutter - x - 3))
    counts = as_groups(counted(rows.images, "image"), picture.judging)
    end = cells.text(frame.gutter, 0, counts, theme.text, limit=frame.plot_width)
    if request.colour_by == "label":
        items = [(theme.correct, "right")]
        names = [safe(classes[label]) if label < len(classes) else str(label) for label in labels]
        items += [
            (wrong_colour(theme, label, picture.judging), name) for label, name in zip(labels, names, strict=True)
        ]
    else:
        ends = np.array([0, CORRECTNESS_STEPS - 1])
        ramp = _correctness_colours(frame)
        right, wrong = (ramp[ends] if frame.output.has_pixels else shading_colours(ends, ramp, frame.output)).tolist()
        items = [(right, "correct"), (wrong, "incorrect")]
    letters = [letter_of(label) for label in labels] if request.colour_by == "label" else None
    stop = _draw_items(cells, frame, items, end + 2, letters)
    notes = [f" × {counted(picture.validations, 'validation')}", f"   sort {request.sort}"]
    place = place_of(rows, frame.height)
    if place.per_pixel > 1.01:
        notes.append(as_groups(f" · {place.per_pixel:.1f} images/px", picture.judging))
    for index, note in enumerate(notes):
        if end + len(note) < stop - 1:
            end = cells.text(end, 0, note, theme.muted if index else theme.text)


def _draw_items(
    cells: Cells, frame: Frame, items: Sequence[tuple[int, str]], left: int, letters: Sequence[str] | None
) -> int:
    """Write colour patches with their names at the right end, the last ones left out if they do not fit."""
    steps = min(len(items), MOST_NAMED)
    while steps:
        shown = [(colour, shorten(name, 14)) for colour, name in items[:steps]]
        width = sum(text_width(name) + 5 for _, name in shown) - 1
        begin = frame.width - width
        if begin >= left:
            break
        steps -= 1
    else:
        return frame.width
    x = begin
    for index, (colour, name) in enumerate(shown):
        patch = "██"
        if not frame.output.has_pixels:
            patch = SHADES[1] * 2 if index == 0 else "██" if letters is None else letters[index - 1] * 2
        cells.text(x, 0, patch, colour)
        x = cells.text(x + 3, 0, name, frame.theme.muted) + 2
    return begin
