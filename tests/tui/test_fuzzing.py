"""A short walk of the fuzzer that drives the program in a terminal; `python -m tests.tui.fuzzing` takes long ones."""

from __future__ import annotations

import random

from tests.tui.conftest import SAMPLES
from tests.tui.fuzzing import DECIDING, events, fuzz


def test_anything_may_be_pressed() -> None:
    problems, counts = fuzz(str(SAMPLES / "mnist-faults.dtui"), seed=12, seconds=60, most=120)
    assert counts["events"] >= 120
    assert [problem for problem in problems if ": stalls: " not in problem] == []  # a busy machine has those


def test_only_what_may_decide_holds_keys_that_decide() -> None:
    dice = random.Random(3)
    for _ in range(3_000):
        for event in events(dice, deciding=False):
            is_quoted = event.what == "paste" or event.data.startswith(b"\x1b") or event.data[:1] in (b"\x9b", b"\x9d")
            assert is_quoted or not set(event.data.decode(errors="replace")) & set(DECIDING), event
        assert any(set(event.what) & set(DECIDING) for event in events(dice, deciding=True))
