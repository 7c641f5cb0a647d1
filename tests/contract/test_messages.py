"""What people are told when something is wrong is as somebody has read it."""

from __future__ import annotations

from tests.contract.messages import GOLDEN, all_messages


def test_messages_are_those_that_were_read() -> None:
    """After a change: `python -m tests.contract.messages`, and read what is new as one who has just met the trouble."""
    found = all_messages()
    assert found.count("\n") > 200
    assert found == GOLDEN.read_text(encoding="utf-8")
