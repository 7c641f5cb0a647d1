"""The image that is picked in a gallery, in the rows that its tiles leave: its labels over time, and its picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dtui.tui.panes.companion import Companion
from dtui.tui.panes.validation.gallery import GalleryPane
from dtui.tui.panes.validation.image import History, Portrait
from dtui.tui.panes.validation.inside import open_image
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import RowWindow


class PickedImage(Companion):
    """A pane of the image inspector, about the image that is picked in the gallery above it."""

    def __init__(self, of: GalleryPane, shown: Pane) -> None:
        """Take the gallery, and the pane that shows an image."""
        super().__init__(of)
        self.gallery, self.shown = of, shown

    def needed(self, scene: Scene) -> int:
        """Return the rows of the pane that shows it; none where no image is picked."""
        looking = self._looking(scene)
        return 0 if looking is None else self.shown.needed(looking)

    def wanted(self, scene: Scene) -> Iterable[Question[Any]]:
        """Ask for what that pane asks for."""
        looking = self._looking(scene) if self.height(scene) else None
        return () if looking is None else self.shown.wanted(looking)

    def picture(self, scene: Scene) -> Picture:
        """Return what that pane shows."""
        looking = self._looking(scene)
        return MessagePicture(title=self.title) if looking is None else self.shown.picture(looking)

    def _looking(self, scene: Scene) -> Scene | None:
        """Return the scene in which the picked image is looked at, and no row selected; None while it is not known."""
        image = self.gallery.image(scene)
        if image is None:
            return None
        return scene.at(open_image(scene, image).with_rows(History.name, RowWindow(-1, of=image)))


class PickedHistory(PickedImage):
    """Its labels over time, with the images that flip with it."""

    name = "picked_history"
    title = History.title


class PickedPortrait(PickedImage):
    """Its picture as large as there is room for, and its history in words."""

    name = "picked_portrait"
    title = Portrait.title
    has_time = False
