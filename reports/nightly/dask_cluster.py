"""Has the reports of a night made by the workers of a Dask scheduler.

Owns the only import of Dask, an optional extra. A Dask worker starts a worker process of ours for each report, so that
limits and retries are the same everywhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from dtui.errors import MissingExtraError, ReportError, UsageError
from dtui.reports.nightly.night import Engine
from dtui.reports.nightly.plan import Unit
from dtui.reports.nightly.workers import Limits, Workers

ANSWER_SECONDS = 10
"""In which a scheduler must answer."""
SILENT_SECONDS = 20.0
"""After which we look whether anybody is left to work."""

_WENT_AWAY = "the Dask scheduler went away; run the night again, what is done stays"


def dask_engine(address: str, limits: Limits) -> Engine:
    """Return an engine that hands each unit to a Dask scheduler; every worker there must see the same folders.

    Args:
        address: Of the scheduler, such as "tcp://host:8786".
        limits: For each report.

    Raises:
        MissingExtraError: Dask is not installed.
    """
    if find_spec("distributed") is None:
        raise MissingExtraError("nightly --scheduler: Dask is not installed; pip install '.[dask]' in dtui's folder")

    def work(units: Sequence[Unit]) -> Iterator[tuple[Unit, str]]:
        if not units:
            return
        client = _client(address)
        try:
            yield from _results(client, address, units, limits)
        finally:
            with suppress(OSError, TimeoutError):
                client.close(timeout=ANSWER_SECONDS)

    return work


def make_apart(unit: Unit, limits: Limits) -> str:
    """Make one report in a process of its own; return "" or why there is none."""
    with Workers(1, limits) as workers:
        ((_, reason),) = workers.run([unit])
    return reason


def _client(address: str) -> Any:
    import distributed

    _hush()
    try:
        distributed.comm.get_address_host_port(address)  # a client that is given nonsense does not end quietly
        client = distributed.Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"--scheduler {address!r}: not the address of a Dask scheduler; give one such as tcp://host:8786"
        ) from error
    except (OSError, TimeoutError) as error:
        raise ReportError(
            f"{address}: no Dask scheduler answers there ({type(error).__name__}); start one, or leave --scheduler out"
        ) from error
    if not _workers(client):
        client.close()
        raise ReportError(f"{address}: this Dask scheduler has no workers; start some, or leave --scheduler out")
    return client


def _hush() -> None:
    """Silence what Dask logs on its own: a person gets one line, from us."""
    for name in ["distributed", "tornado", "asyncio", *logging.root.manager.loggerDict]:
        if name.split(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _workers(client: Any) -> int:
    return len(client.scheduler_info()["workers"])


def _results(client: Any, address: str, units: Sequence[Unit], limits: Limits) -> Iterator[tuple[Unit, str]]:
    """Yield each unit when it is done; raise where nobody is left to do one."""
    futures = {client.submit(make_apart, unit, limits, pure=False): unit for unit in units}
    while futures:
        for future in _some_done(client, address, futures, limits):
            if future.status in ("cancelled", "lost"):
                raise ReportError(f"{address}: {_WENT_AWAY}")
            error = future.exception()
            yield futures.pop(future), future.result() if error is None else f"Dask: {type(error).__name__}: {error}"


def _some_done(client: Any, address: str, futures: Collection[Any], limits: Limits) -> Sequence[Any]:
    """Wait until at least one is done: no longer than all tries of one report may take."""
    import distributed

    deadline = time.monotonic() + limits.tries * limits.seconds + SILENT_SECONDS
    while True:
        try:
            with client.as_current():
                done: Any = distributed.wait(list(futures), SILENT_SECONDS, "FIRST_COMPLETED").done
        except (TimeoutError, OSError):
            done = ()
        except (asyncio.CancelledError, CancelledError):
            raise ReportError(f"{address}: {_WENT_AWAY}") from None
        if done:
            return list(done)
        if client.status != "running" or not _workers(client) or time.monotonic() > deadline:
            raise ReportError(f"{address}: the Dask workers went away; run the night again, what is done stays")
