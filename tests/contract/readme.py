"""The README as data: its command blocks and its table of keys.

`python -m tests.contract.readme` writes the table of keys anew from the registry of actions.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from dtui.tui.panes.table import TABLE
from dtui.tui.state.actions import GROUPS, KEY_NAMES

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- keys -->\n", "<!-- /keys -->\n"


def keys_table() -> str:
    """Return the table of keys as the registry of actions has it."""
    lines = ["| keys | what they do |", "|---|---|"]
    for group in GROUPS:
        lines.append(f"| **{group}** | |")
        for action in TABLE.actions:
            if action.group == group:
                keys = " · ".join(f"`{KEY_NAMES.get(key, key)}`" for key in action.keys)
                lines.append(f"| {keys} | {action.help} |")
    return "\n".join(lines) + "\n"


def shown_keys_table() -> str:
    """Return the table of keys that stands in the README."""
    text = README.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def shell_lines() -> list[str]:
    """Return every line of the README's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def dtui_commands() -> list[list[str]]:
    """Return the arguments of each line that is a plain dtui command."""
    return [shlex.split(line.partition("||")[0])[1:] for line in shell_lines() if line.startswith("dtui ")]


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    README.write_text(text[:start] + keys_table() + text[stop:], encoding="utf-8")
