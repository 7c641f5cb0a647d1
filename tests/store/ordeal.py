"""Ordeals: one run each, whose writers, compactors, packers and viewers are killed at random instants, in turn.

`python -m tests.store.ordeal SEED…` repeats ordeals; the instants differ each time, for it is the clock that kills.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import DtuiError
from dtui.model import RunStatus
from dtui.store import RunReader, check_run, find_past
from dtui.store.check.result import FileState
from dtui.store.pack.worker import RunPacker
from tests.store.dying import shrink_parts
from tests.store.folding import fold
from tests.store.killing import Child, Instants, kill_somewhere
from tests.store.lives import (
    CLOSED,
    CREATED,
    WRITTEN,
    Held,
    Script,
    compact_for_ever,
    go_on,
    make_script,
    read_one_of,
    tables,
    write_new,
)
from tests.store.tally import Tally

PART_SIZES = ((1, 2), (2, 4), (3, 6), (4, 12), (2, 100), (32, 1024))
DEATHS = 8
"""In one ordeal, about."""
BESIDE = ("writer beside a compactor", "compactor beside a writer")
KINDS = {"writer", "resumed writer", "compactor", "packer", "viewer", *BESIDE}
"""Kinds of processes that die."""
CHECKED = 0.5
"""Share of deaths after which `check_run` looks, too; all that can be read is compared after each."""
WRITING = 0.8
"""Share of writers that are killed while they write; the others perhaps before they come to that."""


class Ordeal:
    """One run, and what it must hold at this moment."""

    def __init__(self, path: Path, seed: int, instants: Instants, tally: Tally) -> None:
        """Prepare; the seed decides everything but the instants."""
        self.path = path
        self._rng = random.Random(seed)
        self._instants = instants
        self._tally = tally
        self._small, self._large = self._rng.choice(PART_SIZES)
        self._records = 70 if self._small == 32 else self._rng.choice([2, 5, 8, 13])
        self._held = Held()
        self._training = 0
        self._decisions = 0

    def endure(self) -> None:
        """Kill a writer, then whatever comes, then let a compactor finish."""
        with pytest.MonkeyPatch.context() as patch:
            shrink_parts(patch, self._small, self._large)
            end = self._tally.total + DEATHS
            self._write()
            while self._tally.total < end and self.path.exists():
                self._rng.choice([self._resume, self._compact, self._compact, self._both, self._pack, self._view])()
            if self.path.exists():
                self._finish()

    # --- deaths

    def _write(self) -> None:
        script = self._next_script(0)
        self._judge_writer(self._kill("writer", partial(write_new, self.path, script)), script, None)

    def _resume(self) -> None:
        at, script = self._checkpoint()
        self._judge_writer(self._kill("resumed writer", partial(go_on, self.path, at, script)), script, at)

    def _kill(self, writer: str, work: Callable[[int], None]) -> bytes:
        after = CREATED if self._rng.random() < WRITING else b""
        return kill_somewhere(writer, work, self._instants, self._tally, after=after)[0]

    def _compact(self) -> None:
        kill_somewhere("compactor", lambda _: fold(self.path, finish=True), self._instants, self._tally)
        self._judge([self._held])

    def _both(self) -> None:
        """A writer, and beside it a compactor that is killed before or after it."""
        at, script = self._checkpoint()
        children = {
            BESIDE[0]: Child.fork(partial(go_on, self.path, at, script)),
            BESIDE[1]: Child.fork(lambda _: compact_for_ever(self.path)),
        }
        waited = 0.0
        for after, kind in sorted((self._instants.draw("both"), kind) for kind in children):
            time.sleep(after - waited)
            waited = after
            os.kill(children[kind].pid, signal.SIGKILL)
        (told, has_died), (_, _) = ended = [children[kind].end(kill=False) for kind in BESIDE]
        self._tally.counts.update({kind: int(died) for kind, (_, died) in zip(BESIDE, ended, strict=True)})
        self._instants.tell("both", has_died)
        self._judge_writer(told, script, at)

    def _pack(self) -> None:
        """Either there is no packed run, or a whole one."""
        out = self.path.with_suffix(".h5")

        def pack(_: int) -> None:
            packer = RunPacker(self.path)
            packer.pack(out, lambda: None)
            packer.close()

        _, died = kill_somewhere("packer", pack, self._instants, self._tally)
        assert died or out.exists()
        if out.exists():
            read_one_of(out, [self._held])
            out.unlink()
        for left in self.path.parent.glob(f"{out.name}*"):
            left.unlink()
        self._judge([self._held])

    def _view(self) -> None:
        """Somebody takes decisions, and keeps findings in the cache."""
        wanted = tables(6)

        def view(pipe: int) -> None:
            reader = RunReader(self.path)
            for place, table in enumerate(wanted):
                reader.append_decisions([(f"anomaly {self._decisions + place}", "flagged", f"note {place}")])
                os.write(pipe, WRITTEN)
                reader.findings.write({"place": place}, table)
            reader.close()

        told, _ = kill_somewhere("viewer", view, self._instants, self._tally)
        reader = RunReader(self.path)
        found = len(reader.decisions())
        for place, table in enumerate(wanted):
            kept = reader.findings.read({"place": place}, 2)
            assert kept is None or np.array_equal(kept, table)
        reader.close()
        assert found - self._decisions in (len(told), len(told) + 1), (found, self._decisions, told)
        self._decisions = found
        self._judge([self._held])

    # --- verdicts

    def _checkpoint(self) -> tuple[int, Script]:
        last = self._held.last_iteration // 10
        at = 10 * max(0, min(last + 1, last + 3 - self._rng.randrange(2 + self._records)))
        return at, self._next_script(at)

    def _next_script(self, first: int) -> Script:
        self._training += 1
        return make_script(self._training - 1, first, self._records, is_closed=self._rng.random() < 0.5)

    def _judge_writer(self, told: bytes, script: Script, resumed_at: int | None) -> None:
        if resumed_at is None and CREATED not in told:  # nobody was promised a run; the next one begins all the same
            with contextlib.suppress(DtuiError):
                RunReader(self.path).close()
            find_past(self.path)
            shutil.rmtree(self.path, ignore_errors=True)
            return
        count = told.count(WRITTEN)
        candidates = [self._held.after(script, n, resumed_at) for n in (count, count + 1)]
        if resumed_at is not None and count == 0:
            candidates.append(self._held)
        states = {RunStatus.DONE} if CLOSED in told else {RunStatus.DONE, RunStatus.CRASHED}
        self._judge(candidates, states)

    def _judge(self, candidates: list[Held], states: Collection[RunStatus] = RunStatus) -> None:
        self._held = read_one_of(self.path, candidates, states)
        if self._rng.random() < CHECKED:
            found = {file.state for file in check_run(self.path).files}
            assert found <= {FileState.FINE, FileState.LEFT_OVER}, found

    def _finish(self) -> None:
        fold(self.path, finish=True)
        self._held = read_one_of(self.path, [self._held], {RunStatus.DONE, RunStatus.CRASHED})
        left = [file for file in check_run(self.path).files if file.state is not FileState.FINE]
        assert all("safe to remove" in file.detail for file in left), left
        assert not any((self.path / "journal").iterdir())
        reader = RunReader(self.path)
        assert len(reader.decisions()) == self._decisions
        reader.close()


def endure(folder: Path, seeds: Iterator[int], is_enough: Callable[[Tally], bool]) -> Tally:
    """Let runs endure ordeals until it is enough; what a failure left is kept in the folder, and all else removed.

    Args:
        folder: Where.
        seeds: One an ordeal.
        is_enough: Asked after every ordeal.
    """
    tally = Tally()
    instants = Instants(random.Random())
    for seed in seeds:
        path = folder / f"ordeal-{seed}.dtui"
        before = len(tally.failures)
        with tally.verdict(f"python -m tests.store.ordeal {seed} (its run is in {path})"):
            Ordeal(path, seed, instants, tally).endure()
        if len(tally.failures) == before:
            shutil.rmtree(path, ignore_errors=True)
        if is_enough(tally):
            break
    return tally


def main() -> int:
    """Repeat the ordeals that are named; tell what became of them."""
    seeds = list(map(int, sys.argv[1:]))
    folder = Path(tempfile.mkdtemp(prefix="ordeals-"))
    tally = endure(folder, iter(seeds), lambda _: False)
    sys.stdout.write(f"{tally}\n")
    if not tally.failures:
        shutil.rmtree(folder)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
