"""What the pane of a batch says, at every width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.model import Curves, TimeAxis
from dtui.model.findings.batches import BatchAnswer, KeptBatch, StandoutSample
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.batches.batch import BatchPicture
from dtui.tui.renderables.panes.batches.sample_times import SampleTimesPicture
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
    assert text[6] == " batch  samples"
    assert text[7].startswith("   610  412 8 7 1000 1001")
    assert [line for line in text[8:] if line[3:6] in ("609", "608")] == ["   609  5 6", "   608  3305 99 4"]


def test_each_batch_has_its_loss_and_the_first_line_says_whether_it_is_usual() -> None:
    own, *before = (
        replace(one, loss=loss) for one, loss in zip((FOUND.batch, *FOUND.before), (6.02, 0.5, 0.7), strict=True)
    )
    found = replace(FOUND, batch=own, before=tuple(before))
    text = lines(150, 16, found)
    assert "loss 6.02, 10.0 times the median of those before it" in text[0]
    assert text[6].split() == ["batch", "loss", "samples"]
    assert {line.split()[0]: line.split()[1] for line in text[7:] if "▇" in line or "▉" in line} == {
        "610": "6.02",
        "609": "0.500",
        "608": "0.700",
    }
    assert text[7].count("▇") == 10
    assert next(line for line in text if "0.700" in line).split() == ["608", "0.700", "▇", "3305", "99", "4"]
    assert "▇" not in "".join(lines(80, 14, found)), "a narrow pane has no room for bars, but for the numbers"
    assert lines(80, 14, found)[7].split()[:3] == ["610", "6.02", "412"]


def test_a_sample_that_stands_out_is_lit_where_it_stands() -> None:
    cells = BatchPicture(FOUND).draw(frame(80, 14))
    assert cells.fg[7, 8] == DARK.incorrect
    assert cells.fg[7, 12] == DARK.bright
    assert cells.fg[2, 4] == DARK.muted


def test_the_picked_sample_is_marked() -> None:
    cells = BatchPicture(FOUND, 1).draw(frame(80, 14))
    assert [row for row in range(14) if cells.mark[row].any()] == [3]


def test_when_samples_were_trained_on_stands_on_the_time_axis() -> None:
    samples = tuple(
        replace(one, held=held, before=held[1:])
        for one, held in zip(FOUND.standouts, ((100, 500), (300, 611), (50, 60, 900)), strict=True)
    )
    curves = Curves(TimeAxis(0, 1000, 100), {}, {"loss": np.tile(np.linspace(2, 1, 100), (2, 1))})
    found = replace(FOUND, standouts=samples, fired=(503, 611, 902))
    where = replace(frame(134, 20), axis=TimeAxis(0, 1000, 100), gutter=34)
    cells = SampleTimesPicture(found, samples, 1, curves).draw(where)
    text = to_text(cells).split("\n")
    assert "█ right before a trigger  │ another batch" in text[0]
    assert text[1].startswith(" largest loss")
    assert "lit: batches with 412" in text[2]
    rows = {line.replace("▌", " ").split()[0]: line for line in text if line[2:3].isdigit()}
    assert [at for at, glyph in enumerate(rows["3"][34:]) if glyph == "█"] == [50, 61, 90], "the three triggers"
    assert [at for at, glyph in enumerate(rows["412"][34:]) if glyph == "█"] == [61]
    assert [at for at, glyph in enumerate(rows["412"][34:]) if glyph == "│"] == [30]
    assert "1 of its 10 batches" in rows["412"]
    lit = cells.fg[2:9, 34:] == DARK.flag
    assert sorted(set(np.nonzero(lit)[1].tolist())) == [30, 61], "where the picked sample was trained on"


def test_a_run_without_a_loss_has_the_rows_alone() -> None:
    found = replace(FOUND, fired=(503,))
    where = replace(frame(134, 8), axis=TimeAxis(0, 1000, 100), gutter=34)
    text = to_text(SampleTimesPicture(found, found.standouts, 0, None).draw(where)).split("\n")
    assert "loss" not in "\n".join(text)
    assert text[1].startswith("  1 trigger")


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
    assert lines(80, 12, found)[5:7] == ["    10  the same samples", "     0  8 3 6"]


def test_nobody_stands_out() -> None:
    text = lines(80, 8, BatchAnswer(20, batch(20, [3]), (), (), 1))
    assert text[0] == " Batch of 20  1 sample"
    assert text[1] == "  1 trigger: too few to say which samples are behind it"
    text = lines(80, 8, BatchAnswer(20, batch(20, [3]), (), (), 0))
    assert text[1] == "  nothing fired in this run and there is no incident, so no sample stands out"
    text = lines(80, 8, BatchAnswer(20, batch(20, [3]), (), (), 8))
    assert text[1] == "  no sample stands before more of the 8 triggers than chance allows"
