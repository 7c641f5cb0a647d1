"""The thread that owns the run's files.

It owns the only RunQuery of the TUI, which is opened, asked, refreshed and closed only here (readers are not
thread-safe). Screens ask with frozen questions; a newer one replaces a waiting one of its type. Answers name theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from dtui.errors import DtuiError, RunReplacedError
from dtui.heap import give_back
from dtui.safe_text import safe
from dtui.tui.events import Answered, Decided, Event, Failed, Held, Opened, Post, Quiet, ToldOnce, failed
from dtui.tui.first_look import first_look
from dtui.tui.opening import Begin, Open, open_first, open_query, view_of

if TYPE_CHECKING:
    from dtui.model import RunStatus
    from dtui.query import RunQuery
    from dtui.query.compare.others import Others
    from dtui.tui.state.questions import Question
    from dtui.tui.state.review.reviewing import Decision
    from dtui.tui.state.run_view import RunView
    from dtui.tui.state.session import Session

SLICE_SECONDS = 0.05
"""How long a slow question is worked on before the others are looked at again."""
PATIENCE_SECONDS = 0.05
"""How long a person who leaves waits for the question at hand, at most. What writes a file is always waited for."""
REPLACED = "another run has taken its place"


class Loader:
    """Asks a RunQuery in its own thread and posts the answers."""

    def __init__(
        self, path: Path, post: Post, open_: Open = open_query, places: Sequence[Path] = (), begin: Begin | None = None
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            path: The run.
            post: Called in the loader's thread with every event; must be thread-safe.
            open_: Opens the run, in the loader's thread.
            places: Runs and folders to list, none for the folder of the run; the first that opens, if `path` does not.
            begin: Makes what shows the run, in the loader's thread; None to have it made elsewhere.
        """
        self._path, self._tell, self._open, self._places = path, post, open_, tuple(places)
        self._begin = begin
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="dtui-loader", daemon=True)
        self._deciding = self._quiet_minutes = 0
        self._lock = Lock()
        self._wanted: dict[type[Question[Any]], tuple[int, Question[Any]]] = {}
        self._asked: dict[type[Question[Any]], tuple[int, Question[Any]]] = {}
        self._draining = self._polling = self._closed = self._is_gone = False
        self._query: RunQuery | None = None
        self._others: Others | None = None
        self._switching: Path | None = None
        self._revision = self._oldest = 0
        """Of the run's files; and the first one of this run: questions of an earlier one are about another run."""
        self._status: RunStatus | None = None
        self._told, self._held = ToldOnce(), Held()
        self._keep: Callable[[], None] = lambda: None

    # --- called from the app's thread

    def start(self, first: Callable[[], None] = lambda: None) -> None:
        """Open the run, behind something else that is done in the loader's thread."""
        self._thread.start()
        self._submit(first, "keep")
        self.open()

    def open(self) -> None:
        """Open the run, or try again."""
        self._submit(self._open_run, "open")

    def ask(self, questions: Iterable[Question[Any]], revision: int) -> None:
        """Ask the current questions of the screens, one a type, in the order in which to answer them.

        The same one is asked once a revision of the run, see RunView; those of other types that wait are dropped.
        """
        by_type = {type(question): question for question in questions}
        with self._lock:
            if revision < self._oldest:
                return
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

    def settle(self, then: Callable[[], None]) -> None:
        """Keep what the first screen shows, behind all questions, for nobody waits; `then` is called behind that."""
        self._submit(lambda: self._settle(then), "keep")

    def forget(self, kind: type[Question[Any]]) -> None:
        """Forget what was asked, so that the same questions are asked again."""
        with self._lock:
            self._asked.pop(kind, None)

    def switch(self, path: Path) -> None:
        """Open another run in place of this one. If it cannot be opened, this one stays. Nothing happens twice."""
        with self._lock:
            if self._switching == path:
                return
            self._switching = path
        self._submit(lambda: self._switch(path), "switch")

    def poll(self) -> None:
        """Look for newly recorded data; at most one such job waits at a time."""
        with self._lock:
            if self._polling or self._query is None:
                return
            self._polling = True
        self._submit(self._refresh, "refresh")

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Write down a person's decisions on entries of the review, all in one write."""
        with self._lock:
            self._deciding += 1
        self._jobs.put(lambda: self._guard(lambda: self._decide(decisions), "decide"))

    def close(self) -> None:
        """Close the run and end the thread.

        Waiting decisions are written first; the question at hand gets only a moment, for nobody needs its answer now.
        """
        with self._lock:
            self._closed, is_deciding = True, self._deciding > 0
            self._wanted.clear()
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(None if is_deciding else PATIENCE_SECONDS)

    # --- in the loader's thread

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        self._close_run()

    def _settle(self, then: Callable[[], None]) -> None:
        if self._wanted:
            self.settle(then)
            return
        keep, self._keep = self._keep, lambda: None
        keep()
        then()

    def _close_run(self) -> None:
        self._keep = lambda: None
        for one in (self._others, self._query):
            if one is not None:
                one.close()

    def _submit(self, job: Callable[[], None], about: str) -> None:
        def guarded() -> None:
            if not self._closed:
                self._guard(job, about)

        self._jobs.put(guarded)

    def _post(self, event: Event | None = None) -> None:
        """Tell the answers that were held back, and an event behind them."""
        for one in (self._held.take(), event):
            if one is not None and not self._closed:  # else nobody listens any more
                self._tell(one)

    def _guard(self, job: Callable[[], None], about: str) -> None:
        """Run a job; an error becomes an event, never the end of the thread."""
        try:
            job()
        except Exception as error:  # noqa: BLE001  it is logged there
            self._post(failed(about, error, self._path, self._brief))

    def _brief(self, line: str) -> str:
        """Leave out the run's path: the screen names the run, and a long path would hide what to do."""
        path = self._query and self._query.path
        return line.removeprefix(f"{path}: ").removeprefix(f"{path}/")

    def _open_run(self) -> None:
        self._path, self._query = open_first(self._open, self._path, self._places)
        with self._query.keeping_first_screen() as self._keep:
            view = self._view()
            self._post(Opened(view, session=self._first_session(view)))
        self._tell_damage()

    def _first_session(self, view: RunView) -> Session | None:
        """Return what shows the run first, filled as far as that is quick."""
        if self._begin is None:
            return None
        session = self._begin(view)
        answered = first_look(session, self._opened(), self._value)
        with self._lock:
            self._asked.update({type(question): (view.revision, question) for question in answered})
        self._opened().tidy()
        return session

    def _follow(self, error: RunReplacedError) -> None:
        """Open the run that has taken this one's place; where it cannot be read yet, that is said and tried again."""
        try:
            self._switch(self._path, f"{REPLACED}; this is the new one")
        except DtuiError:
            raise RunReplacedError(f"{self._path}: {REPLACED}; it opens here when it can be read") from error

    def _switch(self, path: Path, said: str = "") -> None:
        """Open another run. What was asked of the old one is forgotten, so that answers never mix."""
        try:
            query = self._open(path)
            with ExitStack() as stack:
                stack.callback(query.close)
                view = view_of(query, self._revision + 1, self._places)
                stack.pop_all()
        finally:
            with self._lock:
                self._switching = None
        self._close_run()
        with self._lock:
            self._query, self._others, self._path = query, None, path
            self._wanted.clear()
            self._asked.clear()
            self._revision += 1
            self._oldest = self._revision
        self._status, self._is_gone, self._told = view.info.status, False, ToldOnce()
        self._post(Opened(view, is_other=True, said=said))
        self._tell_damage()

    def _refresh(self) -> None:
        from dtui.tui.state.questions import OthersQuestion

        give_back()
        with self._lock:
            self._polling = False
            asks_others = any(issubclass(kind, OthersQuestion) for kind in self._asked)
        query, was_gone, self._is_gone = self._opened(), self._is_gone, True
        try:
            changed = query.refresh() or query.info().status != self._status or was_gone
        except RunReplacedError as error:
            self._follow(error)
            return
        self._is_gone = False
        if self._others is not None and changed:
            self._others.forget()
        changed |= asks_others and self._beside().refresh()
        if changed:
            self._revision += 1
            self._post(Opened(self._view()))
            self._tell_damage()
        else:
            self._tell_quiet()

    def _tell_quiet(self) -> None:
        """Say that nothing new comes, once a minute."""
        seconds = self._opened().quiet_seconds(time.monotonic())
        if seconds and int(seconds // 60) != self._quiet_minutes:
            self._quiet_minutes = int(seconds // 60)
            self._post(Quiet(seconds))

    def _tell_damage(self) -> None:
        """Report damage once, when it is found: in an answer, lost data look like data that were never recorded."""
        query = self._opened()
        damage = self._told.line([*map(self._brief, query.faults())], "damaged: ", "; dtui check lists them")
        for line in filter(None, map(safe, (damage, self._told.line(query.detector_faults())))):
            self._post(Opened(self._view()))
            self._post(Failed("damage", line, DtuiError(line)))

    def _decide(self, decisions: Sequence[Decision]) -> None:
        try:
            self._opened().decide_all([(one.entry, one.status, one.note) for one in decisions])
        except (DtuiError, OSError) as error:
            self._post(Decided(safe(str(error))))
        else:
            self._post(Decided())
        finally:
            with self._lock:
                self._deciding -= 1

    def _answer_next(self) -> None:
        """Answer the first waiting request, or do a part of its work; then queue for the next.

        So other jobs run in between. Quick requests come first: one that arrives while a slow one is at work waits for
        no more than a part of it.
        """
        with self._lock:
            kind = next(iter(sorted(self._wanted, key=lambda kind: kind.is_slow)), None)
            self._draining = kind is not None
            ticket = None if kind is None else self._wanted.pop(kind)
        if kind is None or kind.is_slow or self._held.is_due:
            self._post()
        if kind is None or ticket is None:
            self._opened().tidy()
            return
        self._guard(lambda: self._answer(ticket), kind.about)
        self._submit(self._answer_next, "")

    def _answer(self, ticket: tuple[int, Question[Any]]) -> None:
        _, question = ticket
        if not question.prepare(self._opened(), SLICE_SECONDS):
            with self._lock:
                if self._asked.get(type(question)) == ticket:
                    self._wanted = {type(question): ticket, **self._wanted}
            return
        value = self._value(question)
        with self._lock:
            is_current = self._asked.get(type(question)) == ticket
        if is_current:
            self._held.add(Answered(question, value))
        self._tell_damage()

    def _value(self, question: Question[Any]) -> Any:
        from dtui.tui.state.questions import OthersQuestion

        if isinstance(question, OthersQuestion):
            return question.ask_others(self._beside())
        return question.ask(self._opened())

    def _opened(self) -> RunQuery:
        if self._query is None:
            raise DtuiError(f"{self._path}: the run is not open")
        return self._query

    def _beside(self) -> Others:
        if self._others is None:
            from dtui.query.compare.others import Others

            self._others = Others(self._opened(), self._places)
        return self._others

    def _view(self) -> RunView:
        view = view_of(self._opened(), self._revision, self._places)
        self._status, self._quiet_minutes = view.info.status, int(view.quiet_seconds // 60)
        return view
