"""Telling of trouble makes no training wait or fail, whatever standard error is."""

from __future__ import annotations

import os
import select
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from dtui.errors import MissingExtraError
from dtui.model import Gap
from dtui.record.start import preload
from dtui.record.writing import warn
from dtui.record.writing.failure_guard import Boundary
from dtui.record.writing.warn import (
    LONGEST_TOLD,
    RecorderWarning,
    forget_told,
    reason_of,
    tell,
    tell_in_one_line,
    warn_once,
    whole_reason_of,
)


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


def test_standard_error_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Full:
        def register(self, *_: object) -> None:
            pass

        def poll(self, milliseconds: float) -> list[object]:
            waited.append(milliseconds)
            return []

    monkeypatch.setattr(select, "poll", Full)
    monkeypatch.setattr(warn, "_had_no_room", set())
    for _ in range(3):
        tell("one line")
    assert waited == [1_000, 0, 0]


def test_what_the_caller_tells_in_its_own_words_is_not_told_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(warn, "_said_otherwise", set())
    tell_in_one_line("number")
    warn_once("number", "this one is run-2")
    warn_once("disk", "the disk is full")
    assert capsys.readouterr().err == "dtui: the disk is full\n"


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


def test_the_words_of_others_are_cut_to_their_first_sentences() -> None:
    long = (
        "'heads' is a per-layer attribute, e.g. of one layer (config.per_layer[i].heads). Set `allow` to `True`. " * 4
    )
    told = reason_of(RuntimeError(long))
    assert told.endswith(
        "Set `allow` to `True`. 'heads' is a per-layer attribute, e.g. of one layer (config.per_layer[i].heads)"
    )
    assert told.startswith("RuntimeError: 'heads' is a per-layer attribute, e.g. of one layer")
    assert len(told) <= LONGEST_TOLD < len(whole_reason_of(RuntimeError(long)))
    endless = reason_of(RuntimeError("no end " * 200))
    assert len(endless) <= LONGEST_TOLD
    assert endless.endswith("no …")
    memory = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 139 GiB"
    assert reason_of(RuntimeError(memory)) == f"RuntimeError: {memory}"
    assert reason_of(KeyError()) == "KeyError"
    first = "x" * 300 + ". Then more"
    assert reason_of(RuntimeError(first)).endswith("x …")


def test_one_cause_that_ends_several_streams_is_told_once() -> None:
    boundary = Boundary()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for stream, reason in (("records", "no thread"), ("validations", "no thread"), ("close", "no thread")):
            with boundary.guard(stream, 3):
                raise RuntimeError(reason)
        for stream in ("log", "close"):
            with boundary.guard(stream, 3):
                raise OSError(f"no room for {stream}")
    assert [str(one.message) for one in told] == [
        "dtui: iteration 3: records are no longer recorded: RuntimeError: no thread",
        "dtui: iteration 3: what is logged is no longer recorded: OSError: no room for log",
        "dtui: iteration 3: the end of the run could not be recorded: OSError: no room for close",
    ]
    assert not any(boundary.is_on(stream) for stream in ("records", "validations", "close", "log"))


def test_what_a_stream_lost_is_noted_from_its_first_failure_to_the_end() -> None:
    for last, more in ((3, []), (9, [Gap(4, 9, "records", "switched off after a failure")])):
        boundary = Boundary()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for iteration in (3, 5)[: len(more) + 1]:  # one that is on its way fails later than the stream
                with boundary.guard("records", iteration):
                    raise OSError("no room")
        boundary.finish(last)
        failed = [Gap(at, at, "records", "OSError: no room") for at in (3, 5)[: len(more) + 1]]
        assert boundary._early == [*failed, *more]


def test_a_library_that_cannot_be_loaded_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "_WRITING", ("dtui.store.nowhere",))
    with pytest.raises(
        MissingExtraError, match=r"a library that it needs cannot be loaded .*nowhere.*; install dtui again"
    ):
        preload.import_for_threads(is_writer=True, has_pictures=False, has_own_pictures=False)


def test_an_import_that_was_interrupted_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C in it Python keeps half of a library, and its next import fails anywhere."""
    monkeypatch.setattr(preload, "import_module", lambda name: sys.no_such_thing)
    with pytest.raises(MissingExtraError, match=r"cannot be loaded .*no_such_thing.*; start Python .*again"):
        preload.import_for_threads(is_writer=True, has_pictures=False, has_own_pictures=False)
