from __future__ import annotations

import pytest

from dtui.model import TimeAxis
from dtui.query import RunQuery
from tests.query.fake_reader import FakeReader


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
def query(reader: FakeReader) -> RunQuery:
    return RunQuery(reader.path, reader)


@pytest.fixture
def axis(query: RunQuery) -> TimeAxis:
    return TimeAxis(*query.limits(), 40)
