"""Invented records for the detectors of evidence: a calm training with planted trouble, whole or cut into pieces."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from dtui.analysis.detectors.stream.block import Block, Network
from dtui.model import Layer, Trigger

LAYERS = (
    Layer(0, "conv1", "Conv2d", (8, 1, 3, 3), 0),
    Layer(1, "conv2", "Conv2d", (12, 8, 3, 3), 8),
    Layer(2, "conv3", "Conv2d", (12, 12, 1, 1), 20),
    Layer(3, "fc", "Linear", (4, 12), 32),
)
FILTERS = 36
NETWORK = Network(LAYERS, np.array([20, 30, 20]), ("bn1", "bn2", "bn3"), ("conv1", "conv2", ""))


def calm(seed: int, records: int) -> Block:
    """Return records of a training in which nothing happens; every tenth iteration from 9 on, validated as often."""
    random = np.random.default_rng(seed)
    drift = np.exp(-np.arange(records) / 80)

    def around(rows: int, middle: float, spread: float) -> np.ndarray:
        return (middle * drift * np.exp(random.normal(0, spread, (rows, records)))).astype(np.float32)

    iterations = np.arange(records, dtype=np.int64) * 10 + 9
    weights = np.repeat(np.array([[3.0], [5.0], [4.0], [2.0]], dtype=np.float32), records, axis=1)
    return Block(
        layers=LAYERS,
        first=0,
        iterations=iterations,
        update_ratio=around(FILTERS, 0.03, 0.2),
        gradient_norm=around(FILTERS, 0.1, 0.5),
        layer_weights=weights,
        layer_updates=weights * around(4, 0.03, 0.1),
        layer_gradients=around(4, 0.3, 0.2),
        bad_weights=np.zeros((4, records), np.float32),
        bad_gradients=np.zeros((4, records), np.float32),
        loss=0.3 * drift * np.exp(random.normal(0, 0.2, records)),
        validations=iterations,
        errors=np.clip(random.normal(0.1, 0.03, (3, records)), 0, 1).astype(np.float32),
        learning_rate=0.1 * 0.3 ** (np.arange(records) // 40),
        largest={name: np.full(records, np.nan) for name in ("loss", "learning_rate", "gradient_norm")},
        norms={
            **{name: around(3, 0.05, 0.3) for name in ("mean_shift", "variance_shift", "scale_shift")},
            "zero_scales": np.zeros((3, records), np.float32),
        },
    )


def troubled(seed: int, records: int = 90) -> Block:
    """Return records with one of each trouble at places that the seed draws, and with values that are missing."""
    random, block = np.random.default_rng(1000 + seed), calm(seed, records)
    places = random.choice(np.arange(2, records - 8), 9, replace=False)
    jump, die, stop, leap, burst, update, gradient, loss, hole = places.tolist()
    block.update_ratio[3, jump] = random.uniform(0.1, 40)
    block.update_ratio[10:12, jump] = random.uniform(0.1, 40)
    block.gradient_norm[8 : 8 + random.integers(1, 12), die : die + random.integers(1, 40)] = 0
    block.gradient_norm[20, :] = 0
    frozen = (0, 0, 0, 1, 2, 3)[seed % 6]  # layers that are never trained
    block.layer_updates[:frozen] = 0
    block.layer_updates[2, stop : stop + random.integers(1, 10)] = 0
    block.layer_weights[1, leap:] *= random.uniform(1.0, 4)
    block.layer_updates[3, burst] *= random.uniform(1, 40)
    block.layer_updates[:, update] *= random.uniform(1, 8)
    block.update_ratio[:, update] *= random.uniform(1, 8)
    block.layer_gradients[:, gradient] *= random.uniform(1, 30)
    block.loss[loss] *= random.uniform(1, 60)
    for values in (block.update_ratio, block.gradient_norm, block.layer_updates, block.layer_gradients):
        values[:, hole] = np.nan
    block.update_ratio[:, 0] = np.nan
    block.layer_updates[:, 0] = np.nan
    if seed % 3 == 0:
        block.bad_gradients[int(random.integers(4)), int(random.integers(records))] = 3
        block.loss[int(random.integers(records))] = np.inf
    shift, leap_of_rate = random.integers(2, records - 8, 2).tolist()
    block.norms["mean_shift"][1, shift] *= random.uniform(1, 100)
    block.norms["scale_shift"][1, shift] *= random.uniform(1, 100)
    block.norms["variance_shift"][2, jump] *= random.uniform(1, 60)
    block.norms["variance_shift"][0, :] = np.nan
    block.norms["zero_scales"][2, die:] += random.uniform(0, 0.5)
    block.learning_rate[leap_of_rate] *= random.uniform(1, 5)
    block.largest["learning_rate"][update] = block.learning_rate[update] * random.uniform(1, 9)
    block.largest["gradient_norm"][burst] = random.uniform(0, 9)
    block.largest["loss"][burst] = random.uniform(0, 9)
    kinds = ("filter", "update", "gradient", "loss", "nonfinite")
    fired = sorted(random.integers(0, records * 10, 5).tolist())
    layers = ("conv1", "conv2", "nowhere", "", "fc")
    triggers = tuple(
        Trigger(at, kinds[k], layers[int(random.integers(5))], (0, 3, 99), 20.0, 5.0) for k, at in enumerate(fired)
    )
    block.update_ratio[[0, 3, 8, 11], fired[0] // 10 : fired[0] // 10 + 2] += 0.2
    return replace(block, triggers=triggers)


def cut(block: Block, cuts: list[int]) -> list[Block]:
    """Return the records in pieces that begin at the cuts, each with what happened up to its last iteration."""
    edges = [0, *sorted(cuts), len(block.iterations)]
    pieces = []
    for begin, end in itertools.pairwise(edges):
        low = -1 if begin == 0 else int(block.iterations[begin - 1])
        high = 10**9 if end == len(block.iterations) else (low if begin == end else int(block.iterations[end - 1]))
        pieces.append(piece(block, begin, end, low, high))
    return pieces


def piece(block: Block, begin: int, end: int, low: int, high: int) -> Block:
    """Return records from `begin` to `end`, and triggers after iteration `low` up to `high`."""
    records = slice(begin, end)
    of_records = (
        *("update_ratio", "gradient_norm", "layer_weights", "layer_updates", "layer_gradients"),
        *("bad_weights", "bad_gradients", "errors"),
    )
    part = {name: getattr(block, name)[:, records] for name in of_records}
    part |= {name: getattr(block, name)[records] for name in ("iterations", "loss", "validations", "learning_rate")}
    part |= {"largest": {name: values[records] for name, values in block.largest.items()}}
    fired = tuple(trigger for trigger in block.triggers if low < trigger.iteration <= high)
    return replace(block, first=begin, triggers=fired, norms={k: v[:, records] for k, v in block.norms.items()}, **part)
