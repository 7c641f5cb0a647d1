"""Fills the first screen before it is shown, so that it is drawn once and not once an answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dtui.tui.state.questions import Question
    from dtui.tui.state.session import Session

LOG = logging.getLogger(__name__)
PATIENCE_SECONDS = 0.6
"""What takes longer is answered behind the first screen, piece by piece."""


def first_look(session: Session, answer: Callable[[Question[Any], float], tuple[Any] | None]) -> list[Question[Any]]:
    """Answer what a session asks until it asks nothing new, or for a moment; return the questions that were answered.

    A question that cannot be answered ends it: it is asked again when the screen is there, and the error shown on it.

    Args:
        session: What is shown first.
        answer: Answers a question; None if that would take longer than so many seconds.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    answered: dict[type[Question[Any]], Question[Any]] = {}
    while new := [one for one in session.look()[1] if answered.get(type(one)) != one]:
        for question in new:
            try:
                value = answer(question, until - time.monotonic())
            except Exception:
                LOG.info("%s has to wait for the screen", question.about, exc_info=True)
                value = None
            if value is None:
                return list(answered.values())
            session.answered(question, *value)
            answered[type(question)] = question
    return list(answered.values())
