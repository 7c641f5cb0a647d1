"""Every run that was ever shipped is read as it was on the day it was recorded, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtui.cli import main
from tests.truth.digest import GOLDEN, digest

SAMPLES = Path(__file__).parents[2] / "sample_runs"
KNOWN = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_all_numbers_are_those_of_the_stored_checksums(name):
    """What a later dtui reads beyond them needs no entry; an entry, once there, is never changed."""
    found = digest(SAMPLES / name)
    assert {answer: found.get(answer) for answer in KNOWN[name]} == KNOWN[name]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_all_files_are_whole(name):
    assert main(["check", str(SAMPLES / name)]) == 0


def test_every_sample_has_checksums():
    shipped = {path.name for path in SAMPLES.iterdir() if path.suffix in (".dtui", ".h5")}
    assert shipped == set(KNOWN)


def test_a_packed_sample_answers_as_its_folder():
    assert KNOWN["mnist-resumed.h5"] == KNOWN["mnist-resumed.dtui"]
