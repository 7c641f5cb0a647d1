"""Turns a report into the bytes of a format.

Owns the child processes that draw and typeset: each is started when the first report needs it, and serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeVar

from dtui.errors import ReportError
from dtui.reports.document import Chart, Report
from dtui.reports.output.bundle import vega_bundle
from dtui.reports.output.convert import ChartConverter
from dtui.reports.output.html import render_html
from dtui.reports.output.mail import render_mail
from dtui.reports.output.markdown import render_markdown
from dtui.reports.output.pdf import Typesetter, require_pdf
from dtui.reports.output.text import render_text
from dtui.reports.places import DRAWN, MARKDOWN, PDF, TEXT

_Drawing = TypeVar("_Drawing")


class Renderer:
    """Renders reports one after another."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Set what is called with a few words before each piece of work."""
        self._say = say
        self._converter = ChartConverter()
        self._typesetter = Typesetter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._converter.close()
        self._typesetter.close()

    def warm_up(self, formats: set[str]) -> None:
        """Make ready for some formats while the runs are read.

        Raises:
            MissingExtraError: A PDF is wanted, and what makes one is not installed.
            ReportError: Charts are wanted, and Python was told to leave docstrings out.
        """
        if PDF in formats:
            require_pdf()
        if formats & DRAWN:
            if __doc__ is None:
                raise ReportError(
                    "charts cannot be drawn by python -OO (PYTHONOPTIMIZE=2), for their library reads its docstrings; "
                    "leave that out, or use -o OUT.txt"
                )
            self._converter.warm_up()

    def render(self, report: Report, format: str, *, is_chosen: bool, problems: list[str]) -> tuple[bytes, int]:
        """Return the report in a format, and how many charts it has.

        Args:
            report: What to show.
            format: One of `dtui.reports.places.FORMATS`.
            is_chosen: Whether somebody chose its sections: text is then more than what fits a mail.
            problems: Gets a line for each chart that could not be drawn.

        Raises:
            ReportError: A PDF could not be made.
        """
        if format == MARKDOWN:
            return render_markdown(report).encode("utf-8"), 0
        if format == TEXT:
            return (render_text if is_chosen else render_mail)(report).encode("utf-8"), 0
        failures: dict[str, str] = {}
        if format == PDF:
            printed = self._drawn(report, self._converter.draw_on_paper, failures)
            problems += failures.values()
            self._say("typesetting")
            return self._typesetter.render(report, printed, failures), len(printed)
        drawings = self._drawn(report, self._converter.draw, failures)
        problems += failures.values()
        page = render_html(report, drawings, failures, vega_bundle(self._converter.bundle))
        return page.encode("utf-8"), len(drawings)

    def _drawn(
        self, report: Report, draw: Callable[[Chart], _Drawing], failures: dict[str, str]
    ) -> dict[str, _Drawing]:
        """Return the charts that could be drawn, by id; add to `failures` why the others could not."""
        drawings = {}
        for chart in report.charts():
            self._say(f"drawing {chart.id}")
            try:
                drawings[chart.id] = draw(chart)
            except ReportError as error:
                failures[chart.id] = str(error)
        return drawings
