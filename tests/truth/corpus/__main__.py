"""Makes the runs of the corpus, and judges them: `python -m tests.truth.corpus make|judge`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from dtui.errors import DtuiError
from tests.truth.corpus import table
from tests.truth.corpus.data import MissingData
from tests.truth.corpus.found import METHODS
from tests.truth.corpus.judging import heading_of, judge_folders
from tests.truth.corpus.seeds import BLOCKS, seeds_of
from tests.truth.corpus.train import make_seed


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.truth.corpus", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make runs; those that are there already are kept")
    blocks = ", ".join(f"{name}: {block.start}-{block.stop - 1}" for name, block in BLOCKS.items())
    make.add_argument("--seeds", required=True, help=f"tuning, judging, or N[-M][,N…] ({blocks})")
    make.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    make.add_argument("--jobs", type=int, default=1, help="processes, each with one core (default 1)")
    judge = commands.add_parser("judge", help="judge runs and print the table")
    judge.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    judge.add_argument("--method", choices=METHODS, help="what to judge (default: all that this dtui has)")
    judge.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args(arguments)
    try:
        if given.command == "make":
            return _make(given.seeds, given.output, given.jobs)
        return _judge(given.folders, [given.method] if given.method else list(METHODS), given.json)
    except (ValueError, MissingData, DtuiError) as error:
        print(f"corpus: {error}", file=sys.stderr)
        return 2


def _make(words: str, folder: Path, jobs: int) -> int:
    seeds = seeds_of(words)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, jobs), context) as pool:
        for made in as_completed([pool.submit(make_seed, seed, folder) for seed in seeds]):
            seed, seconds = made.result()
            print(f"seed {seed}: " + (f"{seconds:.1f} s" if seconds else "kept"), flush=True)
    return 0


def _judge(folders: list[Path], methods: list[str], is_json: bool) -> int:
    told: dict[str, object] = {}
    for method in methods:
        judgements = judge_folders(folders, method)
        if judgements is None:
            print(f"corpus: this dtui has no {method}", file=sys.stderr)
            continue
        heading = heading_of(folders, method, judgements)
        if is_json:
            told[method] = table.as_json(heading, judgements)
        else:
            print(table.as_text(heading, judgements))
    if is_json:
        print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
