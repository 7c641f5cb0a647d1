"""The images that excite the inspected filter most, below its courses: nine of them, at the crosshair's validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model.learning import Gallery, GalleryRequest
from dtui.tui.panes.layers.inspected import InspectedFilter
from dtui.tui.panes.validation.gallery import GalleryPane, GalleryQuestion
from dtui.tui.panes.validation.inside import GalleryOptions
from dtui.tui.renderables.panes.message import reading
from dtui.tui.renderables.panes.validation.gallery import SIZES, GalleryPicture, Grid, grid_of, has_pictures
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.navigate import select_row
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.places.remark import Remark
from dtui.tui.state.selection import RowWindow, Selection

TITLE = "Most exciting images"
NOTHING = "no image gets through this filter here: it is silent, or was not called"
MOST = 9
LARGEST = 20
"""Columns of a picture, unless a person wants larger ones."""


@dataclass(frozen=True, slots=True)
class ExcitingQuestion(GalleryQuestion):
    """The images that excite a filter most, with their judgements."""

    about = "what excites the filter"


class ExcitingImages(GalleryPane):
    """Nine images; Enter looks at one, and j and k go from one to the next."""

    name = "exciting"
    title = TITLE
    shows = None
    leads = ""
    question = ExcitingQuestion
    bar = (
        (("fold_toggle",), "look at it"),
        (("fold_close", "fold_open"), "left, right"),
        (("rows_fewer", "rows_more"), "size"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Move over the images, and change their size."""
        return {
            "inside": lambda scene: self.fold(scene, None),
            "fold_close": lambda scene: select_row(scene, self.row(scene) - 1),
            "fold_open": lambda scene: select_row(scene, self.row(scene) + 1),
            "rows_fewer": partial(self._sized, by=1),
            "rows_more": partial(self._sized, by=-1),
        }

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return nothing: the inspector beside it names the filter."""
        return {}

    def follow(self, scene: Scene, place: Mapping[str, Any]) -> tuple[Selection, Remark | None]:
        """Change nothing: a list of images is not shown here."""
        return scene.selection, None

    def needed(self, scene: Scene) -> int:
        """Return the rows of nine images, of a size that fits beside each other where the screen is wide enough."""
        grid = self._grid(scene, scene.size[1])
        return 2 + -(-MOST // grid.columns) * grid.tile[1]

    def grid(self, scene: Scene) -> Grid:
        """Return where the tiles stand."""
        return self._grid(scene, self.height(scene))

    def _grid(self, scene: Scene, height: int) -> Grid:
        width, size = scene.size[0], scene.selection.get(GalleryOptions).size
        if size is None:
            fits = [at for at, wide in enumerate(SIZES) if MOST * (wide + 2) <= width - 2 and wide <= LARGEST]
            size = max(fits, default=0)
        return grid_of(width, height, size, has_pictures(scene.answers.get(self.question)))

    def request(self, scene: Scene) -> GalleryRequest:
        """Return the images of the inspected filter."""
        chosen = scene.selection.get(InspectedFilter)
        return GalleryRequest(scene.selection.cursor, 0, MOST, excites=(chosen.layer, chosen.filter))

    def picture(self, scene: Scene) -> Picture:
        """Return the images at hand, if they are of this filter."""
        gallery = scene.answers.get(self.question)
        if gallery is None or not self._is_current(scene, gallery):
            return reading("the images that excite it", self.title)
        grid, first = self.grid(scene), self.window(scene.selection).first
        request = replace(gallery.request, first=first)
        shown = gallery.shown[first : first + grid.columns * grid.rows]
        part = replace(gallery, request=request, shown=shown, forgotten=gallery.forgotten[first:])
        size = SIZES.index(grid.size)
        return GalleryPicture(
            part, self.row(scene), scene.view.classes, "the strongest first", size, self.title, NOTHING
        )

    def _is_current(self, scene: Scene, gallery: Gallery) -> bool:
        return gallery.request.excites == self.request(scene).excites

    def window(self, selection: Selection) -> RowWindow:
        """Return the window of the images of the filter."""
        return selection.rows_of(self.name, selection.get(InspectedFilter))

    def rows(self, scene: Scene) -> int:
        """Return the number of images."""
        gallery = scene.answers.get(self.question)
        return 0 if gallery is None or not self._is_current(scene, gallery) else len(gallery.order)

    def answered(self, scene: Scene, question: object, answer: object) -> Selection:
        """Stay in the same place: it is the rank."""
        return scene.selection

    def said(self, before: Selection, scene: Scene) -> str:
        """Say nothing."""
        return ""

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer nothing: the gallery offers lists."""
        yield from ()
