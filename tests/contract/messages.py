"""Every message that a person may be shown when something is wrong, in one file that can be read in one sitting.

`python -m tests.contract.messages` writes that file anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).with_name("messages.txt")
TOLD = {"warn_once": 1, "fail": 0, "problem": 0}
"""Functions that tell something, and which of their arguments is the text."""


def messages_of(path: Path) -> Iterator[str]:
    """Yield the texts of what a module raises and tells, each on one line, with expressions in braces."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            yield from as_text(node.exc.args[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TOLD:
            yield from (text for argument in node.args[TOLD[node.func.id] :][:1] for text in as_text(argument))
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in ("remark", "reason"):
                    yield from as_text(keyword.value)


def as_text(node: ast.expr) -> Iterator[str]:
    """Yield the text of an expression that makes one; nothing for any other."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
            for part in node.values
            if isinstance(part, (ast.Constant, ast.FormattedValue))
        )
        if " " in text.strip():
            yield text
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from as_text(node.left)
        yield from as_text(node.right)
    elif isinstance(node, ast.IfExp):
        yield from as_text(node.body)
        yield from as_text(node.orelse)


def all_messages() -> str:
    """Return the messages of all modules as text, a heading a module."""
    lines = []
    for top in ("dtui", "reports"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if path.is_relative_to(ROOT / "dtui" / "reports"):
                continue  # a link to reports/
            found = sorted(set(messages_of(path)))
            if found:
                lines += ["", path.relative_to(ROOT).as_posix(), *(f"  {text}".replace("\n", "⏎") for text in found)]
    return "\n".join(lines).strip() + "\n"


if __name__ == "__main__":
    GOLDEN.write_text(all_messages(), encoding="utf-8")
