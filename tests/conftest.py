"""What every test stands on: nothing of this machine's user leaks in, nothing leaks out."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dtui", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dtui")

REPOSITORY = Path(__file__).resolve().parent.parent

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLOSC_NTHREADS"):
    os.environ.setdefault(name, "1")  # several test processes share the cores; also read by child processes


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each test a state folder of its own, and no colour settings of whoever runs it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


FAMILIES = (
    "tests/store/pack/test_hostile_packed.py::",
    "tests/store/pack/test_pack.py::test_nothing_in_a_packed_run_runs[",
    "tests/store/read/test_hostile_runs.py::",
    "tests/store/read/test_contract.py::",
    "tests/store/write/test_crashes.py::test_a_writer_and_a_compactor_may_die_at_any_call[",
    "tests/store/write/test_kills.py::test_runs_endure_ordeals[",
    "tests/store/check/test_damage.py::test_mutated_runs_never_lie[",
    "tests/record/test_forks.py::test_workers_of_a_data_loader_are_begun_in_every_way[",
    "tests/record/test_zoo.py::",
    "tests/record/unusual/",
    "tests/record/launch/test_scripts.py::test_a_launcher[",
    "tests/tui/test_fuzz.py::",
)
"""Families of long tests that differ in one parameter."""
SHARE = 3
"""Of each family one in so many runs; all with --all."""


def is_whole(config: pytest.Config) -> bool:
    """Whether families run whole: with --all, or where a file is named on the command line."""
    return config.getoption("--all") or any(".py" in word for word in config.args)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs the families whole."""
    parser.addoption("--all", action="store_true", help="run all of the families of long tests, and not a third")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out two thirds of each family."""
    if is_whole(config):
        return
    seen: Counter[str] = Counter()
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        name = item.nodeid.partition("[")[0]
        is_long = "[" in item.nodeid and item.nodeid.startswith(FAMILIES)
        (left if is_long and seen[name] % SHARE else kept).append(item)
        seen[name] += 1
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """Give each process of `pytest -n` neighbouring tests, so that few import torch or make the same fixture.

    A process that is done takes over half of what another one has left.
    """
    if config.getoption("dist") != "load":  # what -n means unless it is told otherwise
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what tests that passed have counted: deaths that cost nothing, damaged runs that did not lie."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        counts.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    for name, count in sorted(counts.items()):
        terminalreporter.write_line(f"{count:,} {name}")
