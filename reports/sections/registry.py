"""The list of sections, and the view of a run that each section gets.

Owns the order of a report.
"""

from __future__ import annotations

import pkgutil
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import import_module

import numpy as np

from dtui.errors import NotRecordedError, UsageError
from dtui.model import Anomaly, Incident, RunInfo, Stage, TimeAxis, Verdict
from dtui.model.findings.evidence import by_event
from dtui.model.judging import as_groups, class_called
from dtui.query import RunQuery
from dtui.reports.charts.theme import MAX_COLUMNS
from dtui.reports.document import Section
from dtui.run_path import told_path
from dtui.safe_text import can_be_typed, safe

NOTHING_YET = "Nothing has been recorded yet."
NOTHING_READ = "Nothing of this run can be read: its files are damaged."


@dataclass(frozen=True)
class View:
    """The view of one run for the sections: a question that several of them need is asked once.

    Attributes:
        query: The run.
        prefix: What every id in this run's chapter begins with.
        shown: Names of the sections that the report has.
    """

    query: RunQuery
    prefix: str
    shown: tuple[str, ...] = ()

    @cached_property
    def info(self) -> RunInfo:
        """What is known about the run in one line."""
        return self.query.info()

    @property
    def nothing(self) -> str:
        """Why there is nothing to show, in a sentence; "" where there is something."""
        if self.info.records + self.info.validations:
            return ""
        return NOTHING_READ if self.info.findings else NOTHING_YET

    @property
    def has_confusions(self) -> bool:
        """Whether a label says what an image was taken for; not where its score decides what is right."""
        return self.info.judging is None or self.info.judging.is_labelled

    @property
    def nouns(self) -> tuple[str, str]:
        """What is judged, and what it belongs to: images and classes, or items and groups."""
        return ("images", "classes") if self.info.judging is None else ("items", "groups")

    @property
    def group(self) -> str:
        """What one of those is called: class or group."""
        return self.of_groups("class")

    def of_groups(self, words: str) -> str:
        """Return words of ours on classes, said of groups in a run that scores decide."""
        return as_groups(words, self.info.judging)

    def lacking(self, error: NotRecordedError) -> str:
        """Return what the run lacks for an answer, without its path: the report is about this run."""
        return safe(str(error).removeprefix(f"{self.query.path}: "), 300)

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """Stretches of constant learning rate."""
        return self.query.stages()

    @cached_property
    def stage_changes(self) -> list[int]:
        """Iterations at which the learning rate changed, the first stage left out."""
        return [stage.iteration for stage in self.stages[1:]]

    @cached_property
    def verdict(self) -> Verdict:
        """What a reader must know first."""
        return self.query.verdict()

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """All incidents by iteration, with people's decisions."""
        return self.query.incidents()

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each incident in the report, by its id: 1 for the first in time."""
        return {incident.id: number for number, incident in enumerate(self.incidents, 1)}

    @cached_property
    def ranks(self) -> dict[str, int]:
        """The place of each incident to look at among them, by its id: 1 for the worst."""
        return {incident.id: rank for rank, incident in enumerate(self.verdict.worst, 1)}

    def anchor_of(self, incident: Incident) -> str:
        """Return the anchor of an incident; the chapter itself where the report does not list incidents."""
        return f"{self.prefix}-incident{self.numbers[incident.id]}" if "incidents" in self.shown else self.prefix

    def command(
        self, at: int, layer: str = "", label: int | None = None, filter: int | None = None, screen: str = ""
    ) -> str:
        """Return the command that shows a place in the terminal; "RUN" stands for a path that cannot be shown.

        Args:
            at: Iteration.
            layer: Name of a layer, "" for none; one that cannot be typed is left out.
            label: Of a class.
            filter: Index of a filter of that layer.
            screen: What a link calls the screen, "" for the one that the rest leads to.
        """
        path = str(told_path(self.query.path))
        words = ["dtui", path if safe(path, 1000) == path else "RUN", "--at", str(at)]
        if can_be_typed(layer):
            words += ["--layer", layer]
            words += [] if filter is None else ["--filter", str(filter)]
        names = self.query.image_set()
        if label is not None and names is not None and label < len(names.classes):
            name = names.classes[label]
            words += ["--class", name if can_be_typed(name) and names.classes.count(name) == 1 else str(label)]
        words += ["--screen", screen] if screen else []
        return shlex.join(words)

    def command_of(self, name: str) -> str:
        """Return the command that shows a section in the terminal, at the worst incident; "" where no screen does.

        Without an incident to look at it is the end of the run.
        """
        screen = _ENTRIES[name].screen
        if not screen or self.nothing:
            return ""
        if self.verdict.worst:
            worst = self.verdict.worst[0]
            return self.command(worst.first, next(iter(worst.layers), "") if screen == "layers" else "", screen=screen)
        last = self.info.last_iteration
        return "" if last is None else self.command(last, screen=screen)

    @cached_property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """All anomalies under the default settings, by iteration."""
        return self.query.anomalies()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, harmless to show."""
        images = self.query.image_set()
        return tuple(safe(name, 60) for name in images.classes) if images is not None else ()

    @cached_property
    def frozen(self) -> frozenset[int]:
        """The layers that were not set to be trained."""
        trained = self.query.structure().trained
        return frozenset() if trained is None else frozenset(trained.frozen)

    @cached_property
    def judged_classes(self) -> int:
        """How many classes have images."""
        images = self.query.image_set()
        return 0 if images is None else int(np.count_nonzero(np.bincount(images.targets)))

    def class_name(self, label: int) -> str:
        """Return the name of a label, harmless to show; its number where it has none."""
        return self.classes[label] if 0 <= label < len(self.classes) else str(label)

    def called(self, label: int) -> str:
        """Return the name of a label as a sentence names it, harmless to show: "class cat"."""
        return class_called(self.class_name(label), self.info.judging)

    @cached_property
    def record_axis(self) -> TimeAxis:
        """The whole run with one column per record, but at most as many columns as a chart shows."""
        return self._axis(self.query.record_iterations().tolist())

    @cached_property
    def full_axis(self) -> TimeAxis:
        """The whole run with as many columns as a chart shows."""
        first, stop = self.query.limits()
        return TimeAxis(first, stop, max(1, min(MAX_COLUMNS, round(stop - first))))

    @cached_property
    def flips(self) -> dict[str, tuple[Anomaly, ...]]:
        """The anomalies of each event, the strongest first, by the id of its row."""
        return {f"{self.prefix}-anomaly{k}": event for k, event in enumerate(by_event(self.anomalies))}

    @cached_property
    def anchors(self) -> dict[str, str]:
        """The id of the row by the id of the anomaly."""
        return {anomaly.id: anchor for anchor, group in self.flips.items() for anomaly in group}

    def _axis(self, iterations: list[int]) -> TimeAxis:
        """Return the whole run in columns as wide as the smallest step in `iterations`, at most MAX_COLUMNS of them."""
        first, stop = self.query.limits()
        closest = int(np.diff(iterations).min()) if len(iterations) > 1 else 1
        columns = int((stop - first) / max(1, closest))
        return TimeAxis(first, stop, max(1, min(MAX_COLUMNS, columns)))


SectionBuilder = Callable[[View], Section | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    order: int
    name: str
    build: SectionBuilder
    screen: str


_ENTRIES: dict[str, _Entry] = {}


def section(name: str, order: int, screen: str = "") -> Callable[[SectionBuilder], SectionBuilder]:
    """Register a function as the builder of a section.

    Args:
        name: What `--section` calls it.
        order: Sections stand in the report by rising order.
        screen: What a link into the terminal calls the screen that shows the same; "" where none does.

    Returns:
        A decorator. The function returns None if a run has nothing to show.
    """

    def register(build: SectionBuilder) -> SectionBuilder:
        _ENTRIES[name] = _Entry(order, name, build, screen)
        return build

    return register


def section_names() -> tuple[str, ...]:
    """Return the names of all sections in reading order."""
    package = import_module("dtui.reports.sections")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"dtui.reports.sections.{module.name}")
    return tuple(entry.name for entry in sorted(_ENTRIES.values(), key=lambda entry: (entry.order, entry.name)))


def sections_named(names: Sequence[str] | None) -> tuple[tuple[str, SectionBuilder], ...]:
    """Return the builders of the named sections in reading order, all when `names` is None.

    Raises:
        UsageError: There is no section of that name.
    """
    known = section_names()
    for name in names or ():
        if name not in known:
            raise UsageError(f"section {name!r}: there is no such section; choose from {', '.join(known)}")
    return tuple((name, _ENTRIES[name].build) for name in known if names is None or name in names)


def moment(text: str) -> str:
    """Return an ISO 8601 time as people read it, with its zone: "2026-11-23 17:37 UTC"; "" where it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return ""
    shown, offset = f"{when:%Y-%m-%d %H:%M}", when.utcoffset()
    if offset is None:
        return f"{shown}, in a time zone that was not recorded"
    return f"{shown} {when.isoformat(timespec='minutes')[16:] if offset else 'UTC'}"
