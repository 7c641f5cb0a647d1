"""The commands on images and their wrong labels: images, confusion."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dtui.cli.command import Command, add_json, add_run, label_of, positive
from dtui.cli.outcome import Outcome
from dtui.safe_text import safe

if TYPE_CHECKING:
    from dtui.model.judging import Judging
    from dtui.model.learning import Confusion, ImageList, LearnedImage
    from dtui.query import RunQuery

USUAL_TOP = 20
MOST_PAIRS = 15


def run_images(options: argparse.Namespace) -> Outcome:
    """List images by how they were learned and forgotten."""
    from dtui.query import open_run

    with open_run(options.run) as query:
        classes = _classes(query)
        label = label_of(options.run, options.class_name, classes)
        found = query.image_list(options.list, label, options.top)
        remark, judging = _remark(options.run, query), query.info().judging
    if options.json:
        from dtui.cli.as_json import to_json

        return Outcome(
            to_json(
                {
                    "list": found.name,
                    "total": found.total,
                    "images": [_image_fields(image, classes) for image in found.images],
                }
            ),
            remark=remark,
        )
    return Outcome(_images_table(found, classes, judging), remark=remark)


def run_confusion(options: argparse.Namespace) -> Outcome:
    """Show which wrong labels classes got at a validation, and which confusions grew there."""
    from dataclasses import replace

    from dtui.query import open_run

    with open_run(options.run) as query:
        classes = _classes(query)
        label = label_of(options.run, options.class_name, classes)
        found = query.confusion(options.at, options.window)
        remark, nothing = _remark(options.run, query), _no_confusion(options.run, query)
    if nothing:  # the table would say "not right" of every group
        found, remark = replace(found, pairs=(), grown=()), remark or (nothing if options.json else "")
    if label is not None:
        found = replace(
            found,
            pairs=tuple(pair for pair in found.pairs if pair.target == label),
            grown=tuple(change for change in found.grown if change.target == label),
        )
    if options.json:
        from dtui.cli.as_json import to_json

        return Outcome(to_json(_confusion_fields(found, classes)), remark=remark)
    return Outcome(nothing or _confusion_text(found, classes), remark=remark)


def _classes(query: RunQuery) -> tuple[str, ...]:
    images = query.image_set()
    return images.classes if images is not None else ()


def _remark(run: str, query: RunQuery) -> str:
    """Return one line on why the answer is incomplete: no validations, or damage."""
    if not len(query.validation_iterations()):
        return f"{run}: no validations were recorded, so nothing is known of images"
    faults = query.anomaly_faults()
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{run}: judgements are missing where it is damaged: {faults[0]}{more}" if faults else ""


def _no_confusion(run: str, query: RunQuery) -> str:
    """Return why there is no confusion to speak of: scores decide what is right; "" where labels do."""
    judging = query.info().judging
    if judging is None or judging.is_labelled:
        return ""
    return f"{safe(run)}: no confusions: the {safe(judging.score)} decides what is right; see dtui images"


# --- JSON
def _image_fields(image: LearnedImage, classes: Sequence[str]) -> dict[str, Any]:
    from dtui.cli.as_json import class_name

    return {
        "image": image.image,
        "id": image.id,
        "class": class_name(classes, image.target),
        "judged": image.judged,
        "wrong": image.wrong,
        "forgotten": image.forgotten,
        "first_right": image.first_right,
        "right_at_last": image.is_right_at_last,
        "taken_for": None if image.taken_for is None else class_name(classes, image.taken_for),
        "taken_for_times": image.taken_for_times,
    }


def _confusion_fields(found: Confusion, classes: Sequence[str]) -> dict[str, Any]:
    from dtui.cli.as_json import class_name

    return {
        "iteration": found.iteration,
        "before": found.before,
        "after": found.after,
        "confusions": [
            {
                "class": class_name(classes, pair.target),
                "taken_for": class_name(classes, pair.label),
                "count": pair.count,
                "share": pair.share,
            }
            for pair in found.pairs
        ],
        "grown": [
            {
                "class": class_name(classes, change.target),
                "taken_for": class_name(classes, change.label),
                "before": change.before,
                "after": change.after,
                "count": change.count,
                "score": change.score,
            }
            for change in found.grown
        ],
    }


# --- text
_MEANINGS = {
    "always-wrong": "never right",
    "never-learned": "never right twice in a row; the most often wrong first",
    "easy": "right twice in a row and never forgotten; the first to be right first",
    "hard": "by forgetting events, right and then wrong; then by the share of wrong judgements",
    "forgotten": "learned, and wrong at the last judgement; the most often right first",
}


def _images_table(found: ImageList, classes: Sequence[str], judging: Judging | None = None) -> str:
    from dtui.cli.as_json import class_name
    from dtui.cli.table import sentence, table

    meaning = _MEANINGS[found.name]
    if not found.images:
        return f"no image is in the list {found.name}: {meaning}"
    rows = [
        [
            image.id,
            class_name(classes, image.target),
            f"{image.wrong:,} of {image.judged:,}",
            f"{image.forgotten:,}",
            "never" if image.first_right is None else f"{image.first_right:,}",
            "right" if image.is_right_at_last else "wrong",
            "" if image.taken_for is None else f"{class_name(classes, image.taken_for)} ×{image.taken_for_times:,}",
        ]
        for image in found.images
    ]
    headings = ["image", "class", ">wrong", ">forgotten", ">first right", "at last", "taken for"]
    if judging is not None:
        headings[:2] = ["item", "group"]
        if not judging.is_labelled:
            headings, rows = headings[:-1], [row[:-1] for row in rows]
    shown = f"{len(rows):,} of {found.total:,}" if len(rows) < found.total else f"{found.total:,}"
    return f"{table(headings, rows)}\n{sentence(f'{found.name}: {meaning}; {shown}', 'dim')}"


def _confusion_text(found: Confusion, classes: Sequence[str]) -> str:
    from dtui.cli.as_json import class_name
    from dtui.cli.table import paint, table

    pairs = [
        [class_name(classes, pair.target), class_name(classes, pair.label), f"{pair.count:,}", f"{pair.share:.0%}"]
        for pair in found.pairs[:MOST_PAIRS]
    ]
    grown = [
        [
            class_name(classes, change.target),
            class_name(classes, change.label),
            f"{change.before:.0%}",
            f"{change.after:.0%}",
            f"{change.count:+,.3g}",
        ]
        for change in found.grown[:MOST_PAIRS]
    ]
    wrong = (
        table(["class", "taken for", ">images", ">share"], pairs) if pairs else "nothing was taken for another class"
    )
    rest = _rest(len(found.pairs))
    lines = [wrong, paint(f"at the validation of iteration {found.iteration:,}{rest}", "dim"), ""]
    if not found.before:
        lines.append(paint("it is the first validation, so nothing is known of what grew", "dim"))
    elif not grown:
        lines.append(f"no confusion grew since {_span(found.before)}")
    else:
        since = f"grown from {_span(found.before)} to {_span(found.after)}{_rest(len(found.grown))}"
        lines += [table(["class", "taken for", ">before", ">after", ">images"], grown), paint(since, "dim")]
    return "\n".join(lines)


def _rest(count: int) -> str:
    return f"; {count - MOST_PAIRS:,} more, --json has all" if count > MOST_PAIRS else ""


def _span(iterations: Sequence[int]) -> str:
    first, last = iterations[0], iterations[-1]
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


# --- arguments
def _add_class(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="only images of this class")
    add_json(parser)


def _images_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--list",
        required=True,
        metavar="LIST",
        help="always-wrong, hard, easy, never-learned or forgotten; the last line of the answer says what that means",
    )
    parser.add_argument(
        "--top", type=positive, default=USUAL_TOP, metavar="N", help="only the first N (default: %(default)s)"
    )
    _add_class(parser)


def _confusion_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--at", type=int, required=True, metavar="ITER", help="at the last validation at or before this iteration"
    )
    parser.add_argument(
        "--window",
        type=positive,
        default=1,
        metavar="N",
        help="compare N validations before with N from there on (default: %(default)s)",
    )
    _add_class(parser)


COMMANDS = (
    Command(
        "images",
        "List images by how they were learned: always wrong, hard, easy, never learned, or forgotten.",
        (
            ("dtui images sample_runs/mnist-faults --list hard", "the twenty that were forgotten most often"),
            ("dtui images sample_runs/mnist-faults --list forgotten --class 4 --top 5", "of one class"),
            ("dtui images sample_runs/mnist-faults --list always-wrong --json", "for a script"),
        ),
        "images",
        _images_arguments,
    ),
    Command(
        "confusion",
        "Say what classes were taken for at a validation, and which confusions grew there.",
        (
            ("dtui confusion sample_runs/mnist-faults --at 430", "since the validation before"),
            (
                "dtui confusion sample_runs/mnist-faults --at 430 --class 4 --window 3",
                "one class, three and three",
            ),
            ("dtui confusion sample_runs/mnist-faults --at 430 --json", "for a script"),
        ),
        "images",
        _confusion_arguments,
    ),
)
