"""Makes reports: asks the run, draws the charts, writes the file.

Owns the order of work: first a `Report` value, then its charts, then the output file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dtui.errors import DtuiError, OutputError, UsageError
from dtui.model import Incident, Verdict
from dtui.model.findings.batches import BatchAnswer
from dtui.query import RunQuery, open_run
from dtui.reports.document import Chapter, Fact, Opening, Paragraph, Report, Section
from dtui.reports.facts import findings_of, first_facts
from dtui.reports.opening import opening_of
from dtui.reports.output.brief import INCIDENTS
from dtui.reports.places import FORMATS, MARKDOWN, TEXT, Place, find_places
from dtui.reports.rendering import Renderer
from dtui.reports.sections import SectionBuilder, View, sections_named
from dtui.reports.sections.comparing import NAME as COMPARING
from dtui.reports.sections.comparing import with_comparison
from dtui.reports.since import Before, read_state, said_of, write_state
from dtui.reports.since import compare as compare_with
from dtui.safe_text import safe

__all__ = ["FORMATS", "ReportResult", "RunSummary", "build_report", "write_report"]
Progress = Callable[[str], None]
_LABELS = frozenset(("images", "confusions"))
"""Sections that ask for most labels: in a report with one of them they are read once and kept."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a report says about one run, for programs.

    Attributes:
        run: Where the run is.
        verdict: Whether a person must look, and why; None where the run could not be read far enough.
        facts: The five facts that come first.
        since_title: What the report compares with; "" for nothing.
        since: What changed since then.
        incidents: All incidents by iteration.
        classes: Names by label; data from outside.
        batches: The batch behind each incident; None where none was kept.
    """

    run: Path
    verdict: Verdict | None
    facts: tuple[Fact, ...]
    since_title: str
    since: tuple[str, ...]
    incidents: tuple[Incident, ...]
    classes: tuple[str, ...]
    batches: tuple[BatchAnswer | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What was written.

    Attributes:
        paths: The files: one for all runs, or one per run.
        bytes: Their size together.
        charts: Number of charts that were drawn.
        problems: One line for each chart or section that could not be made (the report says so in its place), and for
            what is wrong with the state of the last report.
        undrawn: Number of charts that could not be drawn, as where memory ran out; another try may draw them.
        is_printed: Whether it went to standard output, so that nothing else may be printed there.
        runs: What the reports say, one a run.
    """

    paths: tuple[Path, ...]
    bytes: int
    charts: int
    problems: tuple[str, ...]
    undrawn: int = 0
    is_printed: bool = False
    runs: tuple[RunSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    bytes: int
    charts: int
    problems: list[str]
    undrawn: int
    runs: list[RunSummary]


def write_report(
    runs: Sequence[Path],
    out: str | Path,
    *,
    format: str | None = None,
    sections: Sequence[str] | None = None,
    progress: Progress | None = None,
    compare: bool = False,
    renderer: Renderer | None = None,
) -> ReportResult:
    """Write a report of one run or several: a self-contained HTML file, a PDF, or a short text to mail or
    to paste.

    Beside a report in a file stays a small file with what it said; the next report in its place says what changed.

    Args:
        runs: At least one.
        out: A file, a pipe, a device or "-" (standard output) for one report on all runs; or a folder for one file per
            run.
        format: "html", "pdf", "text" or "markdown"; None uses the ending of a file's name, and HTML for all other
            outputs.
        sections: Names of the sections wanted; None for all, in text and Markdown for the incidents alone.
        progress: Called with a few words before each piece of work.
        compare: Whether the first run is compared with each of the others; two runs always are.
        renderer: Draws and typesets, and may do so for the next report too; None for one of its own.

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
    sections_named(sections)
    places = find_places([Path(run) for run in runs], out, format)
    with nullcontext(renderer) if renderer is not None else Renderer(say) as rendering:
        rendering.warm_up({place.format for place in places})
        results = [_write_one(place, sections, rendering, say, has_pairs=compare) for place in places]
    return ReportResult(
        paths=tuple(place.target.name for place in places),
        bytes=sum(result.bytes for result in results),
        charts=sum(result.charts for result in results),
        problems=tuple(problem for result in results for problem in result.problems),
        undrawn=sum(result.undrawn for result in results),
        is_printed=any(place.target.is_standard_output for place in places),
        runs=tuple(run for result in results for run in result.runs),
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
    say, problems = progress or (lambda _: None), list[str]()
    builders = sections_named(sections)
    made = [_chapter(query, f"run{k}", builders, say, problems, None) for k, query in enumerate(queries, 1)]
    return _report([chapter for chapter, _ in made], queries, [name for name, _ in builders], problems)


def _write_one(
    place: Place, sections: Sequence[str] | None, renderer: Renderer, say: Progress, *, has_pairs: bool
) -> _Written:
    """Write one output; the state that the next report compares with is replaced last."""
    problems: list[str] = []
    builders = sections_named(
        (INCIDENTS, COMPARING) if sections is None and place.format in (TEXT, MARKDOWN) else sections
    )
    before = None if place.target.file is None else read_state(place.target.file)
    if before is not None and before.trouble:
        problems.append(before.trouble)
    with ExitStack() as stack:
        queries = [stack.enter_context(closing(open_run(run))) for run in place.runs]
        for query in queries:
            query.settle()
        made = [_chapter(query, f"run{k}", builders, say, problems, before) for k, query in enumerate(queries, 1)]
        views = [view for _, view in made]
        summaries = [_summary(chapter, view, run) for (chapter, view), run in zip(made, place.runs, strict=True)]
        names = [name for name, _ in builders]
        report = _report([chapter for chapter, _ in made], queries, names, problems, has_pairs)
        said = [said_of(view) for view, one in zip(views, summaries, strict=True) if one.verdict is not None]
    undrawn: list[str] = []
    page, charts = renderer.render(report, place.format, is_chosen=sections is not None, problems=undrawn)
    problems += undrawn
    say(f"writing {place.target.name}")
    place.target.write(page)
    _keep(place, before, said, problems)
    return _Written(len(page), charts, problems, len(undrawn), summaries)


def _keep(place: Place, before: Before | None, said: Sequence[dict[str, Any]], problems: list[str]) -> None:
    """Replace the state beside a report."""
    if place.target.file is None or before is None:
        return
    try:
        write_state(place.target.file, said)
    except OutputError as error:
        problems.append(f"{error}; the next report will compare with the one before this")


def _summary(chapter: Chapter, view: View, run: Path) -> RunSummary:
    opening, images = chapter.opening, view.query.image_set()
    title, since = ("", ()) if opening is None else (opening.since_title, opening.since)
    classes = () if images is None else images.classes
    try:
        batches = view.query.incident_batches(view.incidents)
        return RunSummary(run, view.verdict, chapter.facts, title, since, view.incidents, classes, batches)
    except DtuiError:  # as the chapter says
        return RunSummary(run, None, (), title, since, (), classes)


def _report(
    chapters: Sequence[Chapter],
    queries: Sequence[RunQuery],
    sections: Sequence[str],
    problems: list[str],
    has_pairs: bool = False,
) -> Report:
    """Return the document; the chapter that compares runs comes first."""
    title = chapters[0].title if len(chapters) == 1 else f"{len(chapters)} runs"
    return Report(title, with_comparison(chapters, queries, sections, has_pairs, problems))


def _chapter(
    query: RunQuery,
    prefix: str,
    builders: Sequence[tuple[str, SectionBuilder]],
    say: Progress,
    problems: list[str],
    before: Before | None,
) -> tuple[Chapter, View]:
    view = View(query, prefix, tuple(name for name, _ in builders))
    with query.keeping_pictures(), query.keeping_labels() if _LABELS.intersection(view.shown) else nullcontext():
        made = _sections(view, builders, say, problems)
        facts, opening = _first_screen(view, problems, before)
    query.free()
    chapter = Chapter(
        id=prefix,
        title=safe(view.info.run, 120),
        status=str(view.info.status),
        invented=view.info.invented,
        facts=facts,
        sections=tuple(made),
        findings=findings_of(view),
        recorded=safe(view.query.metadata().created, 40),
        opening=opening,
    )
    return chapter, view


def _sections(
    view: View, builders: Sequence[tuple[str, SectionBuilder]], say: Progress, problems: list[str]
) -> list[Section]:
    """Return the sections that have something to show; one that fails says so in its place."""
    made = []
    for name, build in builders:
        say(f"{safe(view.info.run, 40)}: {name}")
        try:
            part = build(view)
        except DtuiError as error:
            problems.append(f"section {name}: {error}")
            note = Paragraph(f"This section could not be made: {safe(str(error), 400)}")
            part = Section(f"{view.prefix}-{name}", name.capitalize(), "", (note,))
        if part is not None:
            made.append(replace(part, command=_command(view, name)))
        view.query.free()  # the next section asks for other numbers
    return made


def _command(view: View, name: str) -> str:
    """Return the command that shows a section in the terminal; "" where the run cannot be read far enough."""
    try:
        return view.command_of(name)
    except DtuiError:
        return ""


def _first_screen(view: View, problems: list[str], before: Before | None) -> tuple[tuple[Fact, ...], Opening | None]:
    """Return the facts and the verdict; nothing where the run cannot be read far enough, which `problems` tells."""
    try:
        title, since = ("", ()) if before is None else compare_with(before, view)
        return first_facts(view), opening_of(view, title, since)
    except DtuiError as error:
        problems.append(f"verdict: {error}")
        return (), Opening("unsure", f"No verdict: {safe(str(error), 400)}")
