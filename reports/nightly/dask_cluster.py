"""Has the reports of a night made by the workers of a Dask scheduler.

Owns the only import of Dask, an optional extra. A Dask worker starts a worker process of ours for each report, so that
limits and retries are the same everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from dtui.errors import MissingExtraError, ReportError
from dtui.reports.nightly.night import Engine
from dtui.reports.nightly.plan import Unit
from dtui.reports.nightly.workers import Limits, Workers

ANSWER_SECONDS = 10
"""In which a scheduler must answer."""


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
            client.close(timeout=ANSWER_SECONDS)

    return work


def make_apart(unit: Unit, limits: Limits) -> str:
    """Make one report in a process of its own; return "" or why there is none."""
    with Workers(1, limits) as workers:
        ((_, reason),) = workers.run([unit])
    return reason


def _client(address: str) -> Any:
    import distributed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a person gets one line, from us
    try:
        distributed.comm.get_address_host_port(address)  # a client that is given nonsense does not end quietly
        client = distributed.Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        raise ReportError(
            f"{address}: no Dask scheduler answers there ({type(error).__name__}); start one, or leave --scheduler out"
        ) from error
    if not client.scheduler_info()["workers"]:
        client.close()
        raise ReportError(f"{address}: this Dask scheduler has no workers; start some, or leave --scheduler out")
    return client


def _results(client: Any, address: str, units: Sequence[Unit], limits: Limits) -> Iterator[tuple[Unit, str]]:
    import distributed

    futures = {client.submit(make_apart, unit, limits, pure=False): unit for unit in units}
    for future in distributed.as_completed(futures, loop=client.loop):
        unit = futures[future]
        error = future.exception() if future.status != "cancelled" else None
        if future.status in ("cancelled", "lost"):
            raise ReportError(f"{address}: the Dask scheduler went away; run the night again, what is done stays done")
        yield unit, future.result() if error is None else f"Dask: {type(error).__name__}: {error}"
