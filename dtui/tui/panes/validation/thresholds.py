"""The pane of the advisor table: what each threshold of anomalies marks; Enter uses one and lists its anomalies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.errors import NotRecordedError
from dtui.model import AnomalySettings
from dtui.model.findings.advice import ThresholdAdvice, ThresholdRow, density_words
from dtui.model.findings.evidence import DEFAULT_WINDOW
from dtui.model.findings.review import ANOMALIES
from dtui.model.judging import as_groups
from dtui.query import RunQuery
from dtui.tui.panes.rows import ListPane
from dtui.tui.renderables.panes.message import reading, refused, wrap
from dtui.tui.renderables.panes.validation.thresholds import TITLE, ThresholdsPicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import BarItem
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.review.entry_steps import switch_listing
from dtui.tui.state.selection import Selection


@dataclass(frozen=True, slots=True)
class ThresholdOptions:
    """The selected threshold; None before one is chosen."""

    chosen: float | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """The thresholds, and how dense anomalies are in the stages of the learning rate, as a sentence."""

    thresholds: ThresholdAdvice
    density: str


@dataclass(frozen=True, slots=True)
class AdviceQuestion(Question[Advice | str]):
    """What each threshold marks; why that cannot be told, where there are too few validations."""

    about = "what thresholds mark"
    is_slow = True

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Read labels."""
        return query.prepare_anomalies(AnomalySettings(), seconds)

    def ask(self, query: RunQuery) -> Advice | str:
        """Return it."""
        try:
            return Advice(query.advise(), density_words(query.anomaly_density()))
        except NotRecordedError as error:
            return str(error).removeprefix(f"{query.path}: ")


class Thresholds(ListPane):
    """A row for each threshold, the proposed one selected first."""

    name = "advisor"
    title = TITLE
    has_time = False
    bar = ((("fold_toggle",), "use it"),)

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return the key that uses a threshold, where there are some."""
        return self.bar if self.items(scene) else ()

    def needed(self, scene: Scene) -> int:
        """Return the rows of the table and of the sentences below; all, where it is not known."""
        said, room = self._said(scene), max(1, scene.size[0] - 4)
        return 3 + len(self.items(scene)) + sum(len(wrap(one, room)) for one in said) if said else scene.size[1]

    def picked(self, scene: Scene) -> tuple[ThresholdAdvice, float] | None:
        """Return the table and the selected threshold; None where there is no table."""
        found, items = scene.answers.get(AdviceQuestion), self.items(scene)
        return (found.thresholds, items[self.place(scene, items)].threshold) if isinstance(found, Advice) else None

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the table."""
        if self.height(scene):
            yield AdviceQuestion()

    def picture(self, scene: Scene) -> Picture:
        """Return the table, or why there is none."""
        found = scene.answers.get(AdviceQuestion)
        if found is None:
            return reading("what each threshold marks", self.title)
        if isinstance(found, str):
            return refused(found, self.title)
        advice, judging = found.thresholds, scene.view.info.judging
        top, row, said = self.window(scene.selection).first, self.place(scene, advice.rows), self._said(scene)
        return ThresholdsPicture(advice, said, top, row, _used(scene, advice), as_groups("class", judging))

    @staticmethod
    def _said(scene: Scene) -> tuple[str, ...]:
        """Return the sentences below the table; none where there is none."""
        found = scene.answers.get(AdviceQuestion)
        if not isinstance(found, Advice):
            return ()
        use = "Enter uses the selected one and lists its anomalies."
        words = (f"{found.thresholds.proposal} {use}", found.thresholds.how, found.density)
        return tuple(as_groups(sentence, scene.view.info.judging) for sentence in words if sentence)

    # --- its rows

    def items(self, scene: Scene) -> Sequence[ThresholdRow]:
        """Return the thresholds, by size."""
        found = scene.answers.get(AdviceQuestion)
        return found.thresholds.rows if isinstance(found, Advice) else ()

    def place(self, scene: Scene, items: Sequence[ThresholdRow]) -> int:
        """Return the row of the chosen threshold; before one is chosen, of the proposed one."""
        found = scene.answers.get(AdviceQuestion)
        wanted = scene.selection.get(ThresholdOptions).chosen
        if wanted is None and isinstance(found, Advice):
            wanted = found.thresholds.proposed
        return next((row for row, one in enumerate(items) if one.threshold == wanted), 0)

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a threshold."""
        items = self.items(scene)
        return scene.selection.put(ThresholdOptions(items[row].threshold)) if items else scene.selection

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is a threshold to use."""
        return bool(self.items(scene))

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Use the selected threshold, and list its anomalies where the table was opened."""
        picked = self.picked(scene)
        if open_ is False or picked is None:
            return scene.selection
        advice, threshold = picked
        used = AnomalySettings(advice.rule, advice.window, "share", threshold)
        there = scene.at(scene.selection.gone_back().changed(anomaly_settings=used))
        return switch_listing(there) if there.selection.listing != ANOMALIES else there.selection

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the table."""
        rows = [(one.threshold, one.marked, one.marks) for one in self.items(scene)]
        return Numbers("thresholds", ("threshold", "validations marked", "class marks"), rows) if rows else None


def _used(scene: Scene, advice: ThresholdAdvice) -> float | None:
    """Return the share of a class at which anomalies are found now, if they are by the rule of the table."""
    now = scene.selection.anomaly_settings
    is_alike = (now.rule, now.window or DEFAULT_WINDOW, now.unit) == (advice.rule, advice.window, "share")
    return now.threshold if is_alike else None
