"""The command on the samples that an update was trained on: batch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dtui.cli.command import Command, add_json, add_run
from dtui.cli.outcome import Outcome
from dtui.errors import UsageError
from dtui.number_text import counted

if TYPE_CHECKING:
    from dtui.model.findings.batches import BatchAnswer, KeptBatch, StandoutSample

SKIPPABLE = ("named", "batch", "before")
WIDTH = 100
MOST_ROWS = 20
SHOWN_BEFORE = 4
SHOWN_IDS = 12
"""Ids of each of the batches before, of which the first are shown."""


def run_batch(options: argparse.Namespace) -> Outcome:
    """List the samples of a batch and those before it, and name those that stand out."""
    from dtui.query import open_run

    with open_run(options.run) as query:
        found, damage = query.batch(options.at), query.faults()
    said = _write_skip_list(options, found) if options.skip is not None else ""
    hidden = f"{options.run}: samples may be missing where it is damaged: {damage[0]}" if damage else ""
    remark = "; ".join(part for part in (said, hidden) if part)
    if options.json:
        from dtui.cli.as_json import to_json

        return Outcome(to_json(batch_fields(found)), remark=remark)
    return Outcome(_text(found), remark=remark)


def batch_fields(found: BatchAnswer) -> dict[str, Any]:
    """Return the object of `dtui batch --json`."""
    return {
        "asked": found.asked,
        **_kept_fields(found.batch),
        "before": [_kept_fields(one) for one in found.before],
        "counted_over": found.unit,
        "events": found.events,
        "standouts": [_standout_fields(one, found) for one in found.standouts],
    }


def _kept_fields(batch: KeptBatch) -> dict[str, Any]:
    return {
        "iteration": batch.iteration,
        "samples": batch.samples.tolist(),
        "count": batch.count,
        "left_out": batch.left_out,
    }


def _standout_fields(one: StandoutSample, found: BatchAnswer) -> dict[str, Any]:
    return {
        "sample": one.sample,
        "times": one.times,
        "of": one.of,
        "batches": one.batches,
        "chance": one.chance,
        "here": one in found.here,
    }


# --- text
def _text(found: BatchAnswer) -> str:
    from dtui.cli.table import paint

    batch = found.batch
    asked = "" if found.is_exact else f", the nearest kept one before {found.asked:,}"
    lines = [
        paint(f"batch of iteration {batch.iteration:,}{asked}: {_size(batch)}", "bold"),
        *_ids(batch.samples.tolist()),
    ]
    for one in found.before[:SHOWN_BEFORE]:
        first = ", ".join(str(number) for number in one.samples[:SHOWN_IDS])
        more = f" and {len(one.samples) - SHOWN_IDS:,} more" if len(one.samples) > SHOWN_IDS else ""
        lines.append(f"{paint('before it', 'dim')}  {one.iteration:,}: {first}{more}")
    if not found.before:
        lines.append(paint("no batch was kept right before it", "dim"))
    return "\n".join([*lines, "", _standouts(found)])


def _size(batch: KeptBatch) -> str:
    left = f", the first {len(batch.samples):,} kept" if batch.left_out else ""
    return f"{counted(batch.count, 'sample')}{left}"


def _ids(samples: Sequence[int]) -> list[str]:
    import textwrap

    return textwrap.wrap(" ".join(str(number) for number in samples), WIDTH) or ["its samples are not known"]


def _standouts(found: BatchAnswer) -> str:
    from dtui.cli.table import paint, table
    from dtui.number_text import number_text

    if not found.standouts:
        return found.heading
    rows = [
        [
            str(one.sample),
            f"{one.times:,} of {one.of:,}",
            f"{one.batches:,}",
            number_text(one.chance, 1),
            "" if (at := found.place_of(one)) is None else f"in {at:,}",
        ]
        for one in found.standouts[:MOST_ROWS]
    ]
    rest = len(found.standouts) - MOST_ROWS
    more = f"; {rest:,} more, --json has all" if rest > 0 else ""
    headings = [">sample", f">{found.unit}s", ">batches", ">by chance", "here"]
    return f"{paint(found.heading + more, 'bold')}\n{table(headings, rows)}"


# --- the skip list
def _write_skip_list(options: argparse.Namespace, found: BatchAnswer) -> str:
    """Write the ids that are to be left out, one a line, and return what was done."""
    from dtui.output import find_target

    ids, what = _skipped(options.skip_of, found)
    if not ids:
        raise UsageError(
            f"{options.run}: no sample stands out, so there is nothing to skip; --skip-of batch writes those of "
            f"iteration {found.batch.iteration:,}"
        )
    target = find_target(options.skip)
    if target.is_standard_output:
        raise UsageError("batch: standard output has the answer; give --skip a file")
    target.write("".join(f"{number}\n" for number in ids).encode())
    done = "replaced" if target.exists else "written"
    return f"{options.skip}: {done}, {counted(len(ids), 'id')} of {what}, one a line"


def _skipped(which: str, found: BatchAnswer) -> tuple[list[int], str]:
    if which == "named":
        return [one.sample for one in found.standouts], "samples that stand out"
    batches = [found.batch] if which == "batch" else [*reversed(found.before), found.batch]
    ids = list(dict.fromkeys(int(number) for batch in batches for number in batch.samples))
    first, last = batches[0].iteration, batches[-1].iteration
    return ids, f"iteration {last:,}" if first == last else f"iterations {first:,} to {last:,}"


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--at", type=int, required=True, metavar="I", help="the iteration, or the nearest kept one before it"
    )
    parser.add_argument("--skip", metavar="FILE", help="write ids into a file, one a line, to leave them out next time")
    parser.add_argument(
        "--skip-of",
        choices=SKIPPABLE,
        default="named",
        help="which ids: the samples that stand out, all of the batch, or those before it, too (default: %(default)s)",
    )
    add_json(parser)


COMMANDS = (
    Command(
        "batch",
        "List the samples that an update was trained on, and name those that triggers follow too often.",
        (
            ("dtui batch sample_runs/mnist-batches --at 611", "its samples, those before it, and who stands out"),
            ("dtui batch sample_runs/mnist-batches --at 611 --json", "the same for a script"),
            ("dtui batch sample_runs/mnist-batches --at 611 --skip skip.txt", "the ids that stand out, one a line"),
            ("dtui batch sample_runs/mnist-batches --at 611 --skip all.txt --skip-of before", "whole batches"),
        ),
        "samples.batch",
        _arguments,
    ),
)
