"""Run the benchmarks: `python -m tests.bench [NAME…] [--json] [--list]`.

A benchmark is a function registered with `@benchmark` in a module tests/bench/*_*.py. They assert nothing about
time: they say how long ours takes beside the reference, on this machine, now.
"""

from __future__ import annotations

import argparse
import json
import math
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import tests.bench
from tests.bench.registry import BENCHMARKS, Benchmark, Measurement


def load_benchmarks() -> Mapping[str, Benchmark]:
    """Import every benchmark module and return what they registered, by name."""
    for module in pkgutil.iter_modules(tests.bench.__path__):
        if "_" in module.name.strip("_"):
            import_module(f"tests.bench.{module.name}")
    return dict(sorted(BENCHMARKS.items()))


def main(arguments: Sequence[str] | None = None, benchmarks: Mapping[str, Benchmark] | None = None) -> int:
    """Run what is named, or all; 0 if every one ran, 1 if one failed, 2 if a name is unknown."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", metavar="NAME", nargs="*", help="benchmarks to run (default: all)")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.add_argument("--list", action="store_true", help="print the names and what each measures")
    options = parser.parse_args(arguments)
    known = load_benchmarks() if benchmarks is None else benchmarks
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"tests.bench: no benchmark {unknown[0]!r}; there are {', '.join(known) or 'none'}", file=sys.stderr)
        return 2
    if options.list:
        for name, function in known.items():
            first_line = (function.__doc__ or "").strip().partition("\n")[0]
            print(f"{name}  {first_line}".rstrip())
        return 0
    measurements, failed = run({name: known[name] for name in options.names or known})
    if options.json:
        print(json.dumps([plain(measurement) for measurement in measurements], indent=2, allow_nan=False))
    elif measurements:
        print(table(measurements))
    return 1 if failed else 0


def run(benchmarks: Mapping[str, Benchmark]) -> tuple[list[Measurement], list[str]]:
    """Run benchmarks one after the other; a failing one is reported on standard error and the rest go on."""
    measurements: list[Measurement] = []
    failed: list[str] = []
    for name, function in benchmarks.items():
        print(f"tests.bench: {name} …", file=sys.stderr, flush=True)
        try:
            measurements += function()
        except Exception as error:
            failed.append(name)
            print(f"tests.bench: {name} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    return measurements, failed


def plain(measurement: Measurement) -> dict[str, object]:
    """Return a measurement for JSON, null where a number is not finite."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in measurement.as_json().items()
    }


def table(measurements: Sequence[Measurement]) -> str:
    """Return the measurements as aligned text."""
    rows = [["name", "ours", "unit", "reference", "value", "ratio"]]
    rows += [
        [row.name, f"{row.ours:.4g}", row.unit, row.reference, f"{row.reference_value:.4g}", f"{row.ratio:.3g}"]
        for row in measurements
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numeric = {1, 4, 5}
    return "\n".join(
        "  ".join(
            cell.rjust(wide) if column in numeric else cell.ljust(wide)
            for column, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
