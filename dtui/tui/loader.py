"""The one thread that owns the run's files.

Owns the only RunQuery of the TUI: opened, asked, refreshed and closed in this thread and nowhere else
(no reader is thread-safe). What the screens want is a frozen request in a slot; a newer request in the same
slot replaces one that has not begun, and an answer says which request it belongs to. A second copy would let
an old answer overwrite a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from dtui.errors import DtuiError
from dtui.safe_text import safe

if TYPE_CHECKING:
    from dtui.model import RunStatus
    from dtui.query import RunQuery
    from dtui.tui.state.requests import Request
    from dtui.tui.state.selection import RunView

LOG = logging.getLogger(__name__)
PATIENCE_SECONDS = 1.0
"""How long a person who leaves waits for the question at hand, at most."""


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """The run, opened or changed since."""

    view: RunView


@dataclass(frozen=True, eq=False, slots=True)
class Answered:
    """The answer to the newest request of a slot."""

    slot: str
    request: Request
    value: Any


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision was written, or not: then `error` says why."""

    anomaly: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something could not be read.

    Attributes:
        slot: What was asked; "open" when there is no run to show at all.
        message: One line, safe to show.
        error: What happened, for whoever reports it outside of the TUI.
    """

    slot: str
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
    """Asks a RunQuery in a thread of its own and posts what it answers."""

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
        self._wanted: dict[str, tuple[int, Request]] = {}
        self._asked: dict[str, tuple[int, Request]] = {}
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

    def ask(self, requests: Mapping[str, Request], revision: int) -> None:
        """Ask for what the screens want now; what was asked before about the same revision is not asked again.

        Args:
            requests: By slot; the order is the order of the answers. Slots that are absent are no longer wanted.
            revision: Of the run, see RunView.
        """
        with self._lock:
            for slot in [slot for slot in self._wanted if slot not in requests]:
                del self._wanted[slot]
                self._asked.pop(slot, None)
            for slot, request in requests.items():
                ticket = (revision, request)
                if self._asked.get(slot) != ticket:
                    self._asked[slot] = self._wanted[slot] = ticket
            if self._draining or not self._wanted:
                return
            self._draining = True
        self._submit(self._answer_next, "")

    def forget(self, slot: str) -> None:
        """Ask again for a slot, even for the same."""
        with self._lock:
            self._asked.pop(slot, None)

    def poll(self) -> None:
        """Look for what was recorded since; at most one look waits at a time."""
        with self._lock:
            if self._polling or self._query is None:
                return
            self._polling = True
        self._submit(self._refresh, "refresh")

    def decide(self, anomaly: str, status: str, note: str | None) -> None:
        """Write down a person's decision on an anomaly."""
        with self._lock:
            self._deciding += 1
        self._jobs.put(lambda: self._guard(lambda: self._decide(anomaly, status, note), "decide"))

    def close(self) -> None:
        """Close the run and end the thread.

        Decisions that wait are written down first. The question at hand is waited for a moment only: it may be about
        more records than anybody has patience for, and what it answers is not wanted any more.
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

    def _submit(self, job: Callable[[], None], slot: str) -> None:
        def guarded() -> None:
            if not self._closed:
                self._guard(job, slot)

        if not self._closed:
            self._jobs.put(guarded)

    def _post(self, event: Event) -> None:
        if not self._closed:  # else nobody listens any more
            self._tell(event)

    def _guard(self, job: Callable[[], None], slot: str) -> None:
        """Run a job; an error becomes an event, never the end of the thread."""
        try:
            job()
        except DtuiError as error:
            self._post(Failed(slot, safe(str(error)), error))
        except Exception as error:
            LOG.exception("%s failed on %s", slot, self._path)
            line = safe(f"{slot}: {type(error).__name__}: {error}; details are in the log")
            self._post(Failed(slot, line, DtuiError(line)))

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
        """Say once what is damaged, when it is found: what is lost of an answer looks as if it were never recorded."""
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

    def _decide(self, anomaly: str, status: str, note: str | None) -> None:
        try:
            self._opened().decide(anomaly, status, note)
        except (DtuiError, OSError) as error:
            self._post(Decided(anomaly, safe(str(error))))
        else:
            self._post(Decided(anomaly))
        finally:
            with self._lock:
                self._deciding -= 1

    def _answer_next(self) -> None:
        """Answer the first request that waits, and come back for the next; other jobs get their turn between."""
        with self._lock:
            slot = next(iter(self._wanted), None)
            if slot is None:
                self._draining = False
                return
            ticket = self._wanted.pop(slot)
        self._guard(lambda: self._answer(slot, ticket), slot)
        self._submit(self._answer_next, "")

    def _answer(self, slot: str, ticket: tuple[int, Request]) -> None:
        value = answer(self._opened(), ticket[1])
        with self._lock:
            is_current = self._asked.get(slot) == ticket
        if is_current:
            self._post(Answered(slot, ticket[1], value))
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
    """Return what every screen needs to know about a run; anomalies and clusters are asked for apart."""
    import numpy as np

    from dtui.model.statistics import Rows
    from dtui.tui.state.selection import RunView

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


def answer(query: RunQuery, request: Request) -> Any:
    """Return the answer to one request."""
    from dtui.model import HeatmapRequest, ImagesRequest
    from dtui.tui.state import requests as ask

    match request:
        case HeatmapRequest():
            return query.heatmap(request)
        case ImagesRequest():
            return query.image_rows(request)
        case ask.CurvesRequest(axis):
            return query.curves(axis)
        case ask.SeriesRequest(nodes, statistics, source, axis):
            return tuple(query.node_series(nodes, statistic, source, axis) for statistic in statistics)
        case ask.AnomaliesRequest(settings):
            return query.anomalies(settings)
        case ask.ClustersRequest(count):
            return query.clusters(count)
        case ask.ErrorsRequest(groups, axis):
            return query.class_errors(groups, axis)
        case ask.VerdictRequest(image, iteration):
            return query.image_verdict(image, iteration)
        case ask.ValuesRequest(iteration):
            return ask.CursorValues(iteration, query.curves_at(iteration))
