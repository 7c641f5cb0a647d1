"""The figures of a table, each with its 95 % interval, from the judgements of many runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from tests.truth.corpus.judge import Judgement, Verdict


@dataclass(frozen=True, slots=True)
class Share:
    """Some of many, with the Wilson interval; `count` is no integer where it is expected and not counted."""

    count: float
    total: int

    @property
    def value(self) -> float:
        """[0, 1], NaN of none."""
        return self.count / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, at 95 %; (0, 1) of none."""
        if not self.total:
            return 0.0, 1.0
        z, n, p = float(stats.norm.ppf(0.975)), self.total, self.value
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))

    def __str__(self) -> str:
        if not self.total:
            return "–"
        low, high = self.interval
        of = f"{self.count:.0f} of {self.total}, " if float(self.count).is_integer() else ""
        return f"{of}{100 * self.value:.0f} % [{100 * low:.0f}–{100 * high:.0f}]"


@dataclass(frozen=True, slots=True)
class Rate:
    """Events in so many units, such as hundreds of records, with the Poisson interval."""

    count: int
    units: float

    @property
    def value(self) -> float:
        """Events a unit, NaN of none."""
        return self.count / self.units if self.units else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The exact one of a Poisson count, at 95 %."""
        if not self.units:
            return 0.0, math.inf
        low = float(stats.chi2.ppf(0.025, 2 * self.count)) / 2 if self.count else 0.0
        return low / self.units, float(stats.chi2.ppf(0.975, 2 * self.count + 2)) / 2 / self.units

    def __str__(self) -> str:
        if not self.units:
            return "–"
        low, high = self.interval
        return f"{self.value:.2f} [{low:.2f}–{high:.2f}] ({self.count})"


@dataclass(frozen=True, slots=True)
class Spread:
    """Values by their median, with the quartiles."""

    median: float
    low: float
    high: float
    total: int

    def __str__(self) -> str:
        return f"{self.median:.0f} [{self.low:.0f}–{self.high:.0f}]" if self.total else "–"


Figure = Share | Rate | Spread
Group = Sequence[Judgement]


def _visible(group: Group) -> list[Verdict]:
    return [verdict for each in group for verdict in each.verdicts if verdict.fault.visible]


def _share(those: Iterable[Verdict], holds: Callable[[Verdict], bool]) -> Share:
    kept = list(those)
    return Share(sum(map(holds, kept)), len(kept))


def _false(group: Group) -> Rate:
    return Rate(sum(len(each.false) for each in group), sum(each.quiet for each in group) / 100)


def main_figures(group: Group) -> dict[str, Figure]:
    """Return the figures of the main table, by their row."""
    visible = _visible(group)
    hit = [verdict for verdict in visible if verdict.is_hit]
    layers = [verdict for verdict in hit if verdict.fault.layers]
    classes = [verdict for verdict in hit if verdict.fault.classes]
    chances = [verdict.chance for verdict in visible if not math.isnan(verdict.chance)]
    delays = np.array([verdict.delay for verdict in hit], float)
    quartiles = np.quantile(delays, (0.5, 0.25, 0.75)) if len(delays) else (0.0, 0.0, 0.0)
    healthy = [each for each in group if each.is_healthy]
    faulty = [each for each in group if not each.is_healthy]
    return {
        "visible faults found": Share(len(hit), len(visible)),
        "a quiet stretch as long, found by chance": Share(sum(chances), len(chances)),
        "false incidents a hundred quiet records": _false(group),
        "… of the healthy runs alone": _false(healthy),
        "right layer": _share(layers, Verdict.names_layer),
        "… named by the first incident": _share(layers, lambda verdict: verdict.names_layer(only_first=True)),
        "right class": _share(classes, Verdict.names_class),
        "… at the head of the first incident": _share(classes, lambda verdict: verdict.names_class(only_first=True)),
        "right cause": _share(hit, Verdict.names_cause),
        "… of the first incident": _share(hit, lambda verdict: verdict.names_cause(only_first=True)),
        "records until it begins (quartiles)": Spread(*map(float, quartiles), len(delays)),
        "incidents a run with faults": Rate(sum(each.incidents for each in faulty), len(faulty)),
        "incidents a healthy run": Rate(sum(each.incidents for each in healthy), len(healthy)),
    }


def kind_figures(group: Group) -> dict[str, dict[str, object]]:
    """Return for each kind of fault what was visible, found, named rightly, and called what."""
    told: dict[str, dict[str, object]] = {}
    verdicts = [verdict for each in group for verdict in each.verdicts]
    for kind in sorted({verdict.fault.kind for verdict in verdicts}):
        those = [verdict for verdict in verdicts if verdict.fault.kind == kind]
        visible = [verdict for verdict in those if verdict.fault.visible]
        hit = [verdict for verdict in visible if verdict.is_hit]
        called: dict[str, int] = {}
        for verdict in hit:
            called[verdict.found[0].cause] = called.get(verdict.found[0].cause, 0) + 1
        told[kind] = {
            "found": Share(len(hit), len(visible)),
            "cause": _share(hit, Verdict.names_cause),
            "layer": _share([verdict for verdict in hit if verdict.fault.layers], Verdict.names_layer),
            "class": _share([verdict for verdict in hit if verdict.fault.classes], Verdict.names_class),
            "first called": dict(sorted(called.items(), key=lambda item: -item[1])),
            "invisible": len(those) - len(visible),
            "invisible, found": sum(verdict.is_hit for verdict in those if not verdict.fault.visible),
        }
    return told


def cause_figures(group: Group) -> dict[str, dict[str, object]]:
    """Return for each cause how often it was rightly named, wrongly named, and named of nothing."""
    told: dict[str, dict[str, int]] = {}
    for each in group:
        for verdict in each.verdicts:
            for found in verdict.found:
                _count(told, found.cause, "right" if found.cause in verdict.fault.causes else "wrong")
        for found in each.false:
            _count(told, found.cause, "false")
    return {cause: dict(told[cause]) for cause in sorted(told)}


def detector_figures(group: Group) -> dict[str, dict[str, object]]:
    """Return for each detector the visible faults that it has evidence of, and the false incidents."""
    visible, records = _visible(group), sum(each.quiet for each in group) / 100
    heard = {name for verdict in visible for found in verdict.found for name in found.detectors}
    heard |= {name for each in group for found in each.false for name in found.detectors}
    told: dict[str, dict[str, object]] = {}
    for name in sorted(heard):

        def speaks(verdict: Verdict, name: str = name) -> bool:
            return any(name in found.detectors for found in verdict.found)

        def alone(verdict: Verdict, name: str = name) -> bool:
            return verdict.is_hit and all(found.detectors == (name,) for found in verdict.found)

        told[name] = {
            "of visible faults": _share(visible, speaks),
            "alone": sum(map(alone, visible)),
            "false a hundred": Rate(sum(name in found.detectors for each in group for found in each.false), records),
        }
    return told


def _count(told: dict[str, dict[str, int]], cause: str, what: str) -> None:
    row = told.setdefault(cause, {"right": 0, "wrong": 0, "false": 0})
    row[what] += 1


def plain(value: object) -> object:
    """Return figures as what JSON knows: counts, value and interval; NaN and infinities as None."""
    if isinstance(value, Share | Rate):
        return plain({**asdict(value), "value": value.value, "interval": list(value.interval)})
    if isinstance(value, Spread):
        return asdict(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
