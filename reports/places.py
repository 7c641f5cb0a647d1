"""Decides where reports go and in which format: one file for all runs, a file a run in a folder, or a stream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dtui.errors import UsageError
from dtui.output import OutputTarget, find_target

HTML, PDF, TEXT, MARKDOWN = "html", "pdf", "text", "markdown"
FORMATS = {HTML: (".html", ".htm"), PDF: (".pdf",), TEXT: (".txt",), MARKDOWN: (".md", ".markdown")}
"""Name of a format to the endings of file names that stand for it; the first is that of the files in a folder."""
DRAWN = frozenset((HTML, PDF))
"""Formats that show charts, for which a converter is started."""
_WORDS = "HTML (.html), PDF (.pdf), plain text (.txt) or Markdown (.md)"


@dataclass(frozen=True, slots=True)
class Place:
    """One output: its runs, its target and its format."""

    runs: tuple[Path, ...]
    target: OutputTarget
    format: str


def find_places(runs: list[Path], out: str | Path, format: str | None) -> list[Place]:
    """Return one place for all runs, or one a run where `out` is a folder.

    Raises:
        UsageError: The ending of `out` is not that of a format.
        OutputError: `out` cannot be written.
    """
    if not (str(out) and Path(out).is_dir()):
        target = find_target(out)
        return [Place(tuple(runs), target, format or _format_of(target))]
    made = format or HTML
    names: dict[str, int] = {}
    places = []
    for run in runs:
        name = run.resolve().name.removesuffix(".dtui").removesuffix(".h5")
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{name}-{names[name]}"
        places.append(Place((run,), find_target(Path(out) / f"{unique}{FORMATS[made][0]}"), made))
    return places


def _format_of(target: OutputTarget) -> str:
    """Return the format that the ending of a name stands for."""
    if target.file is None:
        return HTML
    ending = target.name.suffix.lower()
    for format, endings in FORMATS.items():
        if ending in endings:
            return format
    found = f"ends in {ending}" if ending else "has no ending"
    better = target.name.with_suffix(FORMATS[HTML][0])
    raise UsageError(
        f"{target.name}: the name {found}; a report is {_WORDS}: write {better}, or say which with --format"
    )
