"""Makes reports: asks the run, draws the charts, writes the file.

Owns the order of work: first a `Report` value, then its pictures, then a rendering. A second copy would let
one format show a section that another lacks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from dtui.errors import DtuiError, ReportError, UsageError
from dtui.query import RunQuery, open_run
from dtui.reports.bundle import vega_bundle
from dtui.reports.convert import ChartConverter
from dtui.reports.document import Chapter, Paragraph, Report, Section
from dtui.reports.facts import findings_of, further_facts, header_facts
from dtui.reports.html import render_html
from dtui.reports.sections import SectionBuilder, View, sections_named
from dtui.reports.text import render_text
from dtui.safe_text import safe

Progress = Callable[[str], None]
TEXT_SUFFIX = ".txt"


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What was written.

    Attributes:
        paths: The files, one for all runs or one a run.
        bytes: Their size together.
        charts: Charts that were drawn.
        problems: One line for each chart or section that could not be made; the report says so in its place.
    """

    paths: tuple[Path, ...]
    bytes: int
    charts: int
    problems: tuple[str, ...]


def write_report(
    runs: Sequence[Path], out: Path, *, sections: Sequence[str] | None = None, progress: Progress | None = None
) -> ReportResult:
    """Write a report of one run or several: a self-contained HTML file, or plain text without pictures.

    Args:
        runs: At least one.
        out: A file, which then holds all runs, as text if its name ends in ".txt"; or a folder, which gets an
            HTML file a run.
        sections: Names of the sections wanted; None for all.
        progress: Called with a few words before each piece of work.

    Raises:
        UsageError: No run was given, or a section has no such name.
        RunNotFoundError: One of `runs` is no run.
        RunFormatError: One was written by a newer dtui.
        RunDamagedError: One cannot be read at all.
        ReportError: `out` cannot be written.
    """
    say = progress or (lambda _: None)
    if not runs:
        raise UsageError("report: no run was given; name at least one")
    builders = sections_named(sections)
    parts = _documents([Path(run) for run in runs], Path(out))
    with ChartConverter() as converter:
        if any(target.suffix.lower() != TEXT_SUFFIX for _, target in parts):
            converter.warm_up()
        results = [_write_one(members, target, builders, converter, say) for members, target in parts]
    return ReportResult(
        paths=tuple(target for _, target in parts),
        bytes=sum(result[0] for result in results),
        charts=sum(result[1] for result in results),
        problems=tuple(problem for result in results for problem in result[2]),
    )


def build_report(
    queries: Sequence[RunQuery], sections: Sequence[str] | None = None, progress: Progress | None = None
) -> Report:
    """Return the report on open runs, before any chart is drawn.

    Args:
        queries: At least one.
        sections: Names of the sections wanted; None for all.
        progress: Called with a few words before each section.

    Raises:
        UsageError: A section has no such name.
    """
    return _report(queries, sections_named(sections), progress or (lambda _: None), [])


def _documents(runs: list[Path], out: Path) -> list[tuple[list[Path], Path]]:
    """Return which runs go into which file."""
    if not out.is_dir():
        return [(runs, out)]
    names: dict[str, int] = {}
    parts = []
    for run in runs:
        name = run.resolve().name.removesuffix(".dtui").removesuffix(".h5")
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{name}-{names[name]}"
        parts.append(([run], out / f"{unique}.html"))
    return parts


def _write_one(
    runs: list[Path],
    target: Path,
    builders: Sequence[tuple[str, SectionBuilder]],
    converter: ChartConverter,
    say: Progress,
) -> tuple[int, int, list[str]]:
    """Write one file and return its size, how many charts it has, and what went wrong."""
    problems: list[str] = []
    with ExitStack() as stack:
        queries = [stack.enter_context(closing(open_run(run))) for run in runs]
        for query in queries:
            query.settle()
        report = _report(queries, builders, say, problems)
    if target.suffix.lower() == TEXT_SUFFIX:
        say(f"writing {target.name}")
        return _write(target, render_text(report)), 0, problems
    drawings: dict[str, str] = {}
    failures: dict[str, str] = {}
    for chart in report.charts():
        say(f"drawing {chart.id}")
        try:
            drawings[chart.id] = converter.draw(chart)
        except ReportError as error:
            failures[chart.id] = str(error)
    say(f"writing {target.name}")
    page = render_html(report, drawings, failures, vega_bundle(converter.bundle))
    return _write(target, page), len(drawings), [*problems, *failures.values()]


def _report(
    queries: Sequence[RunQuery], builders: Sequence[tuple[str, SectionBuilder]], say: Progress, problems: list[str]
) -> Report:
    chapters = tuple(_chapter(query, f"run{k}", builders, say, problems) for k, query in enumerate(queries, 1))
    title = chapters[0].title if len(chapters) == 1 else f"{len(chapters)} runs"
    return Report(title, chapters)


def _chapter(
    query: RunQuery, prefix: str, builders: Sequence[tuple[str, SectionBuilder]], say: Progress, problems: list[str]
) -> Chapter:
    view = View(query, prefix)
    made = []
    for name, build in builders:
        say(f"{safe(view.info.run, 40)}: {name}")
        try:
            part = build(view)
        except DtuiError as error:
            problems.append(f"section {name}: {error}")
            note = Paragraph(f"This section could not be made: {safe(str(error), 400)}")
            part = Section(f"{prefix}-{name}", name.capitalize(), "", (note,))
        if part is not None:
            made.append(part)
    return Chapter(
        id=prefix,
        title=safe(view.info.run, 120),
        status=str(view.info.status),
        invented=view.info.invented,
        facts=header_facts(view),
        sections=tuple(made),
        details=further_facts(view),
        findings=findings_of(view),
    )


def _write(target: Path, text: str) -> int:
    """Put a whole file in place, or leave what was there; return its size in bytes."""
    page = text.encode("utf-8")
    try:
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            temporary.write_bytes(page)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ReportError(f"{target}: cannot be written ({error.strerror or error}); choose another place") from error
    return len(page)
