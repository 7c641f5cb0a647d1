"""What the first process of a distributed training tells the others: where the run is, and where it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtui.errors import RecorderError, RunExistsError
from dtui.record.start.resume import find_start, refusals_told
from tests.record.training.test_exchange import Keys, exchange_of


@pytest.mark.filterwarnings("ignore::dtui.record.RecorderWarning")
def test_all_processes_have_the_path_that_the_first_has_got(tmp_path: Path) -> None:
    (tmp_path / "run.dtui").mkdir()
    (tmp_path / "run.dtui" / "run.json").touch()
    keys = Keys()
    first, second = exchange_of(0, keys), exchange_of(1, keys)
    start = find_start(tmp_path / "run", None, first, on_existing="number", iteration=None)
    with refusals_told(first, start):
        pass
    other = find_start(tmp_path / "run", None, second, on_existing="number", iteration=None)
    assert start.path == other.path == tmp_path / "run-2.dtui"
    assert start.claim is not None
    assert other.claim is None
    start.give_up()
    assert [path.name for path in tmp_path.iterdir()] == ["run.dtui"]


def test_all_processes_are_refused_with_the_first(tmp_path: Path) -> None:
    (tmp_path / "run.dtui").mkdir()
    (tmp_path / "run.dtui" / "run.json").touch()
    keys = Keys()
    first, second = exchange_of(0, keys), exchange_of(1, keys)
    with pytest.raises(RunExistsError), refusals_told(first):
        find_start(tmp_path / "run", None, first, on_existing="refuse", iteration=None)
    with pytest.raises(RecorderError, match=r"rank 0: .*run\.dtui: a run is already there"):
        find_start(tmp_path / "run", None, second, on_existing="refuse", iteration=None)
