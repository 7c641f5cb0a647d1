"""How long a report takes and how large it is, beside the least that any such report could cost, and its budget."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dtui.reports import write_report
from dtui.reports.output.bundle import vega_bundle
from dtui.reports.output.convert import ChartConverter
from dtui.reports.places import DRAWN, FORMATS
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented

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


SECONDS, COLD_SECONDS, TENFOLD = 4.5, 8.5, 1.5
"""Of processor time beyond starting the converter, with incidents cached and without, of a report on a run as large as
the paper's; and how many times as long ten times as many records may take."""
BYTES = {"html": 4e6, "pdf": 2e6}
MEMORY = 300.0
_CONVERTER = """
from dtui.reports.document import Chart
from dtui.reports.output.convert import ChartConverter
with ChartConverter() as converter:
    converter.draw(Chart("a", "", "vega", lambda: {"width": 20, "height": 10}, ""))
"""
_REPORT = """
import sys
from pathlib import Path
from dtui.reports import write_report
write_report([Path(sys.argv[1])], sys.argv[2])
"""
_COST = """
import json, resource
own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
with open("/proc/self/status") as status:  # not ru_maxrss: it begins at the memory of the process that started this one
    most = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps([own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime, most / 1024]))
"""


@benchmark
def report_paper() -> list[Measurement]:
    """A report of a run as large as the paper's, in a process of its own: processor time, memory and bytes."""
    found = []
    for ending, cost in _reports(invented("paper"), ("html", "pdf", "txt", "cold.html")).items():
        name, seconds = f"report_paper {ending}", COLD_SECONDS if ending.startswith("cold") else SECONDS
        found += [
            Measurement(f"{name} processor", cost.seconds, "budget", seconds, "s", cost.seconds / seconds),
            Measurement(f"{name} memory", cost.megabytes, "budget", MEMORY, "MB", cost.megabytes / MEMORY),
        ]
        if ending in BYTES:
            most = BYTES[ending]
            found.append(Measurement(f"{name} bytes", cost.bytes, "budget", most, "bytes", cost.bytes / most))
    return found


@benchmark
def report_tenfold() -> list[Measurement]:
    """A report of a run with ten times as many records and validations, beside that of the paper's (goal: 1.5 times).

    The run takes about a quarter of an hour of two processors to make, 10 GB while it is made, and 3.5 GB then.
    """
    paper, tenfold = (_reports(invented(preset), tuple(BYTES)) for preset in ("paper", "tenfold"))
    found = []
    for ending, most in BYTES.items():
        ours, usual, name = tenfold[ending], paper[ending], f"report_tenfold {ending}"
        seconds, ratio = TENFOLD * usual.seconds, ours.seconds / usual.seconds
        found += [
            Measurement(f"{name} processor", ours.seconds, "1.5 × paper", seconds, "s", ratio),
            Measurement(f"{name} memory", ours.megabytes, "budget", MEMORY, "MB", ours.megabytes / MEMORY),
            Measurement(f"{name} bytes", ours.bytes, "budget", most, "bytes", ours.bytes / most),
        ]
    return found


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of a report: seconds of processor time beyond starting the converter if it does, megabytes at most, and bytes."""

    seconds: float
    megabytes: float
    bytes: int


def _reports(run: Path, endings: Sequence[str]) -> dict[str, _Cost]:
    """Return what reports cost: medians of rounds in which the converter's start and each report take turns.

    One whose ending begins with "cold" finds no incidents cached.
    """
    costs: dict[str, list[tuple[float, float]]] = {ending: [] for ending in ("", *endings)}
    with tempfile.TemporaryDirectory() as folder:
        for round in range(ROUNDS + 1):  # the first leaves the incidents and the compiled modules cached
            for ending, found in costs.items():
                if ending.startswith("cold"):  # a copy: links would make the run itself look touched, and so cold
                    shutil.rmtree(Path(folder, run.name), ignore_errors=True)
                    shutil.copytree(run, Path(folder, run.name), ignore=shutil.ignore_patterns("findings.h5"))
                read, out = Path(folder, run.name) if ending.startswith("cold") else run, Path(folder, f"of.{ending}")
                cost = _cost(_REPORT, folder, read, out) if ending else _cost(_CONVERTER, folder)
                found += [cost] if round else []
        size = {ending: Path(folder, f"of.{ending}").stat().st_size for ending in endings}
    start = statistics.median(cost[0] for cost in costs[""])
    return {
        ending: _Cost(
            statistics.median(cost[0] for cost in costs[ending]) - (start if _is_drawn(ending) else 0.0),
            max(cost[1] for cost in costs[ending]),
            size[ending],
        )
        for ending in endings
    }


def _is_drawn(ending: str) -> bool:
    """Whether a report of such an ending starts the converter."""
    return f".{ending.split('.')[-1]}" in {suffix for format in DRAWN for suffix in FORMATS[format]}


def _cost(program: str, folder: str, *arguments: Path) -> tuple[float, float]:
    """Return seconds of processor time with children, and megabytes of memory without, of a program.

    Its modules are compiled once and kept in the folder, as where dtui is installed.
    """
    command = [sys.executable, "-c", program + _COST, *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPYCACHEPREFIX"] = str(Path(folder, "compiled"))
    seconds, memory = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=kept).stdout)
    return seconds, memory


def _median(work: Callable[[], object]) -> float:
    """Return the middle of a few times that `work` takes, in seconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
