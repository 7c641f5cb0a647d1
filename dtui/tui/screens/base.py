"""What the data screens share: the panes above the time axis, the bars, and all keys.

Owns the bindings, made from the registry of actions. A second copy would bind a key that help does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import ACTIONS
from dtui.tui.widgets.pane import Pane


class DataScreen(Screen[None]):
    """A stack of panes on one time axis."""

    DEFAULT_CSS = """
    DataScreen { layout: vertical; overflow: hidden; }
    """
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(",".join(action.keys), f"do('{action.id}')", action.words, show=False) for action in ACTIONS),
    ]
    UPPER: ClassVar[str] = ""
    LOWER: ClassVar[str] = ""

    class Keyed(Message):
        """A key asked for an action."""

        def __init__(self, action: str) -> None:
            """Say which."""
            super().__init__()
            self.action = action

    def compose(self) -> ComposeResult:
        """Make the panes; each is told later what to show."""
        for pane in ("top", "curves", "ribbon", "axis", self.UPPER, self.LOWER, "notice", "bar"):
            yield Pane(id=pane)

    def action_do(self, action: str) -> None:
        """Hand an action to the app."""
        self.post_message(self.Keyed(action))

    def show(self, pictures: Mapping[str, Picture], frames: Mapping[str, Frame], iteration: int | None) -> None:
        """Show a picture in each pane that has one, and hide the others."""
        for pane in self.query(Pane):
            picture = pictures.get(pane.id or "")
            frame = frames.get(pane.id or "")
            visible = picture is not None and frame is not None and frame.height > 0
            if pane.display != visible:
                pane.display = visible
            if picture is None or frame is None or not visible:
                continue
            height = pane.styles.height
            if height is None or height.value != frame.height:
                pane.styles.height = frame.height
            pane.show(picture, frame, iteration)
