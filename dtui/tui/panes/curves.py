"""The curves on top of every screen: errors, or the loss, over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dtui.model import Curves as CurveValues
from dtui.model import TimeAxis
from dtui.query import RunQuery
from dtui.tui.renderables.panes.curves import TITLE, CursorValues, CurvesPicture
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.questions import Question


@dataclass(frozen=True, slots=True)
class CurvesOptions:
    """The choice of this pane: whether the scale is logarithmic."""

    log_scale: bool = False


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
    actions = (Action("log_scale", ("Y",), "log scale", "Error curves on a logarithmic scale, or not.", SHOWN),)

    @property
    def steps(self) -> Mapping[str, Step]:
        """Change the scale."""
        return {"log_scale": cycling(CurvesOptions, "log_scale", (False, True))}

    def height(self, scene: Scene) -> int:
        """Return the rows for curves on a screen of this height."""
        return scene.layout.curves

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the curves, their values at the cursor first."""
        if self.height(scene):
            yield ValuesQuestion(scene.selection.cursor)
            yield CurvesQuestion(scene.axis)

    def picture(self, scene: Scene) -> Picture:
        """Return the curves."""
        curves, view = scene.answers.get(CurvesQuestion), scene.view
        if curves is None:
            return MessagePicture(title=self.title)
        log_scale, values = scene.selection.get(CurvesOptions).log_scale, scene.answers.get(ValuesQuestion)
        return CurvesPicture(curves, view.stages, log_scale, values, view.info.joins)
