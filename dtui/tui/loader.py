"""The thread that owns the run's files.

It owns the only RunQuery of the TUI, which is opened, asked, refreshed and closed only in this thread (readers are not
thread-safe). Screens ask with frozen questions. A newer question replaces a waiting one of the same type. Each answer
names its question.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from dtui.errors import DtuiError, NotRecordedError
from dtui.safe_text import safe

if TYPE_CHECKING:
    from dtui.model import RunStatus
    from dtui.query import RunQuery
    from dtui.tui.state.questions import Question
    from dtui.tui.state.run_view import RunView

LOG = logging.getLogger(__name__)
PATIENCE_SECONDS = 1.0
"""How long a person who leaves waits for the question at hand, at most."""


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """The run was opened, or has changed."""

    view: RunView


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
class Failed:
    """Something could not be read.

    Attributes:
        about: The question; "open" if the run could not be opened.
        message: One line, safe to show.
        error: The exception, for reports outside the TUI.
    """

    about: str
    message: str
    error: DtuiError


Event = Opened | Answered | Decided | Failed
Post = Callable[[Event], None]
Open = Callable[[Path], "RunQuery"]


def open_query(path: Path) -> RunQuery:
    """Open a run; imports the store in the thread that calls it."""
    from dtui.query import open_run

    return open_run(path)


class Loader:
    """Asks a RunQuery in its own thread and posts the answers."""

    def __init__(self, path: Path, post: Post, open_: Open = open_query) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            path: The run.
            post: Called in the loader's thread with every event; must be thread-safe.
            open_: Opens the run, in the loader's thread.
        """
        self._path, self._tell, self._open = path, post, open_
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="dtui-loader", daemon=True)
        self._deciding = 0
        self._lock = Lock()
        self._wanted: dict[type[Question[Any]], tuple[int, Question[Any]]] = {}
        self._asked: dict[type[Question[Any]], tuple[int, Question[Any]]] = {}
        self._draining = self._polling = self._closed = False
        self._query: RunQuery | None = None
        self._revision = 0
        self._status: RunStatus | None = None
        self._told: set[str] = set()

    # --- called from the app's thread

    def start(self) -> None:
        """Open the run."""
        self._thread.start()
        self._submit(self._open_run, "open")

    def ask(self, questions: Iterable[Question[Any]], revision: int) -> None:
        """Ask the current questions of the screens. The same question is asked once per revision of the run.

        Args:
            questions: One per type, in the order in which to answer them. Waiting questions of other types are dropped.
            revision: Of the run, see RunView.
        """
        by_type = {type(question): question for question in questions}
        with self._lock:
            for kind in [kind for kind in self._wanted if kind not in by_type]:
                del self._wanted[kind]
                self._asked.pop(kind, None)
            for kind, question in by_type.items():
                ticket = (revision, question)
                if self._asked.get(kind) != ticket:
                    self._asked[kind] = self._wanted[kind] = ticket
            if self._draining or not self._wanted:
                return
            self._draining = True
        self._submit(self._answer_next, "")

    def forget(self, kind: type[Question[Any]]) -> None:
        """Forget what was asked, so that the same questions are asked again."""
        with self._lock:
            self._asked.pop(kind, None)

    def poll(self) -> None:
        """Look for newly recorded data; at most one such job waits at a time."""
        with self._lock:
            if self._polling or self._query is None:
                return
            self._polling = True
        self._submit(self._refresh, "refresh")

    def decide(self, entry: str, status: str, note: str | None) -> None:
        """Write down a person's decision on an entry of the review."""
        with self._lock:
            self._deciding += 1
        self._jobs.put(lambda: self._guard(lambda: self._decide(entry, status, note), "decide"))

    def close(self) -> None:
        """Close the run and end the thread.

        Waiting decisions are written first. The current question gets only a moment to finish: it may take long, and
        nobody needs its answer any more.
        """
        with self._lock:
            self._closed = True
            self._wanted.clear()
            is_deciding = self._deciding > 0
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(None if is_deciding else PATIENCE_SECONDS)

    # --- in the loader's thread

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        if self._query is not None:
            self._query.close()

    def _submit(self, job: Callable[[], None], about: str) -> None:
        def guarded() -> None:
            if not self._closed:
                self._guard(job, about)

        if not self._closed:
            self._jobs.put(guarded)

    def _post(self, event: Event) -> None:
        if not self._closed:  # else nobody listens any more
            self._tell(event)

    def _guard(self, job: Callable[[], None], about: str) -> None:
        """Run a job; an error becomes an event, never the end of the thread."""
        try:
            job()
        except NotRecordedError as error:  # the screen says whose run it is; a long path would hide what is missing
            told = str(error).removeprefix(f"{self._query.path}: " if self._query is not None else "")
            self._post(Failed(about, safe(told), error))
        except DtuiError as error:
            self._post(Failed(about, safe(str(error)), error))
        except Exception as error:
            LOG.exception("%s failed on %s", about, self._path)
            line = safe(f"{about}: {type(error).__name__}: {error}; details are in the log")
            self._post(Failed(about, line, DtuiError(line)))

    def _open_run(self) -> None:
        self._query = self._open(self._path)
        self._post(Opened(self._view()))
        self._tell_damage()

    def _refresh(self) -> None:
        with self._lock:
            self._polling = False
        query = self._opened()
        if query.refresh() or query.info().status != self._status:
            self._revision += 1
            self._post(Opened(self._view()))
            self._tell_damage()

    def _tell_damage(self) -> None:
        """Report damage once, when it is found: in an answer, lost data look like data that were never recorded."""
        query = self._opened()
        self._tell_new(query.faults(), "damaged: ", "; dtui check lists them")
        self._tell_new(query.detector_faults(), "", "")

    def _tell_new(self, faults: Sequence[str], what: str, hint: str) -> None:
        new = [fault for fault in faults if fault not in self._told]
        if new:
            self._told.update(new)
            more = f" (and {len(new) - 1} more{hint})" if len(new) > 1 else ""
            self._post(Opened(self._view()))
            line = safe(f"{what}{new[0].removeprefix(f'{self._opened().path}/')}{more}")
            self._post(Failed("damage", line, DtuiError(line)))

    def _decide(self, entry: str, status: str, note: str | None) -> None:
        try:
            self._opened().decide(entry, status, note)
        except (DtuiError, OSError) as error:
            self._post(Decided(entry, safe(str(error))))
        else:
            self._post(Decided(entry))
        finally:
            with self._lock:
                self._deciding -= 1

    def _answer_next(self) -> None:
        """Answer the first waiting request, then queue for the next, so that other jobs run in between."""
        with self._lock:
            kind = next(iter(self._wanted), None)
            if kind is None:
                self._draining = False
                return
            ticket = self._wanted.pop(kind)
        self._guard(lambda: self._answer(ticket), kind.about)
        self._submit(self._answer_next, "")

    def _answer(self, ticket: tuple[int, Question[Any]]) -> None:
        _, question = ticket
        value = question.ask(self._opened())
        with self._lock:
            is_current = self._asked.get(type(question)) == ticket
        if is_current:
            self._post(Answered(question, value))
        self._tell_damage()

    def _opened(self) -> RunQuery:
        if self._query is None:
            raise DtuiError(f"{self._path}: the run is not open")
        return self._query

    def _view(self) -> RunView:
        view = view_of(self._opened(), self._revision)
        self._status = view.info.status
        return view


def view_of(query: RunQuery, revision: int) -> RunView:
    """Return what every screen needs to know about a run; anomalies and clusters are separate questions."""
    import numpy as np

    from dtui.model.statistics import Rows
    from dtui.tui.state.run_view import RunView

    images = query.image_set()
    classes = images.classes if images is not None else ()
    sizes = np.bincount(images.targets, minlength=len(classes)) if images is not None else np.zeros(0, np.int64)
    return RunView(
        info=query.info(),
        metadata=query.metadata(),
        tree=query.tree(),
        classes=classes,
        class_sizes=sizes,
        stages=query.stages(),
        limits=query.limits(),
        iterations=np.union1d(query.record_iterations(), query.validation_iterations()),
        revision=revision,
        is_damaged=bool(query.faults()),
        filter_statistics=query.recorded(Rows.FILTERS),
        layer_statistics=query.recorded(Rows.LAYERS),
    )
