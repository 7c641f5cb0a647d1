"""What the pane of a batch says, at every width."""

from __future__ import annotations

import numpy as np

from dtui.model.findings.batches import BatchAnswer, KeptBatch, StandoutSample
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.batch import BatchPicture
from tests.unit.renderables.builders import frame


def batch(iteration: int, samples: list[int], count: int | None = None) -> KeptBatch:
    return KeptBatch(iteration, np.array(samples), len(samples) if count is None else count)


FOUND = BatchAnswer(
    611,
    batch(610, [8, 7, 412, *range(1000, 1040)], 50),
    (batch(609, [5, 6]), batch(608, [99, 3305, 4])),
    (
        StandoutSample(1973, 11, 25, 11, 1e-13),
        StandoutSample(412, 8, 25, 10, 4.3e-07),
        StandoutSample(3305, 6, 25, 9, 0.001),
    ),
    25,
)


def lines(width: int, height: int, found: BatchAnswer = FOUND) -> list[str]:
    return [line.rstrip() for line in to_text(BatchPicture(found).draw(frame(width, height))).split("\n")]


def test_who_stands_out_is_first_and_then_the_samples() -> None:
    text = lines(80, 14)
    assert text[0] == " Batch of 610  50 samples, the first 43 kept · the nearest kept before 611"
    assert text[1] == "  samples that stand before more of the 25 triggers than chance allows"
    assert text[2:5] == [
        "    1973  11 of 25 triggers · by chance 1·10⁻¹³",
        "     412  8 of 25 triggers · by chance 4·10⁻⁷  ← in this batch",
        "    3305  6 of 25 triggers · by chance 0.001  ← in that of 608",
    ]
    assert text[6].startswith(" 412 8 7 1000 1001")
    assert text[-5:-2] == [" the batches before it:", " 609  5 6", " 608  3305 99 4"]


def test_a_sample_that_stands_out_is_lit_where_it_stands() -> None:
    cells = BatchPicture(FOUND).draw(frame(80, 14))
    assert cells.fg[6, 1] == DARK.incorrect
    assert cells.fg[6, 5] == DARK.bright
    assert cells.fg[2, 4] == DARK.muted


def test_a_wide_pane_has_both_beside_each_other() -> None:
    text = lines(150, 12)
    assert text[1].startswith("  samples that stand before more of the 25 triggers than chance allows")
    assert "412 8 7 1000" in text[1]


def test_what_has_no_room_is_counted() -> None:
    short = lines(60, 8)
    assert any(line.endswith("more") and "…" in line for line in short)
    many = BatchAnswer(20, batch(20, [3]), (batch(10, range(100, 140)), batch(0, range(200, 240))), (), 0)
    assert any(line.endswith("more") for line in lines(60, 9, many))
    assert not any("more" in line for line in lines(60, 16, many)), "with room, they stand there in full"
    assert lines(1, 1) == [" "] or lines(1, 1) == [""]


def test_a_batch_that_comes_again_is_said_to_be_the_same() -> None:
    """A loader that is stuck gives the same samples, in any order."""
    found = BatchAnswer(20, batch(20, [3, 5, 8]), (batch(10, [8, 3, 5]), batch(0, [8, 3, 6])), (), 0)
    assert lines(80, 12, found)[4:7] == [" the batches before it:", " 10  the same samples", " 0  8 3 6"]


def test_nobody_stands_out() -> None:
    text = lines(80, 8, BatchAnswer(20, batch(20, [3]), (), (), 1))
    assert text[0] == " Batch of 20  1 sample"
    assert text[1] == "  1 trigger: too few to say which samples are behind it"
    text = lines(80, 8, BatchAnswer(20, batch(20, [3]), (), (), 0))
    assert text[1] == "  nothing fired in this run and there is no incident, so no sample stands out"
    text = lines(80, 8, BatchAnswer(20, batch(20, [3]), (), (), 8))
    assert text[1] == "  no sample stands before more of the 8 triggers than chance allows"
