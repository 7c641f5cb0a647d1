"""Makes reports: asks the run, draws the charts, writes the file.

Owns the order of work: first a `Report` value, then its charts, then the output file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dtui.errors import DtuiError, ReportError, UsageError
from dtui.output import OutputTarget, find_target
from dtui.query import RunQuery, open_run
from dtui.reports.document import Chapter, Chart, Paragraph, Report, Section
from dtui.reports.facts import findings_of, further_facts, header_facts
from dtui.reports.output.bundle import vega_bundle
from dtui.reports.output.convert import ChartConverter
from dtui.reports.output.html import render_html
from dtui.reports.output.pdf import Typesetter, require_pdf
from dtui.reports.output.text import render_text
from dtui.reports.sections import SectionBuilder, View, sections_named
from dtui.safe_text import safe

Progress = Callable[[str], None]
_Drawing = TypeVar("_Drawing")
HTML, PDF, TEXT = "html", "pdf", "text"
FORMATS = {HTML: (".html", ".htm"), PDF: (".pdf",), TEXT: (".txt",)}
"""Name of a format to the endings of file names that stand for it; the first is that of the files in a folder."""


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What was written.

    Attributes:
        paths: The files: one for all runs, or one per run.
        bytes: Their size together.
        charts: Number of charts that were drawn.
        problems: One line for each chart or section that could not be made; the report says so in its place.
    """

    paths: tuple[Path, ...]
    bytes: int
    charts: int
    problems: tuple[str, ...]
    is_printed: bool = False
    """Whether it went to standard output, so that nothing else may be printed there."""


def write_report(
    runs: Sequence[Path],
    out: str | Path,
    *,
    format: str | None = None,
    sections: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> ReportResult:
    """Write a report of one run or several: a self-contained HTML file, a PDF, or plain text without
    pictures.

    Args:
        runs: At least one.
        out: A file, a pipe, a device or "-" (standard output) for one report on all runs; or a folder for one file per
            run.
        format: "html", "pdf" or "text"; None uses the ending of a file's name, and HTML for all other outputs.
        sections: Names of the sections wanted; None for all.
        progress: Called with a few words before each piece of work.

    Raises:
        UsageError: No run was given, there is no section with such a name, or the ending of `out` is not a known
            format.
        RunNotFoundError: One of `runs` is no run.
        RunFormatError: One was written by a newer dtui.
        RunDamagedError: One cannot be read at all.
        OutputError: `out` cannot be written.
        MissingExtraError: A PDF is wanted, and what makes one is not installed.
        ReportError: The PDF could not be made.
    """
    say = progress or (lambda _: None)
    if not runs:
        raise UsageError("report: no run was given; name at least one")
    builders = sections_named(sections)
    documents = _documents([Path(run) for run in runs], out, format)
    formats = {document.format for document in documents}
    if PDF in formats:
        require_pdf()
    with ChartConverter() as converter, Typesetter() as typesetter:
        if formats - {TEXT}:
            converter.warm_up()
        tools = _Tools(builders, converter, typesetter, say)
        results = [_write_one(document, tools) for document in documents]
    return ReportResult(
        paths=tuple(document.target.name for document in documents),
        bytes=sum(result[0] for result in results),
        charts=sum(result[1] for result in results),
        problems=tuple(problem for result in results for problem in result[2]),
        is_printed=any(document.target.is_standard_output for document in documents),
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
        UsageError: There is no section with such a name.
    """
    return _report(queries, sections_named(sections), progress or (lambda _: None), [])


@dataclass(frozen=True, slots=True)
class _Document:
    """One output: its runs, its target and its format."""

    runs: list[Path]
    target: OutputTarget
    format: str


def _documents(runs: list[Path], out: str | Path, format: str | None) -> list[_Document]:
    if not (str(out) and Path(out).is_dir()):
        target = find_target(out)
        return [_Document(runs, target, format or _format_of(target))]
    made = format or HTML
    names: dict[str, int] = {}
    documents = []
    for run in runs:
        name = run.resolve().name.removesuffix(".dtui").removesuffix(".h5")
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{name}-{names[name]}"
        documents.append(_Document([run], find_target(Path(out) / f"{unique}{FORMATS[made][0]}"), made))
    return documents


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
        f"{target.name}: the name {found}; a report is HTML (.html), PDF (.pdf) or plain text (.txt): "
        f"write {better}, or say which with --format"
    )


@dataclass(frozen=True, slots=True)
class _Tools:
    """What makes each of the outputs."""

    builders: Sequence[tuple[str, SectionBuilder]]
    converter: ChartConverter
    typesetter: Typesetter
    say: Progress


def _write_one(document: _Document, tools: _Tools) -> tuple[int, int, list[str]]:
    """Write one output and return its size, how many charts it has, and what went wrong."""
    problems: list[str] = []
    with ExitStack() as stack:
        queries = [stack.enter_context(closing(open_run(run))) for run in document.runs]
        for query in queries:
            query.settle()
        report = _report(queries, tools.builders, tools.say, problems)
    failures: dict[str, str] = {}
    drawn = 0
    if document.format == TEXT:
        page = render_text(report).encode("utf-8")
    elif document.format == PDF:
        printed = _drawn(report, tools.converter.draw_on_paper, tools.say, failures)
        tools.say("typesetting")
        page, drawn = tools.typesetter.render(report, printed, failures), len(printed)
    else:
        drawings = _drawn(report, tools.converter.draw, tools.say, failures)
        bundle = vega_bundle(tools.converter.bundle)
        page, drawn = render_html(report, drawings, failures, bundle).encode("utf-8"), len(drawings)
    tools.say(f"writing {document.target.name}")
    document.target.write(page)
    return len(page), drawn, [*problems, *failures.values()]


def _drawn(
    report: Report, draw: Callable[[Chart], _Drawing], say: Progress, failures: dict[str, str]
) -> dict[str, _Drawing]:
    """Return the charts that could be drawn, by id; add to `failures` why the others could not."""
    drawings = {}
    for chart in report.charts():
        say(f"drawing {chart.id}")
        try:
            drawings[chart.id] = draw(chart)
        except ReportError as error:
            failures[chart.id] = str(error)
    return drawings


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
        recorded=safe(view.query.metadata().created, 40),
    )
