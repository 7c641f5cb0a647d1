"""A key that had no effect because data were missing is taken again when they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

THAT_WAIT = frozenset({"fold_toggle", "fold_open", "inside", "entry_next", "entry_previous"})
"""Actions that need what a pane has asked for; the others never do, or do what they can at once."""


class Waiting(ABC):
    """The part of a session that keeps such a key, until it has an effect, nothing is missing, or another one comes."""

    selection: Selection
    _kept: Callable[[], None] | None
    _answered: dict[type, Question[Any]]

    @abstractmethod
    def look(self) -> tuple[dict[Pane, Picture], list[Question[Any]]]:
        """Return what each pane shows now, and the questions to ask."""

    @abstractmethod
    def act(self, action: str) -> None:
        """Perform an action that decides nothing."""

    def keep(self, action: str, before: Selection) -> bool:
        """Keep an action that has just been performed, if it waits for data; return whether that is so."""
        self._kept = None
        return action in THAT_WAIT and self.keep_doing(partial(self.act, action), before)

    def keep_doing(self, do: Callable[[], None], before: Selection) -> bool:
        """Keep what has just been done, if it had no effect because data are missing; return whether that is so."""
        does_wait = self.selection == before and self.is_missing()
        self._kept = do if does_wait else None
        return does_wait

    def take_again(self, questions: Iterable[Question[Any]]) -> None:
        """Do again what was kept after the answers to some questions."""
        self._answered.update((type(question), question) for question in questions)
        do, before = self._kept, self.selection
        if do is None:
            return
        do()
        if self.selection != before or not self.is_missing():
            self._kept = None

    def is_missing(self) -> bool:
        """Whether an answer that the screen needs is still to come."""
        return any(self._answered.get(type(question)) != question for question in self.look()[1])
