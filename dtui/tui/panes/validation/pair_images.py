"""The images behind the picked cell of the confusion matrix, in the rows that the matrix leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dtui.model.learning import Gallery, GalleryRequest
from dtui.tui.panes.companion import Companion
from dtui.tui.panes.validation.confusion import ROWS_OF_IMAGES, Matrix, MatrixQuestion, selected_pair
from dtui.tui.panes.validation.gallery import GalleryQuestion
from dtui.tui.panes.validation.inside import open_image
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import MessagePicture, reading
from dtui.tui.renderables.panes.validation.gallery import GalleryPicture, grid_of
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.renderables.parts.words.judged_words import has_labels
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

TITLE = "Its images"


class PairQuestion(GalleryQuestion):
    """The images of a class that were taken for another at the crosshair."""

    about = "the images of a confusion"


class PairImages(Companion):
    """A grid of them; a key opens all images of the class."""

    name = "pair_images"
    title = TITLE
    has_time = False
    fewest_rows = ROWS_OF_IMAGES

    def __init__(self, of: Matrix) -> None:
        """Take the matrix."""
        super().__init__(of)

    def needed(self, scene: Scene) -> int:
        """Return all that there is, where a pair of labels is picked."""
        matrix = scene.answers.get(MatrixQuestion)
        return scene.size[1] if matrix is not None and has_labels(matrix.judging) and selected_pair(scene) else 0

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for as many as may have room."""
        pair, height = selected_pair(scene), self.height(scene)
        if pair is not None and height:
            grid = grid_of(scene.size[0], height)
            count = max(1, grid.columns * grid.rows)
            yield PairQuestion(
                GalleryRequest(scene.selection.cursor, 0, count, (pair[0],), sort="index", taken_for=pair[1])
            )

    def picture(self, scene: Scene) -> Picture:
        """Return the images at hand, if they are of this pair."""
        pair, found = selected_pair(scene), self._found(scene)
        if pair is None:
            return MessagePicture(title=self.title)
        if found is None:
            return reading("the images of the pair", self.title)
        own, taken = (class_name(scene.view.classes, label) for label in pair)
        words = f"{own}, right" if pair[0] == pair[1] else f"{own} taken for {taken}"
        return GalleryPicture(found, -1, scene.view.classes, words, head=self.title, nothing="none at this validation")

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Look at the pressed image."""
        found, picture = self._found(scene), self.picture(scene)
        place = picture.grid(frame).at(x, y) if isinstance(picture, GalleryPicture) else None
        if found is None or place is None or place >= len(found.shown):
            return None
        return open_image(scene, found.shown[place].image)

    @staticmethod
    def _found(scene: Scene) -> Gallery | None:
        """Return the images, if they are of the picked pair."""
        pair, found = selected_pair(scene), scene.answers.get(PairQuestion)
        if pair is None or found is None or (*found.request.classes, found.request.taken_for) != pair:
            return None
        return found
