"""The rules of FINDINGS §2 on filters, layers and the network, word by word and slowly: one value after the other."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np

from dtui.analysis.detectors.stream.block import Block

Found = set[tuple[object, ...]]
TINY = 1e-12


def known(values) -> list[float]:
    return [float(value) for value in values if not math.isnan(value)]


def median(values) -> float:
    finite = [float(value) for value in values if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan


def z_and_rise(series: list[float], at: int, floor: float) -> tuple[float, float]:
    """W = 20 trailing records without the present one, at least 5; (x - median) / (1.4826 MAD + floor)."""
    before = known(series[max(0, at - 20) : at])
    if len(before) < 5 or math.isnan(series[at]):
        return math.nan, math.nan
    middle = statistics.median(before)
    deviation = statistics.median([abs(value - middle) for value in before])
    rise = series[at] - middle
    return rise / (1.4826 * deviation + floor), rise


def recent_z_and_rise(series: list[float], at: int, floor: float) -> tuple[float, float]:
    """Above the median of the last 5, in deviations of the steps among the last 20."""
    before = series[max(0, at - 20) : at]
    steps = known([abs(b - a) for a, b in itertools.pairwise(before)])
    last = known(before[-5:])
    if len(steps) < 5 or len(last) < 3 or math.isnan(series[at]):
        return math.nan, math.nan
    rise = series[at] - statistics.median(last)
    return rise / (1.4826 * statistics.median(steps) / math.sqrt(2) + floor), rise


def log(value: float, least: float) -> float:
    return math.nan if math.isnan(value) else math.log(max(value, least))


def filter_jumps(block: Block) -> Found:
    records = len(block.iterations)
    logs = [[log(value, TINY) for value in row] for row in block.update_ratio.tolist()]
    middles = [
        [median([row[at] for row in logs[layer.filter_rows]]) for at in range(records)] for layer in block.layers
    ]
    network = [median([row[at] for row in middles if row[at] > math.log(1e-9)]) for at in range(records)]
    found: Found = set()
    for layer, middle in zip(block.layers, middles, strict=True):
        rows = range(layer.filter_rows.start, layer.filter_rows.stop)
        against = [
            max((v for v in (m, n - 2) if not math.isnan(v)), default=math.nan)
            for m, n in zip(middle, network, strict=True)
        ]
        relative = {f: [value - floor for value, floor in zip(logs[f], against, strict=True)] for f in rows}
        for at in range(12, records):
            hit = []
            for f in rows:
                z, rise = z_and_rise(relative[f], at, 0.15)
                u, r = float(block.update_ratio[f, at]), relative[f][at]
                if u > 0.25 and r > math.log(6) and z > 6 and rise > math.log(6):
                    hit.append(f - layer.first_filter)
            if hit and len(hit) <= max(1, 0.5 * layer.filters):
                found.add((int(block.iterations[at]), layer.name, tuple(hit)))
    return found


def dead_filters(block: Block) -> Found:
    """g < 1e-5 times the 75 % quantile: 3 records long, > 80 % of those before alive, a tenth of the layer within 2."""
    found: Found = set()
    for layer in block.layers:
        norms = block.gradient_norm[layer.filter_rows].tolist()
        tiny = [[False] * len(block.iterations) for _ in norms]
        for at in range(len(block.iterations)):
            column = sorted(row[at] for row in norms if math.isfinite(row[at]))
            usual = column[max(0, math.ceil(0.75 * len(column)) - 1)] if column else math.nan
            for f, row in enumerate(norms):
                tiny[f][at] = usual > 0 and row[at] < 1e-5 * usual
        newly: list[set[int]] = []
        for at in range(len(block.iterations)):
            begun = set()
            for f, row in enumerate(tiny):
                if at < 6 or not all(row[at - 2 : at + 1]) or row[at - 3]:
                    continue
                before = row[max(0, at - 13) : at - 2]
                if before.count(False) / len(before) > 0.8:
                    begun.add(f)
            newly.append(begun)
        for at in range(12, len(block.iterations)):
            both = newly[at] | newly[at - 1]
            if len(both) >= max(2, 0.1 * layer.filters):
                found.add((int(block.iterations[at - 2]), layer.name, tuple(sorted(both))))
                break
    return found


def frozen_layers(block: Block) -> Found:
    ratios = (block.layer_updates / np.maximum(block.layer_weights, TINY)).tolist()
    records = len(block.iterations)
    moved = [median([row[at] for row in ratios if row[at] > 0]) for at in range(records)]
    still = [[row[at] < 1e-4 * moved[at] for at in range(records)] for row in ratios]
    found: Found = set()
    for layer, row in zip(block.layers, still, strict=True):
        for at in range(12, records):
            if all(row[at - 2 : at + 1]) and not any(row[max(0, at - 10) : at - 2]):
                found.add((int(block.iterations[at - 2]), layer.name))
    return found


def layer_jumps(block: Block) -> Found:
    records, ratios = len(block.iterations), block.layer_updates / np.maximum(block.layer_weights, TINY)
    logs = [[log(value, 1e-9) for value in row] for row in ratios.tolist()]
    moved = [median([value for value in column if value > 0]) for column in ratios.T.tolist()]
    middles = [math.nan if math.isnan(value) else math.log(value) for value in moved]
    weights = np.log(block.layer_weights.astype(np.float64)).tolist()
    found: Found = set()
    for at in range(12, records):
        leaps = [row[at] - row[at - 1] for row in weights]
        for number, layer in enumerate(block.layers):
            against = [value - middle for value, middle in zip(logs[number], middles, strict=True)]
            z, rise = z_and_rise(against, at, 0.15)
            is_jump = z > 9 and rise > math.log(3) and ratios[number, at] > 0.1
            if is_jump or (abs(leaps[number]) > 0.3 and abs(leaps[number] - median(leaps)) > 0.25):
                found.add((int(block.iterations[at]), layer.name))
    return found


def jumps(block: Block, values: list[float], limits: tuple[float, float, float, float]) -> Found:
    least_z, times, floor, least = limits
    logs = [math.nan if math.isnan(value) else math.log(value) for value in values]
    found: Found = set()
    for at in range(12, len(values)):
        either = [measure(logs, at, floor) for measure in (z_and_rise, recent_z_and_rise)]
        if values[at] > least and any(z > least_z and rise > math.log(times) for z, rise in either):
            found.add((int(block.iterations[at]),))
    return found


def update_jumps(block: Block) -> Found:
    ratios = block.layer_updates / np.maximum(block.layer_weights, TINY)
    values = []
    for column in ratios.T.tolist():
        known = [value for value in column if math.isfinite(value)]
        most_move = 2 * sum(value == 0 for value in known) < len(known)
        values.append(math.exp(median([log(value, 1e-9) for value in known])) if most_move else math.nan)
    return jumps(block, values, (6, 2.2, 0.1, 0))


def gradient_jumps(block: Block) -> Found:
    totals = []
    for column in block.layer_gradients.T.tolist():
        finite = [value for value in column if math.isfinite(value)]
        totals.append(math.sqrt(sum(value * value for value in finite)) if finite else math.nan)
    return jumps(block, larger(totals, block.largest["gradient_norm"]), (7, 4, 0.2, 0))


def loss_jumps(block: Block) -> Found:
    losses = [value if math.isfinite(value) else math.nan for value in block.loss.tolist()]
    values = [max(value, 1e-3) for value in larger(losses, block.largest["loss"])]
    return jumps(block, values, (6, 3, 0.25, 0.5))


def larger(values: list[float], between) -> list[float]:
    """Return the larger of each two, NaN where both are."""
    return [max(known([one, other]), default=math.nan) for one, other in zip(values, between.tolist(), strict=True)]


def norm_shifts(block: Block) -> Found:
    """ln of a shift: z > 6, x 4, and m > .5 or v > .5 or a > .3; or the share of zero scales rises by > .2."""
    least = {"mean_shift": 0.5, "variance_shift": 0.5, "scale_shift": 0.3}
    found: Found = set()
    for number, norm in enumerate(("bn1", "bn2", "bn3")):
        for at in range(12, len(block.iterations)):
            is_hit = False
            for name, limit in least.items():
                values = block.norms[name][number].tolist()
                logs = [math.nan if math.isnan(value) else math.log(value + 1e-4) for value in values]
                for z, rise in (z_and_rise(logs, at, 0.25), recent_z_and_rise(logs, at, 0.25)):
                    is_hit |= z > 6 and rise > math.log(4) and values[at] > limit
            zeros = block.norms["zero_scales"][number].tolist()
            if is_hit or zeros[at] - zeros[at - 1] > 0.2:
                found.add((int(block.iterations[at]), norm))
    return found


def rate_jumps(block: Block) -> Found:
    rates = block.learning_rate.tolist()
    largest = larger(rates, block.largest["learning_rate"])
    ats = range(12, len(rates))
    return {(int(block.iterations[at]),) for at in ats if rates[at - 1] > 0 and largest[at] / rates[at - 1] >= 2}


def nonfinite(block: Block) -> Found:
    """Each beginning: a record with NaN or Inf of which the 12 before have none."""
    found: Found = set()
    last = -100
    for at in range(len(block.iterations)):
        weights, gradients = block.bad_weights[:, at] > 0, block.bad_gradients[:, at] > 0
        if not (weights.any() or gradients.any() or math.isinf(block.loss[at])):
            continue
        if at - last > 12:
            rule = "weights" if weights.any() else "gradients" if gradients.any() else "loss"
            hit = [
                layer.name
                for layer, w, g in zip(block.layers, weights, gradients, strict=True)
                if (w if rule == "weights" else g)
            ]
            layer = hit[0] if hit and len(hit) <= len(block.layers) / 2 else None
            found.add((int(block.iterations[at]), rule, layer))
        last = at
    return found
