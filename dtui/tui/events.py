"""What the loader tells the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtui.dataclass_on_use import dataclass
from dtui.errors import DtuiError, RunDamagedError

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
    """

    view: RunView
    is_other: bool = False
    session: Session | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Answered:
    """The answer to the newest question of its type."""

    question: Question[Any]
    value: Any


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision was written; if not, `error` says why."""

    entry: str
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
    def is_gone(self) -> bool:
        """Whether the run was not found where it was, when new data were looked for."""
        return self.about == "refresh" and isinstance(self.error, RunDamagedError)


Event = Opened | Answered | Decided | Quiet | Failed
