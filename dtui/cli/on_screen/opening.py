"""The command that opens runs, which is named by no word: its arguments, what a person may configure, what runs it.

People wait for it: it imports none of the other commands, see `parser.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dtui.cli.command import SETTINGS, Command, add_screen
from dtui.cli.outcome import Outcome
from dtui.version import __version__

PLACE = ("at", "class_name", "layer", "filter", "image", "listed", "incident", "screen", "zoom")
"""The options that say where to open a run."""


def run_open(options: argparse.Namespace) -> Outcome:
    """Open the TUI on a run; of several, or of a folder with several, on the list of them; --man prints the manual."""
    if options.man:
        from dtui.cli.parser import COMMANDS, EXIT_CODES
        from dtui.cli.shell.manual import manual

        return Outcome(manual(OPEN, COMMANDS, EXIT_CODES, SETTINGS))
    from dtui.cli.shell.places import runs_to_open

    places, runs = runs_to_open(options.paths)
    show(runs[0], options, places if len(runs) > 1 else ())
    return Outcome()


def show(path: Path, options: argparse.Namespace, places: Sequence[Path] = ()) -> None:
    """Show a run, and the list of some runs and folders if there are several, until a person leaves."""
    from dtui.tui import run_tui

    run_tui(
        path,
        places=places,
        color=options.color,
        ascii=options.ascii,
        theme=options.theme,
        mouse=options.mouse,
        slow_link=options.slow_link,
        bell=options.bell,
        place={name: getattr(options, name, None) for name in PLACE},
    )


def parse_stretch(text: str) -> tuple[int, int]:
    """Return the first iteration and the stop of a stretch of time: "400-600".

    Raises:
        argparse.ArgumentTypeError: It is none, or it is empty.
    """
    first, _, stop = text.partition("-")
    if not (first.isdecimal() and stop.isdecimal() and int(first[:18]) < int(stop[:18])):
        raise argparse.ArgumentTypeError(f"{text!r} is no stretch of iterations, such as 400-600")
    return int(first[:18]), int(stop[:18])


def _open_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="a run, packed or not; or several, or a folder: the list of them (default: ./runs)",
    )
    group = parser.add_argument_group("where to open it")
    group.add_argument("--at", type=int, metavar="N", help="the iteration, or the nearest that was recorded")
    group.add_argument("--class", dest="class_name", metavar="NAME", help="the class: its name or its label")
    group.add_argument("--layer", metavar="NAME", help="the layer or module")
    group.add_argument("--filter", type=int, metavar="N", help="the filter of that layer")
    group.add_argument("--image", type=int, metavar="N", help="the validation image, by its number")
    group.add_argument("--list", dest="listed", metavar="LIST", help="a list of images: always-wrong, hard, easy, …")
    group.add_argument("--incident", metavar="ID", help="the incident, as dtui incidents names it")
    group.add_argument("--screen", metavar="NAME", help="the screen: triage, layers, validation, …, or one inside")
    group.add_argument("--zoom", type=parse_stretch, metavar="A-B", help="show only these iterations")
    add_screen(parser)
    parser.add_argument("--version", action="version", version=f"dtui {__version__}")
    parser.add_argument("--man", action="store_true", help="print the manual page; dtui --man | man -l -")


OPEN = Command(
    "",
    "See inside the training of a neural network, from the terminal of the server it runs on.",
    (
        ("dtui", "the runs under ./runs; if there is one, that run"),
        ("dtui runs/resnet20", "open that run; a live one is followed"),
        ("dtui runs/a runs/b", "a list of both, marked: = compares them"),
        ("dtui --theme light --color 256", "on a light terminal of 256 colours"),
        ("dtui --ascii --no-mouse --slow-link", "over a thin serial line"),
        ("dtui sample_runs/mnist-faults --at 430 --class 4", "open a place, as the key y copies it"),
        ("dtui sample_runs/mnist-faults --layer layer3.0.conv1 --filter 17", "a layer and one of its filters"),
        ("dtui sample_runs/mnist-faults --at 430 --image 410", "an image, as it was judged there"),
        ("dtui sample_runs/mnist-faults --list hard", "the images that were forgotten most often"),
        (
            "dtui sample_runs/mnist-faults --incident incident-430-class-class4 --screen confusion --zoom 300-600",
            "an incident, on a screen and a stretch of time of your choice",
        ),
        ("dtui runs/resnet20 --bell", "ring at a new incident"),
        ("dtui ./info", "open a run that has the name of a command"),
        ("dtui --no-ascii --mouse --no-slow-link --no-bell", "whatever the configuration says"),
        ("dtui --version", "print the version"),
        ("dtui --man", "print the manual page"),
    ),
    "on_screen.opening",
    _open_arguments,
)
