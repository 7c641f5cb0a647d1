"""The images pane: a row of pixels for each image of the selected class or cluster, and the image itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageRows, ImagesRequest, ImageVerdict
from dtui.model.judging import as_groups
from dtui.model.learning import TakenFor
from dtui.query import RunQuery
from dtui.tui.panes.rows import PixelPane, pixels_of
from dtui.tui.panes.validation.classes_here import ErrorsNowQuestion
from dtui.tui.panes.validation.inside import INSIDE, open_image
from dtui.tui.renderables.panes.images import TITLE, ImagesPicture, here_rows, place_of
from dtui.tui.renderables.panes.message import reading
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

SORTS = ("error", "similarity", "peak", "index")
COLOURINGS = ("correctness", "label")


@dataclass(frozen=True, slots=True)
class ImagesOptions:
    """The choices of this pane: one of SORTS, one of COLOURINGS."""

    sort: str = "error"
    colour_by: str = "correctness"


@dataclass(frozen=True, slots=True)
class ImagesQuestion(Question[ImageRows]):
    """The judgements of the images of some classes over time."""

    request: ImagesRequest
    about = "images"
    is_slow = True

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Read labels."""
        return query.prepare_images(self.request.classes, seconds)

    def ask(self, query: RunQuery) -> ImageRows:
        """Return it."""
        return query.image_rows(self.request)


@dataclass(frozen=True, slots=True)
class VerdictQuestion(Question[ImageVerdict]):
    """One image at the cursor."""

    image: int
    iteration: int
    about = "verdict"

    def ask(self, query: RunQuery) -> ImageVerdict:
        """Return its judgement."""
        return query.image_verdict(self.image, self.iteration)


@dataclass(frozen=True, slots=True)
class TakenForQuestion(Question[TakenFor]):
    """What the images were taken for at the cursor."""

    classes: tuple[int, ...]
    iteration: int
    about = "wrong labels"

    def ask(self, query: RunQuery) -> TakenFor:
        """Return it."""
        return query.taken_for(self.classes, self.iteration)


class Images(PixelPane):
    """The images of `RunView.group_classes`, in sorted order."""

    name = "images"
    title = TITLE
    question = ImagesQuestion
    about = staticmethod(attrgetter("request.classes"))
    place_of = staticmethod(place_of)
    bar = (
        (("fold_toggle",), "look at it"),
        (("clusters",), "colour"),
        (("inside",), "gallery"),
        (("sort",), "sort"),
        (("rows_more", "rows_fewer"), "rows"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through orders and colourings."""
        return {
            **super().steps,
            **INSIDE,
            "sort": cycling(ImagesOptions, "sort", SORTS),
            "clusters": cycling(ImagesOptions, "colour_by", COLOURINGS),
        }

    def subject(self, selection: Selection) -> object:
        """Return cluster and class."""
        return selection.cluster, selection.class_index

    def rows(self, scene: Scene) -> int:
        """Return the number of images of the classes."""
        labels = np.array(scene.view.group_classes(scene.selection), np.int64)
        return int(scene.view.class_sizes[labels].sum())

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the images that are shown, and for the selected one at the cursor."""
        selection, total, height = scene.selection, self.rows(scene), self.height(scene)
        options, window = selection.get(ImagesOptions), self.window(selection)
        if not height or not total:
            return
        classes = scene.view.group_classes(selection)
        yield ImagesQuestion(
            ImagesRequest(
                classes=classes,
                axis=scene.axis,
                first=window.first,
                count=window.count or total,
                pixels=pixels_of(height - here_rows(height)),
                sort=options.sort,
                colour_by=options.colour_by,
            )
        )
        yield TakenForQuestion(classes, selection.cursor)
        images = scene.answers.get(ImagesQuestion)
        if images is not None and images.request.classes == classes and window.row < len(images.order):
            yield VerdictQuestion(int(images.order[window.row]), selection.cursor)

    def picture(self, scene: Scene) -> Picture:
        """Return the images at hand: those of the previous class until the new ones arrive."""
        view, images = scene.view, scene.answers.get(ImagesQuestion)
        if images is None or not len(view.classes) or not view.info.validations:
            return reading("the images", self.title)
        shown = images.request.classes
        title = view.classes[shown[0]] if len(shown) == 1 else as_groups(f"{len(shown)} classes", view.info.judging)
        for cluster in view.clusters:
            if len(shown) > 1 and cluster.classes == shown:
                title = cluster.label
        is_current = shown == view.group_classes(scene.selection)
        row = min(self.row(scene), max(0, images.images - 1)) if is_current else 0
        verdict = scene.answers.get(VerdictQuestion)
        if verdict is not None and (not len(images.order) or verdict.image != int(images.order[row])):
            verdict = None
        now, taken = scene.answers.get(ErrorsNowQuestion), scene.answers.get(TakenForQuestion)
        if taken is not None and taken.classes != shown:
            taken = None
        judging = view.info.judging
        return ImagesPicture(images, title, row, view.classes, view.info.validations, verdict, now, taken, judging)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is an image to look at."""
        return self._image(scene) is not None

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Look at the selected image; closing goes to the classes."""
        image = self._image(scene)
        return super().fold(scene, open_) if image is None or open_ is False else open_image(scene, image)

    def _image(self, scene: Scene) -> int | None:
        """Return the selected image; None while it is not known."""
        images, row = scene.answers.get(ImagesQuestion), self.row(scene)
        if images is None or images.request.classes != scene.view.group_classes(scene.selection):
            return None
        return int(images.order[row]) if row < len(images.order) else None
