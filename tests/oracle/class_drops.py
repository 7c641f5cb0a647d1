"""The slow, obvious way to the drops of classes: plain loops over what the class rule says."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

LENGTHS = (1, 2, 4, 8)
SHARES = {1: 0.01, 2: 0.04, 4: 0.45, 8: 0.5}
FLOORS = {1: 0.6, 2: 0.2, 4: 0.16, 8: 0.12}
MORE = {1: 0.2, 2: 0.2, 4: 0.04, 8: 0.0}
UNITS = {1: 5.0, 2: 4.0, 4: 3.0, 8: 2.5}


class ClassRuleTwin:
    """One run, errors (classes, validations), looked at validation by validation; `drops` has what was told."""

    def __init__(self, errors: np.ndarray, sizes: list[int], alpha: float = 0.01) -> None:
        self.errors = [[None if math.isnan(value) else float(value) for value in row] for row in errors]
        self.sizes, self.alpha = sizes, alpha
        self.labels = [label for label, size in enumerate(sizes) if size > 0]
        self.told: list[tuple[int, int]] = []  # (validation where it began, label)
        self.drops: list[dict] = []
        for name in ("usual", "deviation", "scatter", "root", "common", "change", "above", "rise", "score"):
            setattr(self, name, cache(getattr(self, name)))
        for now in range(len(errors[0])):
            for length in reversed(LENGTHS):
                if now - length + 1 >= 15:
                    self.look(now - length + 1, length)

    def past(self, label: int, at: int) -> list[float]:
        return [error for error in self.errors[label][max(0, at - 10) : at] if error is not None]

    def usual(self, label: int, at: int) -> float | None:
        past = sorted(self.past(label, at))
        return (past[(len(past) - 1) // 2] + past[len(past) // 2]) / 2 if len(past) >= 5 else None

    def deviation(self, label: int, at: int) -> float | None:
        past = self.past(label, at)
        if len(past) < 5:
            return None
        mean = min(max(sum(past) / len(past), 0.01), 0.9)
        return max(math.sqrt(mean * (1 - mean) / self.sizes[label]), 0.01)

    def change(self, label: int, at: int) -> float | None:
        if at < 1:
            return None
        now, before = self.errors[label][at], self.errors[label][at - 1]
        return None if now is None or before is None else abs(now - before)

    def scatter(self, at: int) -> float | None:
        """Half the mean squared successive difference, in deviations, without the largest twentieth."""
        squares = []
        for label in self.labels:
            deviation = self.deviation(label, at)
            for before in range(at - 20, at):
                change = self.change(label, before)
                if change is not None and deviation is not None:
                    squares.append((change / deviation) ** 2)
        if at < 6 or not squares:
            return None
        kept = sorted(squares)[: max(1, math.floor(len(squares) * 19 / 20 + 1e-9))]
        return sum(kept) / len(kept) / 2

    def root(self, label: int, at: int) -> float:
        total, count = 0.0, 0
        for before in range(at - 20, at):
            change = self.change(label, before)
            if change is None:
                continue
            count += 1
            deviation = self.deviation(label, before)
            if deviation is not None:
                total += min(change / max(deviation, 0.5 / self.sizes[label]), 6) ** 2 / 2
        of_class = (total + 8 * max(self.scatter(at) or 0.0, 0.1)) / (count + 8)
        return math.sqrt(self.deviation(label, at) * math.sqrt(max(of_class, 0.25)))

    def above(self, label: int, at: int, step: int) -> float | None:
        error, usual = self.errors[label][at + step], self.usual(label, at)
        return None if error is None or usual is None else error - usual

    def common(self, at: int, step: int) -> float:
        known = sorted(above for label in self.labels if (above := self.above(label, at, step)) is not None)
        return max(0.0, (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2) if known else 0.0

    def rise(self, label: int, at: int, length: int) -> float | None:
        above = [self.above(label, at, step) for step in range(length)]
        return None if None in above else min(above)

    def score(self, label: int, at: int, length: int) -> float | None:
        if self.rise(label, at, length) is None:
            return None
        alone = min(self.above(label, at, step) - self.common(at, step) for step in range(length))
        return max(alone, 0.0) / self.root(label, at)

    def is_left_out(self, at: int) -> bool:
        """Whether more than a quarter of the classes dropped at one of the last 6 validations."""
        for before in range(at - 5, at + 1):
            if len({label for begun, label in self.told if begun == before}) > 0.25 * len(self.labels):
                return True
        return False

    def history(self, at: int, length: int) -> list[float]:
        found = []
        for start in range(max(0, at - length - 29), at - length + 1):
            if any(self.is_left_out(start + step) for step in range(length)):
                continue
            held = {label for begun, label in self.told if begun <= start < begun + 6}
            scores = [self.score(label, start, length) for label in self.labels if label not in held]
            scores = [score for score in scores if score is not None]
            if scores:
                found.append(max(scores))
        return sorted(found)

    def level(self, at: int, length: int) -> float | None:
        history = self.history(at, length)
        if len(history) < 5:
            return None
        median = (history[(len(history) - 1) // 2] + history[len(history) // 2]) / 2
        width = max((history[round(0.9 * (len(history) - 1))] - median) / 1.884, 0.02)
        return median + width * (-math.log(-math.log(1 - self.alpha * SHARES[length])) - 0.3665)

    def is_high(self, label: int, at: int, length: int) -> bool:
        rise, scatter = self.rise(label, at, length), self.scatter(at)
        if rise is None or scatter is None or (at, label) in self.told:
            return False
        floor = FLOORS[length] + MORE[length] * min(max(math.log10(len(self.labels) / 10), 0), 1)
        if at < 30 and length > 1:
            floor *= 1.5
        top = max(self.errors[label][at : at + length])
        return (
            rise >= floor - 1e-6
            and rise / (self.deviation(label, at) * math.sqrt(max(scatter, 0.5))) >= UNITS[length]
            and top > max(self.past(label, at)) + 0.06 + 1e-6
        )

    def how_usual(self, rise: float, at: int, length: int) -> float:
        largest = []
        for start in range(at - length + 1):
            rises = [self.rise(label, start, length) for label in self.labels]
            rises = [each for each in rises if each is not None]
            if rises:
                largest.append(max(rises))
        as_high = [each for each in largest if math.floor((each + 1e-6) * 100) >= math.floor((rise + 1e-6) * 100)]
        return len(as_high) / len(largest)

    def look(self, at: int, length: int) -> None:
        found = [label for label in self.labels if self.is_high(label, at, length)]
        level = self.level(at, length) if found else None
        found = [label for label in found if level is not None and self.score(label, at, length) >= level]
        if not found:
            return
        found.sort(key=lambda label: -self.score(label, at, length))
        rises = [self.rise(label, at, length) for label in self.labels]
        worst = self.rise(found[0], at, length)
        self.drops.append(
            {
                "validation": at,
                "late": length - 1,
                "classes": tuple(found),
                "rises": tuple(self.rise(label, at, length) for label in found),
                "length": length,
                "score": self.score(found[0], at, length),
                "level": level,
                "usual": self.how_usual(worst, at, length),
                "concentration": worst / sum(rise for rise in rises if rise is not None and rise > 0),
            }
        )
        self.told += [(at, label) for label in found]
