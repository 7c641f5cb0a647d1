"""Finds what each pane shows and which questions it needs, as one pure function of the Scene."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dtui.safe_text import safe
from dtui.tui.renderables.panes.message import MessagePicture, ReadingPicture, not_drawn
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.questions import Question


def look(
    scene: Scene, failed: Mapping[str, Exception], waiting: Collection[Pane] = ()
) -> tuple[dict[Pane, Picture], list[Question[Any]]]:
    """Return a picture for each pane on the screen, and the questions, the most important first.

    Args:
        scene: The state to show.
        failed: Errors that panes raised, by name of the pane; `Scene.tell` adds to it. Such a pane shows its error.
        waiting: Panes that ask nothing now.
    """
    pictures: dict[Pane, Picture] = {}
    questions: list[Question[Any]] = []
    for pane in (*scene.screen.panes, *scene.table.above, *scene.table.below):
        if scene.asked(pane, lambda pane, scene: pane.is_shown(scene)) is False:
            continue
        asked = [] if pane in waiting else scene.asked(pane, lambda pane, scene: list(pane.wanted(scene))) or []
        questions += asked
        picture = None if pane.name in failed else scene.asked(pane, lambda pane, scene: pane.picture(scene))
        if isinstance(picture, ReadingPicture) and pane not in waiting:
            picture = _reading(picture, asked, scene)
        pictures[pane] = picture or not_drawn(failed.get(pane.name), pane.title)
    if scene.table.runs is not None and scene.table.runs not in scene.screen.panes:
        questions += scene.asked(scene.table.runs, lambda pane, scene: list(pane.wanted_elsewhere(scene))) or []
    questions.sort(key=lambda question: question.is_slow)  # stable: the order among the others stays
    return pictures, questions


def _reading(picture: ReadingPicture, asked: Sequence[Question[Any]], scene: Scene) -> Picture:
    """Return the picture of a pane that waits for an answer: why there will be none, or only its heading, if so."""
    refused = [scene.answers.refused[one.about] for one in asked if one.about in scene.answers.refused]
    if refused or not asked:
        return MessagePicture(safe(refused[0]) if refused else "", title=picture.title)
    return picture
