"""What a press, a drag and the wheel do in a pane."""

from __future__ import annotations

from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.state.navigate import cursor_to_column, move_columns, move_rows, select_row, zoom
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.selection import Selection
from dtui.tui.state.session import Session

WHEEL_ROWS = 3
DECIDES = ("flag", "dismiss", "note", "undo")
"""Actions that no press takes: one that only brings the window to the front would decide."""


def pressed_action(session: Session, pane: Pane, frame: Frame, x: int) -> str | None:
    """Return the action that a press asks for; None if it asks for none, "" if all is said.

    A press decides nothing, and does not end the program.
    """
    action = session.scene.asked(pane, lambda pane, scene: pane.action_at(scene, frame, x))
    if action not in DECIDES:
        return "back" if action == "quit" else action
    key = session.table.by_id[action].shown_keys
    session.fail(f"press {key}: what is decided is decided by key")
    return ""


def press(session: Session, pane: Pane, frame: Frame, x: int, y: int, is_drag: bool) -> None:
    """Handle a press or a drag in a pane: the pane's own reaction, or else row and crosshair."""
    own = None if is_drag else session.scene.asked(pane, lambda pane, scene: pane.press(scene, frame, x, y))
    if own is not None:
        session.choose(own)
        return
    session.begin_to_act()
    if pane in session.scene.screen.panes and not is_drag:
        _press_row(session, pane, y, not pane.has_time or x < frame.gutter)
    if pane.has_time and not session.view.is_empty and frame.gutter <= x < frame.gutter + frame.plot_width:
        session.settle(cursor_to_column(session.scene, x - frame.gutter))


def turn_wheel(session: Session, pane: Pane, by: int, with_control: bool) -> None:
    """Scroll a pane, or zoom time with Ctrl."""
    session.begin_to_act()
    if with_control:
        session.settle(zoom(session.scene, 1.25 if by < 0 else 0.8))
    elif pane in session.scene.screen.panes:
        session.settle(session.scene.with_pane(pane))
        session.take(pane, lambda scene: move_rows(scene, by * WHEEL_ROWS))
    else:
        session.settle(move_columns(session.scene, by))


def _press_row(session: Session, pane: Pane, y: int, with_fold: bool) -> None:
    """Give a pane the keyboard and select one of its rows; a second press on a selected row folds it."""
    was_here = session.scene.pane is pane
    session.settle(session.scene.with_pane(pane))
    session.take(pane, lambda scene: _pressed(scene, pane.row_at(scene, y), with_fold and was_here))


def _pressed(scene: Scene, row: int | None, with_fold: bool) -> Selection:
    """Return the selection on a pressed row. If it was selected already and can be folded, it is folded."""
    if row is None:
        return scene.selection
    if not with_fold or row != scene.pane.row(scene):
        return select_row(scene, row)
    return scene.pane.fold(scene, None) if scene.pane.is_foldable(scene) else scene.selection
