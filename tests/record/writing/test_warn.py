"""Telling of trouble makes no training wait or fail, whatever standard error is."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from dtui.record.writing import warn
from dtui.record.writing.warn import RecorderWarning, forget_told, tell, warn_once


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_told()
    monkeypatch.setattr(warn, "_had_no_room", {True})  # the first wait is not waited for
    monkeypatch.setattr(warn, "_in_one_line", set())


def test_a_pipe_that_nobody_reads_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be told is told when it comes again and somebody reads."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writes, bytes(4096))
    with open(reads, "rb", buffering=0) as reader, open(writes, "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warn_once("disk", "the disk is full")
            tell("one line")
        assert reader.read(1 << 20) is not None
        with pytest.warns(RecorderWarning, match="the disk is full"):
            warn_once("disk", "the disk is full")
        tell("one line")
        assert reader.read(1 << 20) == b"one line\n"


def test_a_display_of_warnings_that_raises_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def show(*_: object, **__: object) -> None:
        raise KeyError("no display")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", show)
        warn_once("disk", "the disk is full")
    assert "the disk is full" in caplog.text


@pytest.mark.parametrize("stream", [None, "closed"])
def test_without_standard_error_nothing_is_told_and_nothing_raised(
    stream: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with open(tmp_path / "closed", "w") as closed:
        pass
    monkeypatch.setattr(sys, "stderr", closed if stream else None)
    tell("one line")
