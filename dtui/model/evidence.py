"""What detectors say of a run, and what a person reviews: evidence, how it is shown, and anomalies."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_WINDOW = 5
"""Validations, the same in a short run: a shorter window would call flips anomalies that a longer one takes back."""


@dataclass(frozen=True, slots=True)
class AnomalySettings:
    """What counts as an anomaly iteration of a class.

    Attributes:
        rule: "left", "right" or "either".
        window: Validations for which an image must keep its verdict, k >= 1; None picks DEFAULT_WINDOW.
        unit: What the threshold counts: "share" of the class's images, or "images".
        threshold: Fewest flips in one direction, in that unit. A fifth of the class by default: at a tenth most marks
            of a healthy run are classes being learned for the first time, at three tenths weak faults lose theirs
            (tests/truth).
    """

    rule: str = "either"
    window: int | None = None
    unit: str = "share"
    threshold: float = 0.2

    @property
    def validations_needed(self) -> int:
        """Validations that a run must have before either rule can tell anything."""
        return (self.window or DEFAULT_WINDOW) + 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one detector says of one record (or validation, or watch) and one scope.

    The scope is some classes, or a layer with or without some of its filters, or else the whole network.

    Attributes:
        detector: Name of the detector.
        iteration: Of the record.
        rule: Which of the detector's rules spoke, "" where it has one.
        direction: "gained", "lost" or "both" of images that flipped, None where nothing has a direction.
        layer: Name of a layer of the network, or None; data from outside.
        filters: Indices within that layer, ascending.
        classes: Labels, the worst first.
        strength: What evidence of the detector is ordered by: larger is stranger; finite.
        count: Images or filters that it is about, None where they are not counted.
        share: count over the images of the class or the filters of the layer, [0, 1]; None where neither is named.
        times: How many times its usual the value is, None where it is not compared with that.
        threshold: What it had to reach in the settings' unit, None where no setting decides.
        known: Iteration at which it could be told, >= iteration; None where that was at once.
        amount: How much, in the unit that the detector's sentences name; None where nothing is measured.
        usual: What the value was before, in the same unit; None where it is not compared with that.
        concentration: Share of what all classes lost together that its first class carries, [0, 1]; None for no class.
        frequency: Share of the looks before at which the run did as much by itself, [0, 1]; None where nobody counted.
        norm: Name of the normalisation layer that it is about, None where it is about none; data from outside.
    """

    detector: str
    iteration: int
    rule: str = ""
    direction: str | None = None
    layer: str | None = None
    filters: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    strength: float = 0.0
    count: int | None = None
    share: float | None = None
    times: float | None = None
    threshold: float | None = None
    known: int | None = None
    amount: float | None = None
    usual: float | None = None
    concentration: float | None = None
    frequency: float | None = None
    norm: str | None = None

    @property
    def place(self) -> str:
        """The layer and filters, such as "conv1 filter 3 and 2 more", "" where none is named; data from outside."""
        if self.layer is None:
            return ""
        more = f" and {len(self.filters) - 1} more" if len(self.filters) > 1 else ""
        return self.layer + (f" filter {self.filters[0]}{more}" if self.filters else "")


@dataclass(frozen=True, slots=True)
class Showing:
    """How a detector has its evidence shown: words, sign and mark; all its own, nothing from outside.

    A sentence is the class, the place or else the subject, then `verb`, then `detail`: "loss", "jumped",
    "to 9 times the usual".

    Attributes:
        sign: What stands for it before the words, such as "▼".
        title: What it is called in a cell of a table, such as "lost".
        verb: What happened, such as "lost 38%".
        detail: What a longer sentence adds; "" for nothing.
        subject: What it happened to where neither a class nor a layer is named, such as "loss".
        by: What else a sentence ends with where there is room, such as "left rule"; "" for nothing.
        lanes: Where its mark stands: "lost" points down, "gained" points up.
    """

    sign: str
    title: str
    verb: str
    detail: str = ""
    subject: str = "network"
    by: str = ""
    lanes: tuple[str, ...] = ("gained", "lost")


@dataclass(frozen=True, slots=True)
class Missing:
    """What a detector lacks in a run.

    Attributes:
        sentence: One line to show, such as "class rules: no validations were recorded".
        is_early: Whether it will be there when the run has gone on: the detector cannot tell yet.
        is_covered: Whether other detectors see the same in what was recorded, only later or less exactly.
    """

    sentence: str
    is_early: bool = False
    is_covered: bool = False


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Evidence with a name and a person's decision: what is reviewed.

    Attributes:
        id: Stable while the run grows and across settings, such as "class-left-3-1200-lost".
        kind: What its id begins with: "class" of the class rules, "watch" of the flight recorder, else the detector.
        evidence: What was found.
        shown: How to show it.
        status: "new", "flagged" or "dismissed".
        note: A person's words; data from outside.
    """

    id: str
    kind: str
    evidence: Evidence
    shown: Showing
    status: str = "new"
    note: str = ""

    @property
    def iteration(self) -> int:
        """Where it is on the time axis."""
        return self.evidence.iteration

    @property
    def class_index(self) -> int | None:
        """The label of the class that it is about, None where it is about none."""
        return self.evidence.classes[0] if self.evidence.classes else None

    @property
    def layer(self) -> str | None:
        """The name of the layer that it is about, None where it is about none; data from outside."""
        return self.evidence.layer

    @property
    def filters(self) -> tuple[int, ...]:
        """The filters that it is about, within the layer."""
        return self.evidence.filters

    @property
    def score(self) -> float:
        """What anomalies are ordered by: larger is stranger."""
        return self.evidence.strength

    @property
    def size(self) -> float:
        """How large its mark is, [0, 1]: the share, 1 where it is about no part of something."""
        return 1.0 if self.evidence.share is None else self.evidence.share
