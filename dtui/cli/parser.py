"""Lists every command, and declares the arguments of those that are not declared beside what runs them.

Owns the names and defaults that people type. README shows the examples given here; a test compares them.
"""

from __future__ import annotations

import argparse

from dtui.cli import compare, files, images, relations
from dtui.cli.command import (
    Command,
    add_fail_on,
    add_json,
    add_quiet,
    add_run,
    add_run_and_json,
    add_screen,
    positive,
)
from dtui.cli.launching import launch
from dtui.cli.reporting import nightly
from dtui.cli.samples import batch
from dtui.cli.shell import completion
from dtui.cli.watching import serve, watch

RULES = ("left", "right", "either")
EXIT_CODES = "exit codes: 0 done or fine, 1 judged not fine, 2 could not judge, 3 run unreadable, 130 interrupted"


def parse_threshold(text: str) -> tuple[str, float]:
    """Return the unit and value of a threshold: "20%" and "0.2" are a share of the class, "5" is five images.

    Raises:
        argparse.ArgumentTypeError: It is neither, or out of range.
    """
    try:
        if text.endswith("%"):
            unit, value = "share", float(text[:-1]) / 100
        elif "." in text:
            unit, value = "share", float(text)
        else:
            unit, value = "images", float(int(text))
    except ValueError:
        unit, value = "share", -1.0
    if not 0 < value <= (1 if unit == "share" else 1e9):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a share (20% or 0.2) nor a number of images (5)")
    return unit, value


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", nargs="?", help="where to record (default: a new run under ./runs)")
    parser.add_argument("--headless", action="store_true", help="only train and record, show nothing")
    parser.add_argument(
        "--iterations", type=positive, default=2400, metavar="N", help="optimizer updates (default: %(default)s)"
    )
    parser.add_argument(
        "--every",
        type=positive,
        default=10,
        metavar="N",
        help="iterations between records (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default: %(default)s)")
    add_screen(parser)


def _runs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", nargs="?", default="runs", help="a folder of runs (default: ./runs)")
    add_json(parser)


def _incidents_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--since", type=int, default=None, metavar="I", help="only what goes on at iteration I or later"
    )
    add_fail_on(parser)
    add_json(parser)


def _anomalies_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--since", type=int, default=None, metavar="I", help="only from iteration I on")
    parser.add_argument("--rule", choices=RULES, default="either", help="which rule for classes (default: %(default)s)")
    parser.add_argument(
        "--window",
        type=positive,
        metavar="K",
        help="validations that agree before or after the flip (default: 5)",
    )
    parser.add_argument(
        "--threshold",
        type=parse_threshold,
        default=("share", 0.2),
        metavar="T",
        help="fewest flips of one class: 20%% or 0.2 of its images, or 5 images (default: 20%%)",
    )
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="only this class")
    parser.add_argument("--top", type=positive, metavar="N", help="only the N strongest, by falling score")
    add_fail_on(parser)
    add_json(parser)


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help="one run, or several in one report")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the .html, .pdf, .txt or .md file to write, - for standard output, or a folder",
    )
    parser.add_argument(
        "--format",
        choices=("html", "pdf", "text", "markdown"),
        help="instead of what OUT ends in (default for a pipe or -: html)",
    )
    parser.add_argument(
        "--section", action="append", metavar="NAME", help="only this section; may be given several times"
    )
    add_quiet(parser)
    parser.add_argument(
        "--compare", action="store_true", help="of three runs or more, put the first beside each of the others, too"
    )
    add_json(parser)


COMMANDS = (
    Command(
        "demo",
        "Train a small network on real digits here, and watch it live.",
        (
            ("dtui demo", "record into a new run under ./runs and open it"),
            ("dtui demo runs/try --iterations 500 --every 5 --seed 1", "shorter, finer, another seed"),
            ("dtui demo runs/try --headless", "only train; open it from another terminal"),
        ),
        "on_screen.demo",
        _demo_arguments,
    ),
    launch.COMMAND,
    Command(
        "runs",
        "List the runs in a folder, the newest first.",
        (("dtui runs sample_runs", "one line a run"), ("dtui runs sample_runs --json", "the same for a script")),
        "reading",
        _runs_arguments,
    ),
    Command(
        "info",
        "Say what a run holds: how it ended, where it was resumed, what is missing, what was NaN or Inf.",
        (
            ("dtui info sample_runs/mnist-faults", "status, size, joins, gaps, findings"),
            ("dtui info sample_runs/mnist-faults --json", "the same for a script"),
        ),
        "reading",
        add_run_and_json,
    ),
    Command(
        "incidents",
        "Say what happened in a run: one sentence for each cause, from all that was recorded.",
        (
            ("dtui incidents sample_runs/mnist-faults", "what happened, when, and whether it is still so"),
            ("dtui incidents sample_runs/mnist-faults --since 1000 --json", "with all evidence, for a script"),
            ("dtui incidents runs/nightly --fail-on 1", "exit with 1 if there is any"),
        ),
        "incidents",
        _incidents_arguments,
    ),
    Command(
        "state",
        "Say what is so at the end of a run: dead filters, filters that still move, layers that do not learn.",
        (
            ("dtui state sample_runs/mnist-faults", "one line a layer and state, with since when"),
            ("dtui state sample_runs/mnist-faults --json", "every filter, for a script"),
        ),
        "incidents",
        add_run_and_json,
    ),
    Command(
        "anomalies",
        "List the anomaly iterations: where unusually many images of a class flip, or the flight recorder fired.",
        (
            ("dtui anomalies sample_runs/mnist-faults", "all of them, by iteration"),
            ("dtui anomalies sample_runs/mnist-faults --rule left --window 10", "left rule over ten validations"),
            ("dtui anomalies sample_runs/mnist-faults --class 3 --since 200", "one class, from iteration 200 on"),
            ("dtui anomalies sample_runs/mnist-faults --top 10", "the strongest first"),
            ("dtui anomalies sample_runs/mnist-faults --threshold 5 --json", "at least five images, for a script"),
            ("dtui anomalies runs/nightly --fail-on 1", "exit with 1 if there is any"),
        ),
        "reading",
        _anomalies_arguments,
    ),
    *relations.COMMANDS,
    *images.COMMANDS,
    *batch.COMMANDS,
    *compare.COMMANDS,
    Command(
        "advise",
        "Propose the threshold for the anomalies of a run, by how many of its validations each would mark.",
        (
            ("dtui advise sample_runs/mnist-faults", "a line a threshold, and the one to use"),
            ("dtui advise sample_runs/mnist-faults --json", "the same for a script"),
        ),
        "judging",
        add_run_and_json,
    ),
    Command(
        "report",
        "Write a report of a run, the verdict first: one HTML file that needs no network, a PDF, "
        "plain text, or Markdown.",
        (
            ("dtui report sample_runs/mnist-faults -o report.html", "one run"),
            ("dtui report sample_runs/mnist-faults -o report.pdf", "to print or to mail"),
            ("dtui report sample_runs/mnist-faults -o report.txt", "at most 40 lines of text, for mail and logs"),
            ("dtui report sample_runs/mnist-faults -o report.md", "for an issue or a pull request"),
            ("dtui report sample_runs/mnist-faults -o report.html --json", "verdict, facts and incidents for a script"),
            ("dtui report sample_runs/mnist-faults -o - --format text", "the same on standard output"),
            ("dtui report sample_runs/mnist-faults -o report.html --quiet", "print nothing but errors"),
            ("dtui report runs/a runs/b --output both.html", "two runs in one file, and where they part"),
            ("dtui report runs/a runs/b runs/c -o all.html --compare", "an index, the first with each of the others"),
            ("dtui report runs/a runs/b -o parts.html --section comparing", "only where they part"),
            ("dtui report sample_runs/mnist-faults -o anomalies.html --section anomalies", "one section"),
        ),
        "files",
        _report_arguments,
    ),
    nightly.COMMAND,
    watch.COMMAND,
    serve.COMMAND,
    *files.COMMANDS,
    completion.COMMAND,
)


def command_list() -> str:
    """Return the list of commands for `dtui --help`."""
    widest = max(len(command.name) for command in COMMANDS)
    lines = [f"  dtui {command.name.ljust(widest)}   {command.summary}" for command in COMMANDS]
    return "commands (each has --help):\n" + "\n".join(lines)
