"""Anomaly rules at paper scale: 50,000 images of 1,000 classes, judged 1,000 times."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from dtui.analysis.correctness import PackedLayout
from dtui.analysis.flip_table import count_flips
from tests.bench.registry import Measurement, benchmark

CLASSES, PER_CLASS, VALIDATIONS, WINDOW = 1_000, 50, 1_000, 5


@benchmark
def flips() -> list[Measurement]:
    """Either anomaly rule on 50,000 images × 1,000 validations, and packing their labels."""
    targets = np.repeat(np.arange(CLASSES), PER_CLASS).astype(np.uint16)
    correct = drifting_judgements(len(targets))
    labels = np.where(correct, targets, targets + 1).astype(np.uint16)
    layout = PackedLayout.of(targets, CLASSES)
    packed = layout.pack(correct)
    read_packed = milliseconds(lambda: packed.sum())
    naive = {rule: milliseconds(lambda rule=rule: naive_counts(correct, rule), repeats=1) for rule in ("left", "right")}
    found: list[Measurement] = []
    for rule in ("left", "right"):
        counts = count_flips(layout, packed, rule, WINDOW)
        if not np.array_equal(counts.gained + counts.lost, naive_counts(correct, rule)):
            raise AssertionError(f"the {rule} rule disagrees with the naive loop")
        ours = milliseconds(lambda rule=rule: count_flips(layout, packed, rule, WINDOW))
        for reference, value in (("one read of the packed array", read_packed), ("naive loop", naive[rule])):
            found.append(Measurement(f"flips, {rule} rule, k = {WINDOW}", ours, reference, value, "ms", ours / value))
    ours = milliseconds(lambda: layout.pack(labels == targets))
    read = milliseconds(lambda: labels.max())
    found.append(Measurement("labels to packed correctness", ours, "one read of the labels", read, "ms", ours / read))
    return found


def drifting_judgements(images: int) -> np.ndarray:
    """Return correctness, shape (validations, images), in which a twentieth changes each time."""
    random = np.random.default_rng(0)
    correct = np.empty((VALIDATIONS, images), dtype=bool)
    correct[0] = random.random(images) < 0.7
    for at in range(1, VALIDATIONS):
        correct[at] = correct[at - 1] ^ (random.random(images) < 0.05)
    return correct


def naive_counts(correct: np.ndarray, rule: str) -> np.ndarray:
    """Return the flips of each class with a loop over validations, shape (validations, classes)."""
    counts = np.zeros((len(correct), CLASSES), dtype=np.int64)
    for at in range(1, len(correct)):
        if rule == "left" and at >= WINDOW:
            held = (correct[at - WINDOW : at] == correct[at - 1]).all(axis=0)
        elif rule == "right" and at + WINDOW <= len(correct):
            held = (correct[at : at + WINDOW] == correct[at]).all(axis=0)
        else:
            continue
        counts[at] = ((correct[at] != correct[at - 1]) & held).reshape(CLASSES, PER_CLASS).sum(axis=1)
    return counts


def milliseconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the shortest of a few runs."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent) * 1e3
