"""Evidence from detectors, how it is shown, and the anomalies that people review."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dtui.dataclass_on_use import dataclass

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
    """What one detector reports on one record (or validation, or watch) and one scope.

    The scope is a set of classes, or a layer (with or without some of its filters), or the whole network.

    Attributes:
        detector: Name of the detector.
        iteration: Of the record.
        rule: Which of the detector's rules matched; "" if it has only one.
        direction: "gained", "lost" or "both" for flipped images; None where there is no direction.
        layer: Name of a layer of the network, or None; data from outside.
        filters: Indices within that layer, ascending.
        classes: Labels, the worst first.
        strength: Order among the evidence of the detector: larger is stranger; finite.
        count: Number of images or filters concerned; None where they are not counted.
        share: `count` divided by the images of the class or the filters of the layer, [0, 1]; None where neither is
            named.
        times: The value divided by its usual value; None where there is no comparison.
        threshold: The threshold in the settings' unit; None where no setting decides.
        known: Iteration at which it could first be detected, >= iteration; None if that is the same iteration.
        amount: Measured amount, in the unit that the detector's sentences name; None where nothing is measured.
        usual: The value before, in the same unit; None where there is no comparison.
        concentration: Share of its first class in the losses of all classes, [0, 1]; None without a class.
        frequency: Share of the earlier checks at which as much happened anyway, [0, 1]; None where it was not counted.
        norm: Name of the normalisation layer concerned; None if there is none; data from outside.
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
    """How the evidence of a detector is shown: words, sign and mark. All of it comes from dtui, nothing from outside.

    A sentence consists of the class or the place (without either, `subject`), then `verb`, then `detail`: "loss",
    "jumped", "to 9 times the usual".

    Attributes:
        sign: Symbol before the words, such as "▼".
        title: Short name for a cell of a table, such as "lost".
        verb: What happened, such as "lost 38%".
        detail: What a longer sentence adds; "" for nothing.
        subject: Subject of the sentence if neither a class nor a layer is named, such as "loss".
        by: End of the sentence where there is room, such as "left rule"; "" for nothing.
        lanes: Lanes of its marks: "lost" points down, "gained" points up.
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
    """Data that a detector needs and the run does not have.

    Attributes:
        sentence: One line to show, such as "class rules: no validations were recorded".
        is_early: Whether the data will be there later in the run: the detector cannot judge yet.
        is_covered: Whether other detectors find the same in the recorded data, only later or less exactly.
    """

    sentence: str
    is_early: bool = False
    is_covered: bool = False


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Evidence with an id and a person's decision: the unit of review.

    Attributes:
        id: Stable while the run grows and across settings, such as "class-left-3-1200-lost".
        kind: Begin of its id: "class" for the class rules, "watch" for the flight recorder, else the detector's name.
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
        """Iteration of its evidence."""
        return self.evidence.iteration

    @property
    def class_index(self) -> int | None:
        """The label of its class; None if it has none."""
        return self.evidence.classes[0] if self.evidence.classes else None

    @property
    def layer(self) -> str | None:
        """The name of its layer; None if it has none; data from outside."""
        return self.evidence.layer

    @property
    def filters(self) -> tuple[int, ...]:
        """Indices of its filters within the layer."""
        return self.evidence.filters

    @property
    def score(self) -> float:
        """Order among anomalies: larger is stranger."""
        return self.evidence.strength

    @property
    def size(self) -> float:
        """Size of its mark, [0, 1]: the share; 1 where there is no share."""
        return 1.0 if self.evidence.share is None else self.evidence.share


def by_event(anomalies: Iterable[Anomaly]) -> tuple[tuple[Anomaly, ...], ...]:
    """Return the anomalies of each event together, the strongest first, in the order of the first of each.

    What several rules say of one class at one iteration and in one direction is one event.
    """
    events: dict[tuple[object, ...], list[Anomaly]] = {}
    for anomaly in anomalies:
        said = anomaly.evidence
        key = (said.detector, said.iteration, said.classes, said.direction) if said.classes else (anomaly.id,)
        events.setdefault(key, []).append(anomaly)
    return tuple(tuple(sorted(event, key=lambda one: -one.score)) for event in events.values())


def rules_of(event: Sequence[Anomaly]) -> str:
    """Return which rules found an event, such as "left rule" or "left and right rule"; "" where none is named."""
    said = sorted(one.shown.by for one in event if one.shown.by)
    return " and ".join([*(by.removesuffix(" rule") for by in said[:-1]), *said[-1:]])
