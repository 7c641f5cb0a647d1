"""Version 1 of the format is frozen: what it is made of stays, and what is added is added on purpose."""

from __future__ import annotations

import pytest

from tests.truth.run_format import GOLDEN, format_lines

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


def test_version_1_is_frozen() -> None:
    agreed, found = GOLDEN.read_text(encoding="utf-8").splitlines(), format_lines()
    for text, lines in ((CHANGED, _without(agreed, found)), (ADDED, _without(found, agreed))):
        if lines:
            pytest.fail(
                text.format(lines="\n".join(f"    {line}" for line in lines), golden=GOLDEN.name), pytrace=False
            )


def _without(lines: list[str], others: list[str]) -> list[str]:
    return [line for line in lines if line not in others]
