"""The list of benchmarks, and the one way to state a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of the benchmark table; `ratio` is ours over reference, or the reverse where larger is better."""

    name: str
    ours: float
    reference: str
    reference_value: float
    unit: str
    ratio: float

    def as_json(self) -> dict[str, object]:
        return asdict(self)


Benchmark = Callable[[], list[Measurement]]
BENCHMARKS: dict[str, Benchmark] = {}


def benchmark(function: Benchmark) -> Benchmark:
    """Register a benchmark under its function name."""
    BENCHMARKS[function.__name__] = function
    return function
