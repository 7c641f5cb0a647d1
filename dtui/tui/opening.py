"""Opens runs, and says what every screen needs to know about one. Each function imports the query when it is called.

So the loader's thread imports it, and the first paint does not wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dtui.errors import DtuiError

if TYPE_CHECKING:
    from dtui.query import RunQuery
    from dtui.tui.state.run_view import RunView
    from dtui.tui.state.session import Session

Open = Callable[[Path], "RunQuery"]
Begin = Callable[["RunView"], "Session"]


def open_query(path: Path) -> RunQuery:
    """Open a run."""
    from dtui.query import open_run

    return open_run(path)


def open_first(open_: Open, path: Path, places: Sequence[Path]) -> tuple[Path, RunQuery]:
    """Open a run, or else the first one of some runs and folders that can be opened; return its path, too."""
    try:
        return path, open_(path)
    except DtuiError:
        if not places:
            raise
        from dtui.query.compare.listing import runs_at

        for other in runs_at(places):
            with suppress(DtuiError, OSError):
                return other, open_(other)
        raise


def view_of(query: RunQuery, revision: int, places: Sequence[Path] = ()) -> RunView:
    """Return what every screen needs to know about a run now; `places` are the runs and folders that were given."""
    from dtui.query.compare.listing import located, names_run
    from dtui.tui.state.run_view import seen_in

    view = seen_in(query, revision, time.monotonic())
    if len(places) < 2 or not all(map(names_run, places)):
        return view
    return replace(view, given=tuple(str(located(place)) for place in places))
