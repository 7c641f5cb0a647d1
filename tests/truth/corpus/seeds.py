"""Which seeds detectors are tuned with and which judge them, and what each of them trains.

What a seed trains follows from its number alone. Half of the seeds have 200 classes, a quarter of each half is
healthy; data, networks, optimizers, schedules and kinds of fault are dealt out evenly over the seeds of a block.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

from tests.truth.corpus.faults import Kind
from tests.truth.corpus.kinds import KINDS
from tests.truth.corpus.networks import NETWORKS, OPTIMIZERS, SCHEDULES

TUNING = range(48)
"""Detectors are made and tuned with these, as often as one likes."""

OF_CLASSES = range(500, 516)
"""For tuning, too: 200 classes each, and nothing but faults of single classes, which the other seeds have few of."""

JUDGED_FIRST, JUDGED_SECOND, JUDGED_THIRD = range(1000, 1096), range(2000, 2096), range(3000, 3096)
JUDGED_FOURTH, JUDGED_FIFTH, JUDGED_SIXTH = range(4000, 4096), range(5000, 5096), range(6000, 6096)
"""These judged the detectors as they were; what was seen there has shaped them since, so that they tune as well."""

JUDGING = range(7000, 7096)
"""These are opened when the detectors are frozen: what was seen to fail on them proves nothing after it is mended."""

BLOCKS = {
    "tuning": TUNING,
    "classes": OF_CLASSES,
    "judged-first": JUDGED_FIRST,
    "judged-second": JUDGED_SECOND,
    "judged-third": JUDGED_THIRD,
    "judged-fourth": JUDGED_FOURTH,
    "judged-fifth": JUDGED_FIFTH,
    "judged-sixth": JUDGED_SIXTH,
    "judging": JUDGING,
}

RECORDS = 160
EVERY = (4, 6)
_DATA = ("mnist", "digits", "silhouettes")
_NORMALISATION = {"normalised": ("batch", "any"), "residual": ("batch", "any"), "layered": ("any",)}
_FAULTS = 3
_OF_ONE_CLASS = ("poisoned labels", "dropped class")
_FIRST = (22, 37)
_APART = (38, 43)
"""Records from the beginning of one fault to that of the next: 25 and what the longest fault lasts, less its tail."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed trains.

    Attributes:
        seed: Its number.
        data: Key of `data.DATA`.
        network: Key of `NETWORKS`.
        optimizer: One of `OPTIMIZERS`.
        schedule: One of `SCHEDULES`.
        every: Iterations from one record to the next.
        records: Records of the whole training.
        faults: Kind of each fault and the record before which it begins; empty for a healthy training.
    """

    seed: int
    data: str
    network: str
    optimizer: str
    schedule: str
    every: int
    records: int
    faults: tuple[tuple[str, int], ...] = ()

    @property
    def iterations(self) -> int:
        """Updates of the whole training."""
        return self.every * (self.records - 1) + 1


def seeds_of(words: str) -> list[int]:
    """Read names of `BLOCKS`, numbers and ranges, such as "tuning" or "0,3-7".

    Raises:
        ValueError: It is none of that, or a seed that no block has.
    """
    seeds: list[int] = []
    for word in words.split(","):
        if word in BLOCKS:
            seeds += BLOCKS[word]
            continue
        first, dash, last = word.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError(f"seeds {word!r}: give {', '.join(BLOCKS)}, a number or a range such as 0-7")
        seeds += range(int(first), int(last or first) + 1)
    for seed in seeds:
        block_of(seed)
    return seeds


def block_of(seed: int) -> str:
    """Return the name of its block, one of `BLOCKS`.

    Raises:
        ValueError: No block has the seed.
    """
    for name, block in BLOCKS.items():
        if seed in block:
            return name
    listed = ", ".join(f"{block.start}-{block.stop - 1} ({name})" for name, block in BLOCKS.items())
    raise ValueError(f"seed {seed} is in no block; the corpus has {listed}")


def plan_of(seed: int) -> Plan:
    """Return what a seed trains.

    Raises:
        ValueError: No block has the seed.
    """
    block = block_of(seed)
    return _plans(block)[seed - BLOCKS[block].start]


@cache
def _plans(block: str) -> tuple[Plan, ...]:
    """Deal out everything over the seeds of a block."""
    random = np.random.default_rng((11, BLOCKS[block].start))
    if block == "classes":
        return tuple(_of_classes(seed, number, random) for number, seed in enumerate(BLOCKS[block]))
    dealt = {False: Counter[str](), True: Counter[str]()}
    return tuple(_plan(seed, number, random, dealt) for number, seed in enumerate(BLOCKS[block]))


def _of_classes(seed: int, number: int, random: np.random.Generator) -> Plan:
    """Return a plan of 200 classes with three faults of single classes, both kinds in turn."""
    mixed = 7 * number % (len(NETWORKS) * len(OPTIMIZERS) * len(SCHEDULES))
    network, rest = list(NETWORKS)[mixed % len(NETWORKS)], mixed // len(NETWORKS)
    hand = [KINDS[_OF_ONE_CLASS[(number + turn) % len(_OF_ONE_CLASS)]] for turn in range(_FAULTS)]
    return Plan(
        seed,
        "characters",
        network,
        OPTIMIZERS[rest % len(OPTIMIZERS)],
        SCHEDULES[rest // len(OPTIMIZERS)],
        EVERY[number % len(EVERY)],
        RECORDS,
        _begun(hand, random),
    )


def _plan(seed: int, number: int, random: np.random.Generator, dealt: dict[bool, Counter[str]]) -> Plan:
    turn, is_large = number // 2, bool(number % 2)
    mixed = (turn * 7 + 13 * is_large) % (len(NETWORKS) * len(OPTIMIZERS) * len(SCHEDULES))
    network = list(NETWORKS)[mixed % len(NETWORKS)]
    mixed //= len(NETWORKS)
    faults: tuple[tuple[str, int], ...] = ()
    if turn % 4 != 3:
        faults = _begun(_deal(network, random, dealt[is_large]), random)
    return Plan(
        seed,
        "characters" if is_large else _DATA[turn % len(_DATA)],
        network,
        OPTIMIZERS[mixed % len(OPTIMIZERS)],
        SCHEDULES[mixed // len(OPTIMIZERS)],
        EVERY[(turn // 2) % len(EVERY)],
        RECORDS,
        faults,
    )


def _deal(network: str, random: np.random.Generator, dealt: Counter[str]) -> list[Kind]:
    """Take those kinds that were dealt least often of those that the network can have, a fatal one at the end."""
    able = [kind for kind in KINDS.values() if not kind.needs or kind.needs in _NORMALISATION.get(network, ())]
    random.shuffle(able)
    able.sort(key=lambda kind: dealt[kind.name])
    hand: list[Kind] = []
    for kind in able:
        if len(hand) < _FAULTS and not (kind.is_fatal and any(other.is_fatal for other in hand)):
            hand.append(kind)
    dealt.update(kind.name for kind in hand)
    random.shuffle(hand)
    return sorted(hand, key=lambda kind: kind.is_fatal)


def _begun(hand: list[Kind], random: np.random.Generator) -> tuple[tuple[str, int], ...]:
    """Give each fault the record before which it begins."""
    record = int(random.integers(*_FIRST))
    begun = []
    for kind in hand:
        begun.append((kind.name, record))
        record += int(random.integers(*_APART))
    return tuple(begun)
