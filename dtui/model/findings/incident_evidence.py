"""What shows an incident: the series that tell it, what its class became, and which layers moved then."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.batches import BatchAnswer
from dtui.model.findings.telling import Telling
from dtui.model.judging import Judging, as_groups
from dtui.model.learning import Confused
from dtui.number_text import counted


@dataclass(frozen=True, slots=True)
class LayerMove:
    """How much more a layer moved at an incident than before it.

    Attributes:
        layer: Its name; data from outside.
        times: Its relative update, divided by the median of the records before; >= 0.
    """

    layer: str
    times: float


@dataclass(frozen=True, eq=False, slots=True)
class IncidentEvidence:
    """What shows an incident.

    Attributes:
        id: Of the incident.
        series: The most telling first; empty where nothing of it was recorded.
        label: The worst class; None where the incident names none.
        moment: Iteration of the validation within the incident at which most images of that class were wrong.
        became: What these were taken for at that validation, the most frequent first.
        judged: Judged images of the class at that validation.
        wrong: Images of the class that were wrong there and right at the validation before the incident, at most
            `MOST_IMAGES`; then others that were wrong.
        moved: The layers that moved most, at most 3, the most first.
        judging: What decides what is right, in a run that scores decide; None where class scores do.
        batch: The samples trained on right before it; None where they were not kept.
        rule: Which rule found that its class broke, against what, and what is usual; "" where it names none. Our words.
    """

    id: str
    series: tuple[Telling, ...]
    label: int | None = None
    moment: int | None = None
    became: tuple[Confused, ...] = ()
    judged: int = 0
    wrong: tuple[int, ...] = ()
    moved: tuple[LayerMove, ...] = ()
    judging: Judging | None = None
    batch: BatchAnswer | None = None
    rule: str = ""


MOST_IMAGES = 24


@dataclass(frozen=True, slots=True)
class TurnedWrong:
    """The images that turned wrong around an incident, of all classes together.

    Attributes:
        id: Of the incident.
        since: Iteration of the last validation before it, at which they were right.
        moment: Iteration of the validation within it at which most of them were wrong; of the next one, if none is.
        count: How many they are.
        usual: The median of how many turn wrong between two validations as far apart, before the incident; NaN where
            it is among the first.
        classes: Labels with their counts, the most first, at most 3.
        images: Some of them, at most `MOST_IMAGES`, those of the most frequent class first.
        unlabelled: How many were right before it and have no label there: their outputs were NaN, or it is lost.
    """

    id: str
    since: int
    moment: int
    count: int
    usual: float
    classes: tuple[tuple[int, int], ...]
    images: tuple[int, ...]
    unlabelled: int = 0

    def told(self, name_of: Callable[[int], str], judging: Judging | None = None) -> str:
        """Return how many they are, how many usually do, and of which classes, in words without a full stop.

        Args:
            name_of: Returns what a label is called.
            judging: What decides what is right; None where class scores do. Of one group alone nobody asks which.
        """
        many = as_groups(counted(self.count, "image") if self.count else "no image", judging)
        middle = f"{self.usual:,.1f}".removesuffix(".0")  # of counts: whole, or half between two
        usual = "" if isnan(self.usual) else f" (usually {middle})"
        said = f"{many} turned wrong at {self.moment:,}{usual}"
        if self.unlabelled:
            lost = as_groups(counted(self.unlabelled, "image"), judging)
            said += f"; {lost} that {'was' if self.unlabelled == 1 else 'were'} right before could not be judged there"
        if not self.classes or (judging is not None and judging.other == 1):
            return said
        own = ", ".join(f"{count:,} of {name_of(label)}" for label, count in self.classes)
        return f"{said}: {own}{' …' if sum(count for _, count in self.classes) < self.count else ''}"
