"""How long a report takes and how large it is, beside the least that any such report could cost."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dtui.reports import write_report
from dtui.reports.output.bundle import vega_bundle
from dtui.reports.output.convert import ChartConverter
from tests.bench.registry import Measurement, benchmark

RUN = Path(__file__).parents[2] / "sample_runs" / "mnist-faults.dtui"
ROUNDS = 3


@benchmark
def report_html() -> list[Measurement]:
    """A report of a sample run: time beside starting the converter and writing the bundle, bytes beside the bundle."""
    with ChartConverter() as converter:
        bundle = vega_bundle(converter.bundle).encode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.html"

        def floor() -> None:
            with ChartConverter() as converter:
                converter.bundle()
                out.write_bytes(bundle)

        least = _median(floor)
        taken = _median(lambda: write_report([RUN], out))
        size = out.stat().st_size
    return [
        Measurement(
            "report_html_seconds", taken, "converter started, bundle made and written", least, "s", taken / least
        ),
        Measurement("report_html_bytes", size, "the Vega bundle alone", len(bundle), "bytes", size / len(bundle)),
    ]


def _median(work: Callable[[], object]) -> float:
    """Return the middle of a few times that `work` takes, in seconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
