"""The panes of one image: its labels over time with the images that flip with it, and the picture itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageVerdict, TimeAxis
from dtui.model.judging import as_groups
from dtui.model.learning import ImageHistory, LabelStrips
from dtui.query import RunQuery
from dtui.tui.panes.validation.inside import INSIDE, InspectedImage, open_image
from dtui.tui.renderables.panes.message import MessagePicture, reading
from dtui.tui.renderables.panes.validation import history as drawn
from dtui.tui.renderables.panes.validation import portrait
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.places.remark import Remark, missing
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import RowWindow, Selection


@dataclass(frozen=True, slots=True)
class HistoryQuestion(Question[ImageHistory]):
    """How an image was judged over the run, and what flips with it."""

    image: int
    about = "the image's history"

    def ask(self, query: RunQuery) -> ImageHistory:
        """Return it."""
        return query.image_history(self.image, drawn.PARTNERS)


@dataclass(frozen=True, slots=True)
class StripsQuestion(Question[LabelStrips]):
    """Labels of an image and its partners over time."""

    images: tuple[int, ...]
    axis: TimeAxis
    about = "labels over time"

    def ask(self, query: RunQuery) -> LabelStrips:
        """Return them."""
        return query.label_strips(self.images, self.axis)


@dataclass(frozen=True, slots=True)
class InspectedVerdictQuestion(Question[ImageVerdict]):
    """The image at the crosshair."""

    image: int
    iteration: int
    about = "verdict"

    def ask(self, query: RunQuery) -> ImageVerdict:
        """Return its judgement."""
        return query.image_verdict(self.image, self.iteration)


def _history(scene: Scene) -> ImageHistory | None:
    """Return the history of the inspected image; None while it loads."""
    history = scene.answers.get(HistoryQuestion)
    image = scene.selection.get(InspectedImage).image
    return history if history is not None and history.learned.image == image else None


def _strips(scene: Scene) -> LabelStrips | None:
    strips = scene.answers.get(StripsQuestion)
    image = scene.selection.get(InspectedImage).image
    return strips if strips is not None and strips.images[:1] == (image,) else None


class History(Pane):
    """Labels over time: row 0 is the image, the others flip with it."""

    name = "history"
    title = drawn.TITLE
    leads = "image"
    bar = ((("fold_toggle",), "look at it"), (("inside",), "gallery"), (("confusion",), "confusion"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Open the other inner screens."""
        return INSIDE

    def needed(self, scene: Scene) -> int:
        """Return the rows of everything."""
        history = _history(scene)
        return drawn.rows_needed(drawn.PARTNERS if history is None else len(history.partners))

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the history, and then for the labels of the images in it."""
        image, images = scene.selection.get(InspectedImage).image, scene.view.info.images
        if not 0 <= image < images:
            return
        yield HistoryQuestion(image)
        history = _history(scene)
        if history is not None and self.height(scene):
            yield StripsQuestion((image, *history.partners.tolist()), scene.axis)

    def picture(self, scene: Scene) -> Picture:
        """Return the strips that are there."""
        history, view = _history(scene), scene.view
        if not view.info.images:
            return MessagePicture("No images in this run", "no validation was recorded; Esc goes back", self.title)
        if history is None:
            return reading("the image", self.title)
        return drawn.HistoryPicture(history, _strips(scene), self.row(scene), view.classes, view.stages)

    def window(self, selection: Selection) -> RowWindow:
        """Return the window of rows of the image."""
        return selection.rows_of(self.name, selection.get(InspectedImage).image)

    def rows(self, scene: Scene) -> int:
        """Return the image and its partners on the screen."""
        history = _history(scene)
        return 0 if history is None else 1 + len(self._places(scene, history).partners)

    def _places(self, scene: Scene, history: ImageHistory) -> drawn.HistoryRows:
        strips = _strips(scene)
        picture = drawn.HistoryPicture(history, strips, 0, ())
        return drawn.rows_of(self.height(scene), picture.has_confidence, len(history.partners))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on the image or a partner."""
        return scene.selection.with_rows(self.name, RowWindow(row, of=scene.selection.get(InspectedImage).image))

    def settle(self, scene: Scene) -> Selection:
        """Return the selection on a row that is there."""
        return self.select(scene, max(0, min(self.row(scene), self.rows(scene) - 1)))

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return the image."""
        return {"image": scene.selection.get(InspectedImage).image}

    def follow(self, scene: Scene, place: Mapping[str, Any]) -> tuple[Selection, Remark | None]:
        """Look at the image of a link, or at the last one where there are not so many."""
        asked, images = place["image"] or 0, scene.view.info.images
        image = max(0, min(asked, images - 1))
        selection = scene.selection.put(InspectedImage(image))
        if image == asked or not images:
            return selection, None
        return selection, missing(as_groups(f"image {asked}", scene.view.info.judging), f"{image}, the nearest")

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return the row at terminal row `y`."""
        history = _history(scene)
        return None if history is None else self._places(scene, history).row_at(y)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether a partner is selected."""
        return self.row(scene) > 0

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Look at the selected partner."""
        history, row = _history(scene), self.row(scene)
        if history is None or open_ is False or not 0 < row <= len(history.partners):
            return scene.selection
        return open_image(scene, int(history.partners[row - 1]))


class Portrait(Pane):
    """The picture of the image, and its history in words."""

    name = "portrait"
    title = portrait.TITLE
    has_time = False
    bar = ((("maximise",), "larger"), (("inside",), "gallery"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Open the other inner screens."""
        return INSIDE

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the judgement at the crosshair."""
        image = scene.selection.get(InspectedImage).image
        if self.height(scene) and 0 <= image < scene.view.info.images:
            yield HistoryQuestion(image)
            yield InspectedVerdictQuestion(image, scene.selection.cursor)

    def picture(self, scene: Scene) -> Picture:
        """Return picture and words."""
        history, verdict = _history(scene), scene.answers.get(InspectedVerdictQuestion)
        if history is None:
            return reading("the image", self.title)
        if verdict is not None and verdict.image != history.learned.image:
            verdict = None
        row = scene.selection.rows_of(History.name, history.learned.image).row
        return portrait.PortraitPicture(history, verdict, scene.view.classes, row - 1)
