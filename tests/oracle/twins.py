"""The slow, obvious way to every number of the analysis: plain loops over what the definition says."""

from __future__ import annotations

import math

import numpy as np

from dtui.model import TimeAxis


def flips(correct: np.ndarray, rule: str, window: int) -> np.ndarray:
    """correct (validations, images) -> +1 gained, -1 lost, 0 neither."""
    validations, images = correct.shape
    found = np.zeros((validations, images), dtype=int)
    for image in range(images):
        for at in range(1, validations):
            before, now = correct[at - 1, image], correct[at, image]
            if before == now:
                continue
            if rule == "left":
                held = at >= window and all(correct[at - back, image] == before for back in range(1, window + 1))
            else:
                held = at + window <= validations and all(correct[at + on, image] == now for on in range(window))
            if held:
                found[at, image] = 1 if now else -1
    return found


def record_positions(axis: TimeAxis, iterations: np.ndarray, interval: float, column: int) -> list[int]:
    """Positions of the records that a column stands for."""
    inside = [position for position, iteration in enumerate(iterations) if axis.column_of(int(iteration)) == column]
    if inside:
        return inside
    here = axis.iteration_of(column)
    before = [position for position, iteration in enumerate(iterations) if iteration <= here]
    if not before or here >= iterations[-1] + interval:
        return []
    return [before[-1]]


def pooled(values: np.ndarray, axis: TimeAxis, iterations: np.ndarray, interval: float, how: str) -> np.ndarray:
    """values (rows, records) -> (rows, columns)."""
    result = np.full((len(values), axis.columns), math.nan)
    for column in range(axis.columns):
        positions = record_positions(axis, iterations, interval, column)
        for row in range(len(values)):
            held = [float(values[row, position]) for position in positions if not math.isnan(values[row, position])]
            if not held:
                continue
            if how == "largest":
                result[row, column] = max(held)
            elif how == "smallest":
                result[row, column] = min(held)
            elif how == "mean":
                result[row, column] = sum(held) / len(held)
            else:
                result[row, column] = max(held, key=lambda value: (abs(value), value))
    return result


def mean_rows(values: np.ndarray, pixels: int) -> np.ndarray:
    """values (rows, columns), rows shared out to pixels from the top."""
    rows, columns = values.shape
    if rows <= pixels:
        return values
    result = np.full((pixels, columns), math.nan)
    for pixel in range(pixels):
        first, stop = pixel * rows // pixels, (pixel + 1) * rows // pixels
        for column in range(columns):
            held = [float(values[row, column]) for row in range(first, stop) if not math.isnan(values[row, column])]
            if held:
                result[pixel, column] = sum(held) / len(held)
    return result


def quantile(values: list[float], share: float) -> float:
    """The smallest value such that at least that share is no larger."""
    finite = sorted(value for value in values if math.isfinite(value))
    for position, value in enumerate(finite):
        if (position + 1) / len(finite) >= share - 1e-12:
            return value
    return math.nan


def median(values: list[float]) -> float:
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return math.nan
    low, high = finite[(len(finite) - 1) // 2], finite[len(finite) // 2]
    return (low + high) / 2


def class_error(labels: np.ndarray, targets: np.ndarray, group: tuple[int, ...]) -> list[float]:
    """labels (images, validations) -> share of the group's images that are wrong, at each validation."""
    shares = []
    for at in range(labels.shape[1]):
        judged = [labels[image, at] != target for image, target in enumerate(targets) if target in group]
        shares.append(sum(judged) / len(judged) if judged else math.nan)
    return shares


def nearest_centre(point: np.ndarray, centres: list[np.ndarray]) -> int:
    distances = [sum((a - b) ** 2 for a, b in zip(point, centre, strict=True)) for centre in centres]
    return distances.index(min(distances))
