"""Where the mouse is, in terms of rows, iterations and anomalies."""

from __future__ import annotations

from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.classes import class_row_height
from dtui.tui.renderables.panes.filters import FiltersPicture, filter_rows
from dtui.tui.renderables.panes.images import ImagesPicture, image_places
from dtui.tui.renderables.panes.ribbon import RibbonPicture, anomaly_at
from dtui.tui.renderables.panes.top_bar import TopBarPicture
from dtui.tui.state.session import Session
from dtui.tui.widgets.pane import Pane, Pressed

SCREEN_ACTIONS = ("screen_layers", "screen_validation")


def use(session: Session, message: Pane.Used) -> None:
    """Do in the session what a press, a drag or the wheel in a pane asks for."""
    pane, frame, name = message.pane, message.pane.frame, message.pane.id or ""
    if message.pressed is None:
        session.turn_wheel(name, message.wheel, message.with_control)
        return
    if frame is None:
        return
    pressed = message.pressed
    if name == "top":
        _press_tab(session, pane, frame, pressed)
        return
    if name in ("bar", "notice"):
        return
    if name == "ribbon" and not pressed.is_drag and isinstance(pane.picture, RibbonPicture):
        found = anomaly_at(frame, pane.picture.anomalies, pressed.x, pressed.y)
        if found is not None:
            session.press_anomaly(found)
            return
    if name in ("tree", "classes", "filters", "images") and not pressed.is_drag:
        session.press_row(name, _row_at(session, pane, frame, pressed.y), pressed.x < frame.gutter)
    if pressed.x >= frame.gutter:
        session.press_time(pressed.x)


def _press_tab(session: Session, pane: Pane, frame: Frame, pressed: Pressed) -> None:
    picture = pane.picture
    if pressed.is_drag or not isinstance(picture, TopBarPicture):
        return
    for action, (x, _, width, _) in zip(SCREEN_ACTIONS, picture.tab_regions(frame), strict=True):
        if x <= pressed.x < x + width:
            session.perform(action)


def _row_at(session: Session, pane: Pane, frame: Frame, y: int) -> int | None:
    selection, picture = session.selection, pane.picture
    if pane.id == "tree":
        return None if y < 1 else selection.tree_top + (y - 1) // (2 if selection.two_rows else 1)
    if pane.id == "classes":
        return None if y < 1 else selection.class_top + (y - 1) // class_row_height(frame.height)
    if isinstance(picture, FiltersPicture):
        return filter_rows(frame, picture.heatmap).row_at(y)
    if isinstance(picture, ImagesPicture):
        return image_places(frame, picture.images).row_at(y)
    return None
