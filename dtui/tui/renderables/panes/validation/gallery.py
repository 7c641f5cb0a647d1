"""Draws a gallery: images in a grid, the wrong ones framed, each with its label below."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageVerdict
from dtui.model.judging import as_groups
from dtui.model.learning import Gallery
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.thumbnail import draw_thumbnail, drawn_size
from dtui.tui.renderables.parts.words.class_names import bare_name, class_name
from dtui.tui.renderables.parts.words.judged_words import (
    is_scored,
    no_label_words,
    score_words,
    second_words,
    verdict_score,
    wrong_colour,
)

TITLE = "Gallery"
SIZES = (8, 10, 14, 16, 20, 28, 32, 48, 64)
"""Columns of a picture; it has half as many rows. The frame around it takes two more of each."""
LARGEST = 28
"""Columns up to which a picture grows by itself where there are few."""
BORDERS = {
    "none": (" ", " ", " ", " ", " ", " "),
    "wrong": ("╭", "─", "╮", "│", "╰", "╯"),
    "selected": ("╔", "═", "╗", "║", "╚", "╝"),
}
"""Corners and lines of a frame: top left, across, top right, down, bottom left, bottom right."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the tiles of a gallery stand, below a header and above a line about the selected image.

    Attributes:
        width: Columns of the pane.
        height: Rows of the pane.
        size: Columns of a picture.
        has_pictures: Whether there are any; else a tile has one row of words.
    """

    width: int
    height: int
    size: int
    has_pictures: bool = True

    @property
    def tile(self) -> tuple[int, int]:
        """Columns and rows of a tile with its frame; the label stands in the frame."""
        return self.size + 2, (self.size // 2 if self.has_pictures else 1) + 2

    @property
    def columns(self) -> int:
        """Tiles side by side, >= 1."""
        return max(1, (self.width - 2) // self.tile[0])

    @property
    def rows(self) -> int:
        """Rows of tiles that are shown, >= 1."""
        return max(1, (self.height - 2) // self.tile[1])

    def place(self, index: int) -> tuple[int, int]:
        """Return the left column and the top row of a shown tile, counted from 0."""
        row, column = divmod(index, self.columns)
        return 1 + column * self.tile[0], 1 + row * self.tile[1]

    def at(self, x: int, y: int) -> int | None:
        """Return the shown tile at a cell; None outside."""
        column, row = (x - 1) // self.tile[0], (y - 1) // self.tile[1]
        if not (0 <= column < self.columns and 0 <= row < self.rows and x >= 1 and y >= 1):
            return None
        return row * self.columns + column


def grid_of(
    width: int, height: int, size: int | None = None, has_pictures: bool = True, images: int = 0, across: int = 0
) -> Grid:
    """Return the grid of a pane.

    Args:
        width: Columns of the pane.
        height: Rows of the pane.
        size: Place in SIZES; None for one of at most 16 columns that fits four times, and twice below each other, or a
            larger one in which all images are on the screen.
        has_pictures: Whether the images have any.
        images: How many there are; 0 where that is not known.
        across: Pixels across one, which is shown larger only in whole steps: no size is taken by itself that it does
            not fill. 0 where that is not known.
    """
    if size is None and not has_pictures:
        size = SIZES.index(16)
    if size is None:
        room = max(1, height - 2) // (2 if height >= 14 else 1)
        fitting = [
            place for place, columns in enumerate(SIZES) if columns // 2 + 2 <= room and 4 * (columns + 2) <= width
        ]
        filled = [
            place for place, columns in enumerate(SIZES) if columns <= across or not across or columns % across == 0
        ]
        usual = [place for place in fitting if place <= SIZES.index(16)]
        size = max([place for place in usual if place in filled] or usual, default=0)
        larger = range(size + 1, SIZES.index(LARGEST) + 1)
        fits = [place for place in larger if place in filled and 0 < images <= _room(width, height, SIZES[place])]
        size = max(fits, default=size)
    return Grid(width, height, SIZES[max(0, min(size, len(SIZES) - 1))], has_pictures)


def _room(width: int, height: int, columns: int) -> int:
    """Return how many pictures of a size a pane shows whole."""
    return ((width - 2) // (columns + 2)) * ((height - 2) // (columns // 2 + 2))


def pixels_across(gallery: Gallery | None) -> int:
    """Return how many pixels the pictures of a gallery are wide; 0 where that is not known."""
    shown = gallery.shown if gallery is not None else ()
    return max((one.pixels.shape[1] for one in shown if one.pixels is not None), default=0)


def has_pictures(gallery: Gallery | None) -> bool:
    """Whether a gallery shows any picture; True while it is not known."""
    return gallery is None or not gallery.shown or any(one.pixels is not None for one in gallery.shown)


@dataclass(frozen=True, slots=True)
class GalleryPicture(Picture):
    """A grid of images under a header, and a line about the selected one.

    Attributes:
        gallery: What to show.
        selected: Place of the selected image among all of the gallery.
        classes: Names by label; data from outside.
        title: What the images are; data from outside.
        size: As in `grid_of`.
        head: What the header begins with.
        nothing: What it says where there is no image.
    """

    gallery: Gallery
    selected: int
    classes: tuple[str, ...]
    title: str
    size: int | None = None
    head: str = TITLE
    nothing: str = "there is no such image"

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, tiles and line."""
        cells = Cells(frame.width, frame.height, frame.theme)
        grid, first = self.grid(frame), self.gallery.request.first
        self._draw_header(cells, frame, grid)
        for index, verdict in enumerate(self.gallery.shown[: grid.columns * grid.rows]):
            self._draw_tile(cells, frame, grid, index, verdict, first + index == self.selected)
        if not len(self.gallery.order):
            cells.text(2, 1, self.nothing, frame.theme.muted, limit=max(0, frame.width - 3))
        self._draw_line(cells, frame)
        return cells

    def grid(self, frame: Frame) -> Grid:
        """Return where the tiles stand."""
        across, images = pixels_across(self.gallery), len(self.gallery.order)
        return grid_of(frame.width, frame.height, self.size, has_pictures(self.gallery), images, across)

    def _draw_header(self, cells: Cells, frame: Frame, grid: Grid) -> None:
        theme, gallery = frame.theme, self.gallery
        total, first = len(gallery.order), gallery.request.first
        x = draw_header(cells, frame, self.head, max(0, frame.width - 1))
        last = min(total, first + grid.columns * grid.rows)
        shown = f"{first + 1:,}–{last:,} of {total:,}" if total else ""
        stop = frame.width - 1 - text_width(shown)
        at = "before the first validation" if gallery.iteration is None else f"at {gallery.iteration:,}"
        wrong = f"{gallery.wrong:,} of {total:,} wrong {at}"
        x = cells.text(x + 2, 0, safe(self.title), theme.accent, limit=max(0, stop - x - 4))
        if text_width(wrong) <= stop - x - 4:
            cells.text(x + 3, 0, wrong, theme.text)
            cells.text(x + 1, 0, "·", theme.faint)
        if stop > x + 1:
            cells.text(stop, 0, shown, theme.muted)

    def _draw_tile(
        self, cells: Cells, frame: Frame, grid: Grid, index: int, verdict: ImageVerdict, is_selected: bool
    ) -> None:
        theme, (x, y), (width, height) = frame.theme, grid.place(index), grid.tile
        is_wrong = verdict.label is not None and verdict.label != verdict.target
        colour = (
            wrong_colour(theme, verdict.label, verdict.judging)
            if is_wrong and verdict.label is not None
            else theme.muted
        )
        border = BORDERS["selected" if is_selected else "wrong" if is_wrong else "none"]
        edge = theme.flag if is_selected else colour
        top_left, across, top_right, down, bottom_left, bottom_right = border
        cells.text(x, y, top_left + across * (width - 2) + top_right, edge)
        for line in range(y + 1, y + height - 1):
            cells.text(x, line, down, edge)
            cells.text(x + width - 1, line, down, edge)
        cells.text(x, y + height - 1, bottom_left + across * (width - 2) + bottom_right, edge)
        if verdict.pixels is None:
            words = shorten(as_groups(f"image {verdict.image}", verdict.judging), width - 2)
            cells.text(x + (width - text_width(words)) // 2, y + (height - 1) // 2, words, theme.muted)
        else:
            wide, tall = drawn_size(width - 2, height - 2, verdict.pixels)
            left, top = x + 1 + (width - 2 - wide) // 2, y + 1 + (height - 2 - tall) // 2
            draw_thumbnail(cells, left, top, width - 2, height - 2, verdict.pixels, frame.output)
        request = self.gallery.request
        if request.listed or request.excites is not None or len(request.classes) > 1:
            words = shorten(f" {bare_name(self.classes, verdict.target)} ", width - 2)
            cells.text(x + (width - text_width(words)) // 2, y, words, theme.text, bold=is_selected)
        label = _label(verdict, self.classes, width - 2)
        begin = x + (width - text_width(label)) // 2
        cells.text(begin, y + height - 1, label, colour if is_wrong else theme.gained, bold=is_wrong or is_selected)
        if is_selected:
            cells.mark[y + height - 1 : y + height, begin : begin + text_width(label)] = 1

    def _draw_line(self, cells: Cells, frame: Frame) -> None:
        """Write about the selected image; the end is left out first."""
        theme, gallery = frame.theme, self.gallery
        place = self.selected - gallery.request.first
        if not 0 <= place < len(gallery.shown) or frame.height < 3:
            return
        verdict, forgotten = gallery.shown[place], int(gallery.forgotten[place])
        x = 1
        for index, (text, colour) in enumerate(facts_of(frame, verdict, self.classes, forgotten)):
            if index and x + 3 + text_width(text) > frame.width - 1:
                break
            x = cells.text(x, frame.height - 1, " · " if index else "", theme.faint)
            x = cells.text(x, frame.height - 1, text, colour, limit=max(0, frame.width - x), bold=index == 0)


def facts_of(frame: Frame, verdict: ImageVerdict, classes: tuple[str, ...], forgotten: int) -> list[tuple[str, int]]:
    """Return what is known about an image in words with their colours, the most important first."""
    theme = frame.theme
    sure = "" if verdict.confidence != verdict.confidence else f" ({verdict.confidence:.0%})"
    true = class_name(classes, verdict.target)
    if verdict.label is None:
        said = (f"is {true}, {no_label_words(verdict)}", theme.muted)
    elif is_scored(verdict):
        is_right = verdict.label == verdict.target
        words = f"{marks.RIGHT if is_right else marks.WRONG} {score_words(verdict)}, in {true}"
        said = (words, theme.gained if is_right else theme.warning)
    elif verdict.label == verdict.target:
        said = (f"{marks.RIGHT} {true}{sure}", theme.gained)
    else:
        said = (f"{marks.WRONG} {true} taken for {class_name(classes, verdict.label)}{sure}", theme.warning)
    always = verdict.validations > 0 and verdict.times_wrong == verdict.validations
    wrong = "always wrong" if always else f"wrong {verdict.times_wrong:,} of {verdict.validations:,}"
    ident, numbered = safe(verdict.id), as_groups(f"image {verdict.image}", verdict.judging)
    second = second_words(verdict, class_name(classes, -1 if verdict.second_label is None else verdict.second_label))
    return [
        said,
        *([(second, theme.muted)] if second else []),
        (wrong, theme.warning if always else theme.text),
        (f"forgotten {forgotten:,} {'time' if forgotten == 1 else 'times'}", theme.text),
        (numbered + (f", id {ident}" if ident and ident != str(verdict.image) else ""), theme.muted),
    ]


def _label(verdict: ImageVerdict, classes: tuple[str, ...], room: int) -> str:
    """Return the label below an image: what it was taken for, with a mark that says whether that is right."""
    if verdict.label is None:
        return shorten("?", room)
    is_right = verdict.label == verdict.target
    name = verdict_score(verdict) if is_scored(verdict) else bare_name(classes, verdict.label)
    head = f"{marks.RIGHT if is_right else marks.WRONG} "
    sure = "" if verdict.confidence != verdict.confidence else f" {verdict.confidence:.0%}"
    for text in (f" {head}{name}{sure} ", f" {head}{name} ", f"{head}{name}"):
        if text_width(text) <= room:
            return text
    return shorten(f"{head}{name}", room)
