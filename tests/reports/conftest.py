"""One browser for the whole module, and runs that need no file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dtui.reports import build
from tests.reports.browser import Browser
from tests.reports.fake_query import FakeQuery


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeQuery]:
    """What `open_run` finds, by name."""
    known: dict[str, FakeQuery] = {}
    monkeypatch.setattr(build, "open_run", lambda path: known[path.name])
    return known


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1280, 900)
        yield opened
