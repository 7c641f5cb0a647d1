"""What each pane shows and what must be asked for it, as one pure function of what is selected, known and answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dtui.tui.renderables.panes.message import not_drawn
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.questions import Question


def look(scene: Scene, failed: Mapping[str, Exception]) -> tuple[dict[Pane, Picture], list[Question[Any]]]:
    """Return a picture for each pane that has a place on the screen, and the questions, first things first.

    Args:
        scene: What is so.
        failed: What panes have raised, by name; it grows through `Scene.tell`. Such a pane says so in its place.
    """
    pictures: dict[Pane, Picture] = {}
    questions: list[Question[Any]] = []
    for pane in (*scene.screen.panes, *scene.table.above, *scene.table.below):
        if scene.asked(pane, lambda pane, scene: pane.is_shown(scene)) is False:
            continue
        questions += scene.asked(pane, lambda pane, scene: list(pane.wanted(scene))) or []
        picture = None if pane.name in failed else scene.asked(pane, lambda pane, scene: pane.picture(scene))
        pictures[pane] = picture or not_drawn(failed.get(pane.name), pane.title)
    return pictures, questions
