"""Fills the first screen before it is shown, so that it is drawn once and not once an answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dtui.query import RunQuery
    from dtui.tui.state.questions import Question
    from dtui.tui.state.session import Session

LOG = logging.getLogger(__name__)
PATIENCE_SECONDS = 1.0
"""What takes longer is answered behind the first screen, piece by piece."""


def first_look(session: Session, query: RunQuery, value: Callable[[Question[Any]], Any]) -> list[Question[Any]]:
    """Answer what a session asks until it asks nothing new, or for a moment; return the questions that were answered.

    A question that cannot be answered ends it: it is asked again when the screen is there, and the error shown on it.

    Args:
        session: What is shown first.
        query: The run.
        value: Returns the answer to a prepared question.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    answered: dict[type[Question[Any]], Question[Any]] = {}
    while new := [one for one in session.look()[1] if answered.get(type(one)) != one]:
        answers = _answers_to(new, query, value, until)
        session.answered_all(answers)
        answered |= {type(question): question for question, _ in answers}
        if len(answers) < len(new):
            break
    return list(answered.values())


def _answers_to(
    questions: list[Question[Any]], query: RunQuery, value: Callable[[Question[Any]], Any], until: float
) -> list[tuple[Question[Any], Any]]:
    """Return questions with their answers, up to the first that has none."""
    answers = []
    for question in questions:
        try:
            if not _is_prepared(question, query, until):
                break
            answers.append((question, value(question)))
        except Exception:
            LOG.info("%s: asked again behind the screen", question.about, exc_info=True)
            break
    return answers


def _is_prepared(question: Question[Any], query: RunQuery, until: float) -> bool:
    while (left := until - time.monotonic()) > 0:
        if question.prepare(query, left):
            return True
    return False
