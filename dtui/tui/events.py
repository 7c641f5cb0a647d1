"""What the loader tells the app."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtui.dataclass_on_use import dataclass
from dtui.errors import DtuiError, RunDamagedError, RunRemovedError
from dtui.safe_text import safe

LOG = logging.getLogger(__name__)
TOGETHER_SECONDS = 0.015
"""How long an answer waits for those of the quick questions behind it: each time the screen is drawn anew costs as much
as a few of them."""

if TYPE_CHECKING:
    from dtui.tui.state.questions import Question
    from dtui.tui.state.run_view import RunView
    from dtui.tui.state.session import Session


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """The run was opened, or has changed; or another one was opened in its place.

    Attributes:
        view: The run.
        is_other: Whether it is another one.
        session: What shows it first, where the loader was to make that.
        said: What is to be said of it; safe to show, "" for nothing.
    """

    view: RunView
    is_other: bool = False
    session: Session | None = None
    said: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Answered:
    """The answer to the newest question of its type."""

    question: Question[Any]
    value: Any


@dataclass(frozen=True, eq=False, slots=True)
class Several:
    """Answers that were found soon after each other, in their order: they are shown together."""

    answers: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions were written; if not, `error` says why."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A live run has recorded nothing new for so many seconds, which is strange."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Something could not be read.

    Attributes:
        about: The question; "open" if the run could not be opened, "switch" if another one could not.
        message: One line, safe to show.
        error: The exception, for reports outside the TUI.
    """

    about: str
    message: str
    error: DtuiError

    @property
    def line(self) -> str:
        """What the screen says: a run that comes back in the place of one that was removed is shown again by itself."""
        if self.is_gone and isinstance(self.error, RunRemovedError):
            return "the run was removed; one that comes back in its place opens here"
        return self.message

    @property
    def is_gone(self) -> bool:
        """Whether the run was not found where it was, when new data were looked for."""
        return self.about == "refresh" and isinstance(self.error, RunDamagedError)


Event = Opened | Answered | Several | Decided | Quiet | Failed
Post = Callable[[Event], None]


def failed(about: str, error: Exception, path: Path, brief: Callable[[str], str]) -> Failed:
    """Return what says that a job failed on a run; an error that was not foreseen is in the log, too."""
    if isinstance(error, DtuiError):
        return Failed(about, safe(brief(str(error))), error)
    LOG.error("%s failed on %s", about, path, exc_info=error)
    line = safe(f"{about}: {type(error).__name__}: {error}; details are in the log")
    return Failed(about, line, DtuiError(line))


class ToldOnce:
    """What was told already: each fault of a run is told once."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._told: set[str] = set()

    def line(self, faults: Sequence[str], what: str = "", hint: str = "") -> str:
        """Return a line about the new ones: words before the first, a hint on the others; "" for none."""
        new = [fault for fault in faults if fault not in self._told]
        self._told.update(new)
        more = f" (and {len(new) - 1} more{hint})" if len(new) > 1 else ""
        return f"{what}{new[0]}{more}" if new else ""


class Held:
    """Answers that wait for those behind them, to be told together."""

    def __init__(self) -> None:
        """Hold none."""
        self._answers: list[Answered] = []
        self._since = 0.0

    def add(self, answer: Answered) -> None:
        """Hold one more."""
        self._since = self._since if self._answers else time.monotonic()
        self._answers.append(answer)

    @property
    def is_due(self) -> bool:
        """Whether the first has waited long enough."""
        return time.monotonic() - self._since > TOGETHER_SECONDS

    def take(self) -> Answered | Several | None:
        """Return what was held, as one event; None if nothing was."""
        answers, self._answers = self._answers, []
        return Several(tuple(answers)) if len(answers) > 1 else answers[0] if answers else None
