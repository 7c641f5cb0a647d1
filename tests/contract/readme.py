"""The README, and what it leaves to the folders' own, as data: command blocks and the table of keys.

`python -m tests.contract.readme` writes the table of keys anew from the registry of actions.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from dtui.tui.panes.table import TABLE
from dtui.tui.state.actions import GROUPS, KEY_NAMES

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
SCRIPTS = ROOT / "dtui/cli/README.md"
"""Reports, nights, alarms, JSON and exit codes."""
SCREENS = ROOT / "dtui/tui/README.md"
ACCURACY = ROOT / "tests/truth/corpus/README.md"
DOCUMENTS = (
    README,
    SCRIPTS,
    SCREENS,
    ACCURACY,
    ROOT / "CONTRIBUTING.md",
    ROOT / "dtui/record/README.md",
    ROOT / "dtui/store/README.md",
    ROOT / "sample_runs/README.md",
)
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


def shell_lines(*documents: Path) -> list[str]:
    """Return every line of the shell blocks of some documents; without any, of the README."""
    text = "\n".join(document.read_text(encoding="utf-8") for document in documents or (README,))
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def dtui_commands() -> list[list[str]]:
    """Return the arguments of each line that is a plain dtui command, of README and what it leaves to its folders."""
    lines = dict.fromkeys(shell_lines(README, SCRIPTS, SCREENS))
    return [shlex.split(line.partition("||")[0])[1:] for line in lines if line.startswith("dtui ")]


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    README.write_text(text[:start] + keys_table() + text[stop:], encoding="utf-8")
