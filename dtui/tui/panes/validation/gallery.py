"""The gallery pane: images of a class, or of a list, in a grid, as they were judged at the crosshair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from dtui.dataclass_on_use import dataclass
from dtui.model.judging import as_groups
from dtui.model.learning import GALLERY_SORTS, TURNED_WRONG, Gallery, GalleryRequest
from dtui.number_text import counted
from dtui.query import RunQuery
from dtui.safe_text import safe
from dtui.tui.panes.rows import scrolled
from dtui.tui.panes.validation.inside import (
    INSIDE,
    GalleryOptions,
    incident_begin,
    open_image,
    open_list,
    without_validations,
)
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import MessagePicture, reading
from dtui.tui.renderables.panes.validation.gallery import (
    SIZES,
    TITLE,
    GalleryPicture,
    Grid,
    grid_of,
    has_pictures,
    pixels_across,
)
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.state.actions import BarItem
from dtui.tui.state.key_steps import next_of
from dtui.tui.state.navigate import select_row
from dtui.tui.state.pane import Pane, Scene, Shows, Step
from dtui.tui.state.places.remark import Remark, missing
from dtui.tui.state.questions import Question
from dtui.tui.state.screens.layout import divide
from dtui.tui.state.selection import RowWindow, Selection

LISTS = {
    "always-wrong": "always wrong",
    "hard": "forgotten most often",
    TURNED_WRONG: "turned wrong here",
    "never-learned": "never learned",
    "forgotten": "learned, and wrong at the end",
    "easy": "learned for good, the first ones first",
}
"""Lists of images over all classes, in the order in which the key goes through them, and their words."""
SORT_WORDS = {"wrong": "the worst first", "index": "in the order of the run"}


@dataclass(frozen=True, slots=True)
class GalleryQuestion(Question[Gallery]):
    """Images with their judgements."""

    request: GalleryRequest
    about = "the gallery"

    def ask(self, query: RunQuery) -> Gallery:
        """Return them."""
        return query.gallery(self.request)


class GalleryPane(Pane):
    """A grid of images; its rows are the images, and a row of tiles is a step."""

    name = "tiles"
    title = TITLE
    shows: ClassVar[Shows | None] = Shows.CLASSES
    has_time = False
    leads: ClassVar[str] = "listed"
    question: ClassVar[type[GalleryQuestion]] = GalleryQuestion
    bar: ClassVar[tuple[BarItem, ...]] = (
        (("fold_toggle",), "look at it"),
        (("fold_close", "fold_open"), "left, right"),
        (("sort",), "order"),
        (("rows_fewer", "rows_more"), "size"),
        (("always_wrong",), "always wrong"),
        (("confusion",), "confusion"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Move over the grid, and change order and size."""
        return {
            **INSIDE,
            "fold_close": lambda scene: select_row(scene, self.row(scene) - 1),
            "fold_open": lambda scene: select_row(scene, self.row(scene) + 1),
            "sort": self._sorted,
            "rows_fewer": partial(self._sized, by=1),
            "rows_more": partial(self._sized, by=-1),
        }

    # --- what it shows

    def grid(self, scene: Scene) -> Grid:
        """Return where the tiles stand."""
        return self._grid(scene, self.height(scene))

    def _grid(self, scene: Scene, height: int) -> Grid:
        size, gallery = scene.selection.get(GalleryOptions).size, scene.answers.get(self.question)
        images = 0 if gallery is None else len(gallery.order)
        across = pixels_across(gallery)
        return grid_of(scene.size[0], height, size, has_pictures(gallery), images, across)

    def needed(self, scene: Scene) -> int:
        """Return the rows of all images, if they are fewer than the screen has."""
        images = self.rows(scene)
        if not images or scene.answers.get(self.question) is None:
            return scene.size[1]
        grid = self._grid(scene, sum(divide(*scene.size, (1,)).panes))
        return 2 + -(-images // grid.columns) * grid.tile[1]

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the images on the screen."""
        if self.height(scene) and len(scene.view.classes):
            yield self.question(self.request(scene))

    def request(self, scene: Scene) -> GalleryRequest:
        """Return which images are on the screen."""
        grid, options, window = self.grid(scene), scene.selection.get(GalleryOptions), self.window(scene.selection)
        classes = () if options.listed else scene.view.group_classes(scene.selection)
        return GalleryRequest(
            scene.selection.cursor,
            window.first,
            grid.columns * grid.rows,
            classes,
            options.listed,
            options.sort,
            incident_begin(scene),
        )

    def picture(self, scene: Scene) -> Picture:
        """Return the images at hand."""
        gallery, view, options = scene.answers.get(self.question), scene.view, scene.selection.get(GalleryOptions)
        if not len(view.classes) or not view.info.validations:
            lacking = ("No images in this run", "no validation was recorded; Esc goes back")
            return MessagePicture(*without_validations(scene, *lacking), self.title)
        if gallery is None:
            return reading("the images", self.title)
        row = self.row(scene) if self._is_current(scene, gallery) else gallery.request.first
        return GalleryPicture(gallery, row, view.classes, self._title(scene, gallery), options.size)

    def _title(self, scene: Scene, gallery: Gallery) -> str:
        view, options, request = scene.view, scene.selection.get(GalleryOptions), gallery.request
        if request.listed:
            nothing = "none is always wrong; " if options.nothing_always else ""
            return nothing + LISTS.get(request.listed, request.listed)
        if len(request.classes) == 1:
            return class_name(view.classes, request.classes[0])
        names = [cluster.label for cluster in view.clusters if cluster.classes == request.classes]
        return names[0] if names else as_groups(counted(len(request.classes), "class"), view.info.judging)

    def _is_current(self, scene: Scene, gallery: Gallery) -> bool:
        """Whether a gallery is of what is selected now."""
        listed = scene.selection.get(GalleryOptions).listed
        if gallery.request.listed != listed:
            return False
        return bool(listed) or gallery.request.classes == scene.view.group_classes(scene.selection)

    # --- links

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return which list of images it shows, if it shows one."""
        options = scene.selection.get(GalleryOptions)
        listed = "always-wrong" if options.nothing_always else options.listed
        return {"listed": listed} if listed else {}

    def follow(self, scene: Scene, place: Mapping[str, Any]) -> tuple[Selection, Remark | None]:
        """Show the list of a link; else the images of the class, or without one those that are forgotten most often."""
        listed = place["listed"] or ""
        known = listed if listed in LISTS else "" if scene.view.group_classes(scene.selection) else "hard"
        is_known = listed in ("", *LISTS)
        said = None if is_known else missing(f"list {safe(listed, 40)}", more=f"; give {', '.join(LISTS)}")
        options = replace(scene.selection.get(GalleryOptions), listed=known, nothing_always=False)
        return scene.selection.put(options), said

    # --- its rows

    def window(self, selection: Selection) -> RowWindow:
        """Return the window of images of the list, the class or the cluster."""
        listed = selection.get(GalleryOptions).listed
        return selection.rows_of(self.name, listed or (selection.cluster, selection.class_index))

    def rows(self, scene: Scene) -> int:
        """Return the number of images."""
        gallery = scene.answers.get(self.question)
        if gallery is not None and self._is_current(scene, gallery):
            return len(gallery.order)
        if scene.selection.get(GalleryOptions).listed:
            return 0
        return sum(int(scene.view.class_sizes[label]) for label in scene.view.group_classes(scene.selection))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on an image."""
        return scene.selection.with_rows(self.name, replace(self.window(scene.selection), row=row))

    def step(self, scene: Scene) -> int:
        """Return a row of tiles."""
        return self.grid(scene).columns

    def page(self, scene: Scene) -> int:
        """Return the rows of tiles on the screen."""
        return self.grid(scene).rows

    def settle(self, scene: Scene) -> Selection:
        """Return the selection with the selected image on the screen, and whole rows of tiles."""
        window, total, grid = self.window(scene.selection), self.rows(scene), self.grid(scene)
        if not total or not self.height(scene):
            return scene.selection
        row, columns = max(0, min(window.row, total - 1)), grid.columns
        first = scrolled(window.first // columns, row // columns, grid.rows, -(-total // columns)) * columns
        return scene.selection.with_rows(self.name, replace(window, row=row, first=first))

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is an image to look at."""
        return self.image(scene) is not None

    def image(self, scene: Scene) -> int | None:
        """Return the selected image; None while it is not known."""
        gallery, row = scene.answers.get(self.question), self.row(scene)
        if gallery is None or not self._is_current(scene, gallery) or not 0 <= row < len(gallery.order):
            return None
        return int(gallery.order[row])

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Look at the selected image."""
        image = self.image(scene)
        return scene.selection if image is None or open_ is False else open_image(scene, image)

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Select the pressed image; look at it if it was selected already."""
        place = self.grid(scene).at(x, y)
        row = self.window(scene.selection).first + (place or 0)
        if place is None or row >= self.rows(scene):
            return None
        return self.fold(scene, None) if row == self.row(scene) else self.select(scene, row)

    # --- what changes around it

    def answered(self, scene: Scene, question: Question[Any], answer: Any) -> Selection:
        """Stay on the same image when the order changes; show the most forgotten ones where none is always wrong."""
        if not isinstance(question, self.question):
            return scene.selection
        options = scene.selection.get(GalleryOptions)
        if options.listed == "always-wrong" == question.request.listed and not len(answer.order):
            return scene.selection.put(replace(options, listed="hard", nothing_always=True))
        image, old = self.image(scene), scene.answers.get(self.question)
        if image is None or old is None:
            return scene.selection
        found = (answer.order == image).nonzero()[0]
        is_same = question.request.classes == old.request.classes and question.request.listed == old.request.listed
        return self.select(scene, int(found[0])) if is_same and len(found) and self.row(scene) else scene.selection

    def _sorted(self, scene: Scene) -> Selection:
        """Return the selection with the next order, or the next list."""
        options = scene.selection.get(GalleryOptions)
        if options.listed:
            return open_list(scene, next_of(tuple(LISTS), options.listed))
        return scene.selection.put(replace(options, sort=next_of(GALLERY_SORTS, options.sort)))

    def _sized(self, scene: Scene, by: int) -> Selection:
        """Return the selection with larger (1) or smaller (-1) images."""
        place = SIZES.index(self.grid(scene).size) + by
        options = scene.selection.get(GalleryOptions)
        return scene.selection.put(replace(options, size=max(0, min(place, len(SIZES) - 1))))

    def said(self, before: Selection, scene: Scene) -> str:
        """Say in which order the images are."""
        old, new = before.get(GalleryOptions), scene.selection.get(GalleryOptions)
        if new.listed and new.listed != old.listed:
            words = "always wrong, or else forgotten most often" if new.listed == "always-wrong" else LISTS[new.listed]
            return f"{words}; o: next list"
        return SORT_WORDS[new.sort] if new.sort != old.sort else ""

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer the lists of images."""
        for listed, words in LISTS.items():
            yield f"images {words}", "Show these images of all classes.", partial(open_list, listed=listed)
