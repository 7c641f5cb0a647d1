"""Judges the runs in some folders, and remembers who looked at judging seeds, and with which detectors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.truth.corpus.checksum import checksum
from tests.truth.corpus.found import find
from tests.truth.corpus.judge import Judgement, judge, read_truth
from tests.truth.corpus.table import Heading

PACKAGE = Path(__file__).resolve().parents[3] / "dtui"
DETECTORS = (
    "analysis/detectors/**/*.py",
    "analysis/incidents/**/*.py",
    "analysis/rises/*.py",
    "query/incidents/walk.py",
)
"""All files that decide what is found."""

LOOKS = "looks.jsonl"
"""Beside the runs of judging seeds: one line a look, with the method and the detectors' checksum."""


def judge_folders(folders: Iterable[Path], method: str) -> list[Judgement] | None:
    """Judge all runs of some folders; None where this dtui does not have the method.

    Raises:
        ValueError: A folder has no run with its truth.
        DtuiError: A run cannot be read.
    """
    judgements = []
    for folder in folders:
        truths = sorted(folder.glob("*.truth.json"))
        if not truths:
            raise ValueError(f"{folder}: no run of the corpus there; make some with `make -o {folder}`")
        for path in truths:
            began = time.process_time()
            found = find(path.with_name(path.name.replace(".truth.json", ".dtui")), method)
            if found is None:
                return None
            judgements.append(judge(read_truth(path), found, time.process_time() - began))
    return judgements


def heading_of(
    folders: Sequence[Path], method: str, judgements: Sequence[Judgement], package: Path = PACKAGE
) -> Heading:
    """Return what the table says of itself; writes down the look where judging seeds are among the runs."""
    state = checksum(package, DETECTORS)
    looks = [state]
    if any(each.truth.block == "judging" for each in judgements):
        for folder in folders:
            path = folder / LOOKS
            known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            looks += [each["checksum"] for each in known if each["method"] == method]
            with path.open("a") as lines:
                lines.write(json.dumps({"method": method, "checksum": state}) + "\n")
    makers = {each.truth.corpus for each in judgements}
    return Heading(method, state, len(looks), len(set(looks)), len(makers))
