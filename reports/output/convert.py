"""Draws charts as SVG text in a child process that may die.

Owns what is asked of that process, and the ids in what it answers.
"""

from __future__ import annotations

import re
import sys
from itertools import count
from typing import Self

from dtui.reports.charts import theme
from dtui.reports.document import Chart, Pieces, Spec
from dtui.reports.output.child import TIME_LIMIT_SECONDS, Child

_IDENTIFIER = re.compile(r'\bid="([^"]+)"')


class ChartConverter:
    """Draws charts one after another; a failed chart does not affect the next one.

    The child starts with the first chart, or earlier when `warm_up` is called.
    """

    def __init__(self, time_limit_seconds: float = TIME_LIMIT_SECONDS, command: tuple[str, ...] = ()) -> None:
        """Set the limits.

        Args:
            time_limit_seconds: For one chart.
            command: Command to start in place of the drawing module.
        """
        drawing = (sys.executable, "-P", "-m", "dtui.reports.output.drawing_child")
        self._child = Child(command or drawing, time_limit_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Start the child early, so that it is ready for the first chart."""
        self._child.warm_up()

    def close(self) -> None:
        """End the child; a second call does nothing."""
        self._child.close()

    def draw(self, chart: Chart) -> str:
        """Return a chart as SVG text, the same text for the same chart in every process.

        Raises:
            ReportError: It cannot be drawn: the specification is refused, the time limit has passed, or the
                child has died.
        """
        return self._draw(chart.spec, chart.mode, chart.id, chart.id)

    def draw_on_paper(self, chart: Chart) -> tuple[Pieces, ...]:
        """Return a chart as it is printed: SVG texts in pieces, each of which fits a page.

        Raises:
            ReportError: As `draw`.
        """
        numbers = count()

        def drawn(spec: Spec | str | None) -> str | None:
            if spec is None or isinstance(spec, str):
                return spec
            return self._draw(spec, chart.mode, chart.id, f"{chart.id}-{next(numbers)}")

        if chart.paper is None:
            return (Pieces((str(drawn({**chart.spec, "width": theme.PAPER_PLOT})),)),)
        return tuple(
            Pieces(tuple(str(drawn(part)) for part in one.parts), drawn(one.head), drawn(one.foot))
            for one in chart.paper()
        )

    def bundle(self) -> str:
        """Return the JavaScript that draws charts in a browser.

        Raises:
            ReportError: The child cannot make it.
        """
        return str(self._child.ask({"bundle": True}, "the JavaScript of the charts", "made")["result"])

    def _draw(self, spec: Spec, mode: str, name: str, prefix: str) -> str:
        answer = self._child.ask({"draw": spec, "mode": mode}, f"chart {name}", "drawn")
        return renumbered(str(answer["result"]), prefix)


def renumbered(svg: str, prefix: str) -> str:
    """Return SVG text with ids that begin with `prefix` and count from 0.

    Vega numbers its clip paths over the life of a process. Without new numbers, ids could clash within one page and
    would differ from one report to the next.
    """
    numbers = {name: f"{prefix}-{k}" for k, name in enumerate(dict.fromkeys(_IDENTIFIER.findall(svg)))}
    if not numbers:
        return svg
    names = "|".join(re.escape(name) for name in sorted(numbers, key=len, reverse=True))
    pattern = re.compile(rf'(\bid="|url\(#|href="#)({names})(?=["\)])')
    return pattern.sub(lambda found: found[1] + numbers[found[2]], svg)
