"""The panes of the inner screen that puts the open run beside another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.errors import DtuiError
from dtui.model import TimeAxis
from dtui.model.compare import Alignment, Comparison, Divergence, Measure, PairedColumns
from dtui.safe_text import safe
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.panes.runs.comparing import TITLE, ComparingPicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import next_of
from dtui.tui.state.navigate import shown as in_window
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.places.remark import Remark
from dtui.tui.state.questions import OthersQuestion, Question
from dtui.tui.state.selection import Selection

if TYPE_CHECKING:
    from dtui.query.compare.others import Others, Wanted

SCREEN = "Compare"
CURVES = ("validation_error", "train_error", "loss")
"""What the head overlays: the first that both logged."""


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """The choices of this screen; they stay when another run is opened.

    Attributes:
        other: Path of the other run.
        alignment: How moments are paired.
        measure: What layers are compared by.
        is_paired: Whether a row shows both runs, too; None where the room decides.
        by_distance: Whether rows are sorted by distance, else in the order of the network.
        rows: Name of the selected row, by its kind.
        is_seen: Whether the first divergence has been gone to.
    """

    other: str = ""
    alignment: Alignment = Alignment.ITERATION
    measure: Measure = Measure.UPDATES
    is_paired: bool | None = None
    by_distance: bool = True
    rows: tuple[tuple[str, str], ...] = ()
    is_seen: bool = False
    is_of_all_runs: ClassVar[bool] = True

    @property
    def wanted(self) -> Wanted:
        """What the two runs are asked for."""
        from dtui.query.compare.others import Wanted

        return Wanted(self.other, self.alignment, self.measure)

    def at_row(self, kind: str, name: str) -> CompareOptions:
        """Return the options with another selected row of a kind."""
        return replace(self, rows=(*((own, kept) for own, kept in self.rows if own != kind), (kind, name)))


FoundT = TypeVar("FoundT")


@dataclass(frozen=True, eq=False, slots=True)
class Found(Generic[FoundT]):
    """An answer about two runs, with what was wanted: an answer about another pair is not shown."""

    wanted: Wanted
    value: FoundT


@dataclass(frozen=True, slots=True)
class CompareQuestion(OthersQuestion[Found[Comparison | str]]):
    """The open run beside another; or why they cannot be compared."""

    wanted: Wanted
    about = "comparison"

    def ask_others(self, others: Others) -> Found[Comparison | str]:
        """Return it."""
        try:
            return Found(self.wanted, others.comparison(self.wanted))
        except DtuiError as error:
            return Found(self.wanted, safe(str(error), 400))


@dataclass(frozen=True, slots=True)
class CurveColumnsQuestion(OthersQuestion[Found[PairedColumns]]):
    """One curve of both over an axis."""

    wanted: Wanted
    curve: int
    axis: TimeAxis
    about = "curves of both"

    def ask_others(self, others: Others) -> Found[PairedColumns]:
        """Return it as one row."""
        from dtui.query.compare.pairs import columns_of

        curve = others.comparison(self.wanted).curves[self.curve]

        return Found(self.wanted, columns_of(curve, (0,), self.axis))


class CurveNowQuestion(CurveColumnsQuestion):
    """Its exact values at the cursor: the axis is one column of one iteration."""

    about = "curves of both at the cursor"


def begin_comparing(scene: Scene, other: str) -> Selection:
    """Return the selection on the screen that compares, with another run."""
    options = replace(scene.selection.get(CompareOptions), other=other, rows=(), is_seen=False)
    return scene.at(scene.selection.put(options)).opened(SCREEN)


def found_in(scene: Scene) -> Comparison | str | None:
    """Return the comparison at hand: of these two runs, or why there is none; None while it is made."""
    if scene.selection.run not in (None, scene.view.path):
        return None
    return value_of(scene, CompareQuestion)


def value_of(scene: Scene, kind: type[Question[Found[FoundT]]]) -> FoundT | None:
    """Return the last answer of a kind, if it is about the run that is compared with; else None."""
    found, other = scene.answers.get(kind), scene.selection.get(CompareOptions).other
    return found.value if found is not None and other and found.wanted.other == other else None


def moment_of(scene: Scene) -> TimeAxis:
    """Return the axis of one column that is the iteration under the crosshair."""
    return TimeAxis(scene.selection.cursor, scene.selection.cursor + 1, 1)


def _to_divergence(scene: Scene, by: int) -> Selection:
    """Return the selection on the next or previous divergence; at the ends it stays."""
    found = found_in(scene)
    if not isinstance(found, Comparison):
        return scene.selection
    at, cursor = [one.iteration for one in found.divergences], scene.selection.cursor
    places = [place for place, iteration in enumerate(at) if (iteration > cursor if by > 0 else iteration < cursor)]
    if not places:
        return scene.selection
    return _on(scene, found.divergences[places[0] if by > 0 else places[-1]])


def _on(scene: Scene, one: Divergence) -> Selection:
    """Return the selection on a divergence, with the rows that part selected."""
    options = scene.selection.get(CompareOptions)
    for kind in ("layer", "class"):
        if one.of(kind):
            options = options.at_row(kind, one.of(kind)[0].name)
    return in_window(scene.selection.put(options).with_cursor(one.iteration), scene)


STEPS: Mapping[str, Step] = {
    "entry_next": partial(_to_divergence, by=1),
    "entry_previous": partial(_to_divergence, by=-1),
}


def _cycle_alignment(scene: Scene) -> Selection:
    found, options = found_in(scene), scene.selection.get(CompareOptions)
    among = found.alignments if isinstance(found, Comparison) else tuple(Alignment)
    return scene.selection.put(replace(options, alignment=next_of(among, options.alignment)))


class Comparing(Pane):
    """The head: where they part, what differs, their incidents and errors."""

    name = "comparing"
    title = TITLE
    actions = (Action("alignment", ("d",), "align by", "Compare by iteration, epoch or share of the run.", SHOWN),)
    bar = ((("entry_next", "entry_previous"), "divergence"), (("alignment",), "align by"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Go from divergence to divergence, and align in another way."""
        return {**STEPS, "alignment": _cycle_alignment}

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the comparison, then for its curves."""
        options, found = scene.selection.get(CompareOptions), found_in(scene)
        if scene.selection.run not in (None, scene.view.path) or not options.other:
            return
        yield CompareQuestion(options.wanted)
        curve = _curve_of(found)
        if curve is not None:
            yield CurveColumnsQuestion(options.wanted, curve, scene.axis)
            yield CurveNowQuestion(options.wanted, curve, moment_of(scene))

    def needed(self, scene: Scene) -> int:
        """Return the rows of its words and marks, and some for the curves."""
        return 16

    def picture(self, scene: Scene) -> Picture:
        """Return the head, or why there is none."""
        found = found_in(scene)
        if found is None:
            return MessagePicture("Comparing …", "both runs are read once", self.title)
        if isinstance(found, str):
            return MessagePicture("These runs cannot be compared", found, self.title)
        at = [one.iteration for one in found.divergences]
        current = sum(iteration <= scene.selection.cursor for iteration in at) - 1
        place, columns = _curve_of(found), value_of(scene, CurveColumnsQuestion)
        name = "" if place is None else found.curves[place].measure
        now = value_of(scene, CurveNowQuestion)
        return ComparingPicture(found, current, columns if place is not None else None, name, now)

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return the other run."""
        other = scene.selection.get(CompareOptions).other
        return {"others": (Path(other).absolute(),)} if other else {}

    def follow(self, scene: Scene, place: Mapping[str, Any]) -> tuple[Selection, Remark | None]:
        """Compare with the other run that was named; without one go back, and say how to name it."""
        other = next((path for path in scene.view.given if path != scene.view.path), None)
        if other is None:
            said = "to compare, name two runs: dtui A B --screen compare"
            return scene.selection.gone_back(), Remark(said, said)
        options = replace(scene.selection.get(CompareOptions), other=other, is_seen=place["at"] is not None)
        return scene.selection.put(options), None

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return what parts, and when."""
        found = found_in(scene)
        if not isinstance(found, Comparison):
            return None
        rows = [
            [one.iteration, one.iteration_b, one.kind, one.name, one.measure, one.a, one.b, one.distance]
            for divergence in found.divergences
            for one in divergence.partings
        ]
        columns = ("iteration", "iteration of B", "kind", "name", "measure", "A", "B", "distance")
        return Numbers(f"A {found.infos[0].run}, B {found.infos[1].run}: {found.verdict}", columns, rows)

    def answered(self, scene: Scene, question: Question[Any], answer: Any) -> Selection:
        """Go to the first divergence when two runs have been compared for the first time."""
        options = scene.selection.get(CompareOptions)
        if not isinstance(question, CompareQuestion) or options.is_seen or question.wanted.other != options.other:
            return scene.selection
        seen = scene.at(scene.selection.put(replace(options, is_seen=True)))
        found = answer.value
        is_parted = isinstance(found, Comparison) and found.divergences
        return _on(seen, found.divergences[0]) if is_parted else seen.selection

    def said(self, before: Selection, scene: Scene) -> str:
        """Say what cannot be seen otherwise."""
        was, options = before.get(CompareOptions), scene.selection.get(CompareOptions)
        if was.other != options.other:
            return ""
        if was.alignment is not options.alignment:
            return f"compared by {options.alignment.words}"
        if was.by_distance is not options.by_distance:
            return "farthest apart first" if options.by_distance else "in the order of the network"
        return f"layers compared by {options.measure}" if was.measure is not options.measure else ""


def _curve_of(found: Comparison | str | None) -> int | None:
    if not isinstance(found, Comparison):
        return None
    names = [rows.measure for rows in found.curves]
    return next((names.index(name) for name in CURVES if name in names), None)
