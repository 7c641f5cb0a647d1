"""The curves on top of every screen: errors, or the loss, over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import Curves as CurveValues
from dtui.model import TimeAxis
from dtui.query import RunQuery
from dtui.safe_text import safe
from dtui.tui.renderables.panes.curves import MOST_CURVES, TITLE, CursorValues, CurvesPicture
from dtui.tui.renderables.panes.message import reading
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.curve_words import leading_words
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection


@dataclass(frozen=True, slots=True)
class CurvesOptions:
    """The choices of this pane: whether the scale is logarithmic, and the names of the curves; none for the errors."""

    log_scale: bool = False
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CurvesQuestion(Question[CurveValues]):
    """Every curve over time."""

    axis: TimeAxis
    about = "curves"

    def ask(self, query: RunQuery) -> CurveValues:
        """Return them."""
        return query.curves(self.axis)


@dataclass(frozen=True, slots=True)
class ValuesQuestion(Question[CursorValues]):
    """Every curve's exact value at the cursor."""

    iteration: int
    about = "values"

    def ask(self, query: RunQuery) -> CursorValues:
        """Return them."""
        return CursorValues(self.iteration, query.curves_at(self.iteration))


class Curves(Pane):
    """Error curves."""

    name = "curves"
    title = TITLE
    actions = (
        Action("curves", ("e",), "curves", "Draw the next curve; : adds or removes one by name.", SHOWN),
        Action("log_scale", ("Y",), "log scale", "Curves on a logarithmic scale, or not.", SHOWN),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Change the curves and their scale."""
        return {
            "curves": cycling(CurvesOptions, "chosen", lambda scene: ((), *((name,) for name in _others(scene)))),
            "log_scale": cycling(CurvesOptions, "log_scale", (False, True)),
        }

    def height(self, scene: Scene) -> int:
        """Return the rows for curves on a screen of this height."""
        return scene.layout.curves

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the values at the cursor, which the ribbon shows where curves have no room, and for the curves."""
        yield ValuesQuestion(scene.selection.cursor)
        if self.height(scene):
            yield CurvesQuestion(scene.axis)

    def picture(self, scene: Scene) -> Picture:
        """Return the curves."""
        curves, view = scene.answers.get(CurvesQuestion), scene.view
        if curves is None:
            return reading("the curves", self.title)
        options, values = scene.selection.get(CurvesOptions), scene.answers.get(ValuesQuestion)
        is_judged = view.info.judging is not None
        return CurvesPicture(curves, view.stages, options.log_scale, values, view.info.joins, options.chosen, is_judged)

    def said(self, before: Selection, scene: Scene) -> str:
        """Say which curves are drawn, and on which scale: the screen may be too low for them."""
        old, new = before.get(CurvesOptions), scene.selection.get(CurvesOptions)
        if old.log_scale != new.log_scale:
            return f"curves on a {'logarithmic' if new.log_scale else 'linear'} scale"
        if old.chosen == new.chosen:
            return ""
        return f"curves: {', '.join(safe(name, 40) for name in new.chosen) or 'errors'}"

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return every curve, the mean of each column."""
        curves = scene.answers.get(CurvesQuestion)
        if curves is None:
            return None
        return over_time("curves, means", curves.axis, tuple(curves.series), tuple(curves.series.values()))

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer each curve."""
        curves = scene.answers.get(CurvesQuestion)
        for name in curves.series if curves is not None else ():
            yield (
                f"curve {safe(name.replace('_', ' '))}",
                "Draw this curve too, or no longer.",
                partial(_toggle, name=name),
            )


def reading_without_curves(scene: Scene) -> str:
    """Return the curve chosen last, or the error, or the loss, at the cursor in words; "" where there are curves."""
    values, chosen = scene.answers.get(ValuesQuestion), scene.selection.get(CurvesOptions).chosen
    if scene.layout.curves or values is None:
        return ""
    return leading_words(values.values, chosen, is_judged=scene.view.info.judging is not None)


def _others(scene: Scene) -> list[str]:
    """Return the names of the curves that are not drawn by default."""
    curves, values = scene.answers.get(CurvesQuestion), scene.answers.get(ValuesQuestion)
    names = list(curves.series if curves is not None else values.values if values is not None else ())
    errors = [name for name in names if name.endswith("_error")]
    return [name for name in names if name not in (errors or ["loss"])]


def _toggle(scene: Scene, name: str) -> Selection:
    """Return the selection with a curve added, or taken away; the oldest gives way if there are too many."""
    options, curves = scene.selection.get(CurvesOptions), scene.answers.get(CurvesQuestion)
    shown = list(options.chosen) or (CurvesPicture(curves).plotted if curves is not None else [])
    shown = [other for other in shown if other != name] if name in shown else [*shown, name][-MOST_CURVES:]
    return scene.selection.put(replace(options, chosen=tuple(shown)))
