"""The shape of the house: no circles, no crowded folders, and a picture in CONTRIBUTING that is true."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_MODULES = 14
"""In one folder: a newcomer reads that many names at a glance."""
LISTS = (Path("reports/sections"), Path("dtui/analysis/detectors/online"))
"""Folders whose modules a registry finds: entries of a list of one kind of thing, which may grow."""


def modules() -> dict[str, Path]:
    """Return every module of dtui by its dotted name; `reports/` is installed as `dtui.reports`."""
    found = {}
    for top, prefix in (("dtui", ()), ("reports", ("dtui",))):
        for path in (ROOT / top).rglob("*.py"):
            parts = (*prefix, *path.relative_to(ROOT).with_suffix("").parts)
            if path.is_relative_to(ROOT / "dtui" / "reports"):
                continue  # a link to reports/
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of dtui that a module imports: anywhere in it, those for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def test_no_module_is_reached_from_itself() -> None:
    known = modules()
    graph = {name: set(imports(path, known)) - {name} for name, path in known.items()}
    assert len(graph) > 250
    assert graph["dtui.record.counting"] >= {"dtui.record.recording", "dtui.record.lifetime"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"modules import each other: {' → '.join(error.args[1])}") from None


def test_contributing_shows_the_floors_that_the_contracts_hold() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = {}
    for contract in contracts:
        if contract["type"] == "layers":
            (container,) = contract.get("containers", ["dtui"])
            floors[container] = " → ".join(contract["layers"]).replace("dtui.", "")
    assert len(floors) == 6
    shown = dict(re.findall(r"^(dtui[\w.]*) +(\S.* → .*)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert shown == floors


def test_every_file_that_contributing_names_is_there() -> None:
    files = [path.as_posix() for top in ("dtui", "reports", "tests") for path in (ROOT / top).rglob("*.py")]
    named = re.findall(r"`([\w/]+\.py)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 40
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []


def test_no_folder_is_crowded() -> None:
    folders = Counter(path.parent.relative_to(ROOT) for path in modules().values() if not path.stem.startswith("__"))
    assert folders[Path("dtui/query")] > 5
    for listed in LISTS:
        assert folders.pop(listed) > 5
    assert {str(folder): count for folder, count in folders.items() if count > MOST_MODULES} == {}
