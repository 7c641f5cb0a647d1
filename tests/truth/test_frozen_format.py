"""The formats are frozen: what they are made of stays, and what is added is added on purpose."""

from __future__ import annotations

import pytest

from tests.truth.run_format import HELD, format_lines, golden

CHANGED = """
The format of a run is frozen (CONTRIBUTING.md, "The store format"), and this change takes away or alters:
{lines}
An older dtui would misread new runs, or this one old runs. Undo it; or raise FORMAT_VERSION, keep {golden} and a
sample run of the old format for ever, go on reading it, and run python -m tests.truth.run_format.
"""
ADDED = """
A run holds what {golden} does not list:
{lines}
If the last release reads such a run, and this dtui reads runs without it: describe it in dtui/store/format/schema.py
and run python -m tests.truth.run_format. Otherwise raise FORMAT_VERSION.
"""


@pytest.mark.parametrize("version", HELD)
def test_a_format_is_frozen(version: int) -> None:
    """Format 1 is written only where a run of it goes on, and stays what it was."""
    agreed, found = golden(version).read_text(encoding="utf-8").splitlines(), format_lines(version)
    for text, lines in ((CHANGED, _without(agreed, found)), (ADDED, _without(found, agreed))):
        if lines:
            pytest.fail(
                text.format(lines="\n".join(f"    {line}" for line in lines), golden=golden(version).name),
                pytrace=False,
            )


def _without(lines: list[str], others: list[str]) -> list[str]:
    return [line for line in lines if line not in others]
