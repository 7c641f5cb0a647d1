"""Several hosts take one run over from each other, look late, wake up, close and compact; a list says what counts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from dtui.errors import RunExistsError
from dtui.store import RunWriter, check_run, find_past
from dtui.store.run.run_file import RunFile
from tests.store.builders import METADATA, STRUCTURE
from tests.store.folding import fold
from tests.store.hosts import View, content, on, record_of, seeing, view_of


class Host:
    """One that records, or did.

    Attributes:
        writer: Its writer.
        name: Host name; also the number that its records carry.
        next: Iteration of its next record.
        kept: What counts of the run from its first record on, until that is appended; None afterwards.
        view: What it believed when it was replaced; None while nobody replaced it.
    """

    def __init__(self, writer: RunWriter, name: int, start: int, kept: list[tuple[int, int]] | None) -> None:
        self.writer, self.name, self.next, self.kept = writer, name, start, kept
        self.view: View | None = None


class Hosts(RuleBasedStateMachine):
    """The last of `hosts` records the run; those before it do not know that yet, or do."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        with on("host0"):
            writer = RunWriter(self.folder / "run", STRUCTURE, METADATA, compact=False)
        self.path = writer.path
        self.hosts = [Host(writer, 0, 0, None)]
        self.counts: list[tuple[int, int]] = []
        self.is_closed = False

    def teardown(self) -> None:
        for host in self.hosts:
            host.writer._closed = True
        shutil.rmtree(self.folder)

    def append(self, host: Host, records: int) -> None:
        """Append what the writer must accept, and count it where it is of the last who has appended anything."""
        is_last = all(later.kept is not None for later in self.hosts[self.hosts.index(host) + 1 :])
        for _ in range(records):
            host.writer.append_record(record_of(host.name, host.next))
            if host.kept is not None:
                self.counts, host.kept = host.kept, None
            if is_last:
                self.counts.append((host.next, host.name))
            host.next += 1

    @precondition(lambda self: not self.is_closed)
    @rule(records=st.integers(1, 40))
    def record(self, records: int) -> None:
        self.append(self.hosts[-1], records)
        assert content(self.path) == self.counts

    @rule(back=st.integers(-20, 60), between=st.integers(0, 40))
    def take_over(self, back: int, between: int) -> None:
        """Look, while the other goes on, and then take over, perhaps from a checkpoint that nobody recorded past."""
        name, before = len(self.hosts), self.hosts[-1]
        with on(f"host{name}"):
            past = find_past(self.path)
        assert past is not None
        if not self.is_closed and before.kept is None:
            self.append(before, between)
        before.view = view_of(before.writer)
        at = max(0, before.next - back)
        with on(f"host{name}"):
            writer = RunWriter.resume(past, at, compact=False)
        self.hosts.append(Host(writer, name, at, [one for one in self.counts if one[0] < at]))
        if self.is_closed:
            before.writer._closed = True
        self.is_closed = False

    @precondition(lambda self: any(host.kept is None and not host.writer._closed for host in self.hosts[:-1]))
    @rule(data=st.data(), records=st.integers(1, 40))
    def wake_up(self, data: st.DataObject, records: int) -> None:
        """One that was replaced appends by what it believed, and is refused once it looks."""
        host = data.draw(
            st.sampled_from([host for host in self.hosts[:-1] if host.kept is None and not host.writer._closed])
        )
        if self.hosts[-1].kept is None or not self.is_closed:
            with seeing(host.view):
                self.append(host, records)
        with pytest.raises(RunExistsError):
            host.writer.append_record(record_of(host.name, host.next))
        host.writer._closed = True
        if not self.is_closed:
            self.record(1)

    @precondition(lambda self: not self.is_closed and self.hosts[-1].kept is None)
    @rule(data=st.data())
    def close_without_knowing(self, data: st.DataObject) -> None:
        """One that was replaced writes over run.json; the one who records puts it right with its next record."""
        asleep = [host for host in self.hosts[:-1] if not host.writer._closed]
        if not asleep:
            return
        host = data.draw(st.sampled_from(asleep))
        with seeing(host.view):
            host.writer.close()
        self.compact(finish=True, host="host0")
        self.record(1)

    @precondition(lambda self: not self.is_closed)
    @rule()
    def close(self) -> None:
        self.hosts[-1].writer.close()
        self.is_closed = True
        assert RunFile.read(self.path).turn == len(self.hosts)

    @rule(finish=st.booleans(), host=st.sampled_from(["host0", "host1", "host9"]))
    def compact(self, finish: bool, host: str) -> None:
        with on(host):
            fold(self.path, finish=finish)

    @precondition(lambda self: self.is_closed)
    @rule()
    def check_the_run(self) -> None:
        assert content(self.path) == self.counts
        assert check_run(self.path).faults == ()


class TestHosts(Hosts.TestCase):
    settings = settings(
        max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
