"""Writes a report as at most 40 lines of plain text a run, for mail and logs."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.number_text import counted
from dtui.reports.document import Chapter, Report
from dtui.reports.output.brief import Line, incident_lines, told_first, worst_numbers
from dtui.reports.output.text import chapter_lines, padded, wrapped
from dtui.safe_text import text_columns

WIDTH = 78
MOST_LINES = 40
MOST_REMARKS = 6
MOST_SINCE = 7
MOST_FINDINGS = 6
MOST_TOLD = 3
"""Lines of what happened in an incident."""
MOST_FACTS = 7
"""Lines of them; the details of a long fact stand below it while there is room."""


def render_mail(report: Report) -> str:
    """Return the verdict, the facts, what changed and the incidents, at most MOST_LINES lines a run.

    Args:
        report: What to show; its names are harmless to show already.

    Returns:
        Text that ends with a line break; the same for the same report.

    Source: dtui.
    """
    chapters = [_chapter(one) if one.opening is not None else chapter_lines(one) for one in report.chapters]
    return "\n\n".join("\n".join(lines) for lines in chapters) + "\n"


def _chapter(chapter: Chapter) -> list[str]:
    title = _cut(f"{chapter.title} ({chapter.status})", WIDTH)
    lines = [title, "=" * text_columns(title)]
    if chapter.invented:
        lines.append("INVENTED: no training made this run; its numbers were made up.")
    opening = chapter.opening
    if opening is not None:
        remarks = [line for remark in told_first(opening) for line in _wrapped(remark, "  ")]
        lines += [*_wrapped(opening.headline), *_most(remarks, MOST_REMARKS)]
    lines += ["", *_facts(chapter)]
    findings = [line for finding in chapter.findings for line in _wrapped(f"! {finding}", "  ")[:3]]
    lines += _most(findings, MOST_FINDINGS)
    if opening is not None and opening.since_title:
        since = [line for change in opening.since for line in _wrapped(f"  {change}", "    ")]
        lines += ["", *_wrapped(f"{opening.since_title}{':' if since else ''}"), *_most(since, MOST_SINCE)]
    found = incident_lines(chapter)
    if found:
        lines += ["", *_incidents(found, worst_numbers(chapter), MOST_LINES - len(lines) - 1)]
    return lines[:MOST_LINES]


def _facts(chapter: Chapter) -> list[str]:
    widest = max((text_columns(fact.name) for fact in chapter.facts), default=0)
    lines, room = [], MOST_FACTS - len(chapter.facts)
    for fact in chapter.facts:
        head, detail = f"{padded(fact.name, widest)}  {fact.value}", f"({fact.detail})" if fact.detail else ""
        is_parted = len(head) + 2 + len(detail) > WIDTH and room > 0
        room -= is_parted
        lines += [head, " " * (widest + 2) + detail] if is_parted else [f"{head}  {detail}".rstrip()]
    return [_cut(line, WIDTH) for line in lines]


def _incidents(found: Sequence[Line], worst: Sequence[int], room: int) -> list[str]:
    """Return the incidents in the order of time: with what to look at next, or without, or else only the worst."""
    widest = max(len(line.at) for line in found)
    for has_next in (True, False):
        written = {line.number: _incident(line, widest, has_next) for line in found}
        if sum(map(len, written.values())) <= room:
            return [text for line in found for text in written[line.number]]
    kept: set[int] = set()
    left = room - 1
    for number in dict.fromkeys((*(number for number in worst if number in written), *written)):
        if len(written[number]) > left:
            break
        kept.add(number)
        left -= len(written[number])
    more = len(found) - len(kept)
    lines = [text for line in found if line.number in kept for text in written[line.number]]
    return [*lines, f"and {counted(more, 'more incident')}"]


def _incident(line: Line, widest: int, has_next: bool) -> list[str]:
    head = f"{line.at.rjust(widest)}  "
    text = f"{line.text}{f' [{line.remark}]' if line.remark else ''}"
    step = _wrapped(f"{' ' * len(head)}next: {line.next_step}", " " * len(head)) if has_next and line.next_step else []
    told = _wrapped(head + text, " " * len(head))
    return [*told[: MOST_TOLD - 1], *_shortened(told[MOST_TOLD - 1 :]), *step[:2]]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrapped(text, indent, WIDTH) or [""]


def _most(lines: Sequence[str], most: int) -> list[str]:
    return list(lines) if len(lines) <= most else [*lines[: most - 1], "…"]


def _shortened(lines: Sequence[str]) -> list[str]:
    """Return the first of the lines, with a mark where others are left out."""
    return [f"{lines[0][: WIDTH - 1]}…"] if len(lines) > 1 else list(lines)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
