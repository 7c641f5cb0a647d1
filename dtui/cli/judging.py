"""The commands that judge a run: advise."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dtui.cli.outcome import Outcome
from dtui.number_text import counted

if TYPE_CHECKING:
    from dtui.model.findings.advice import ThresholdAdvice, ThresholdRow
    from dtui.model.learning import StageDensity


def run_advise(options: argparse.Namespace) -> Outcome:
    """Show what each threshold of the class rules marks, and propose one."""
    from dtui.cli.as_json import plain, to_json
    from dtui.query import open_run

    with open_run(options.run) as query:
        advice, damage, stages = query.advise(), query.anomaly_faults(), query.anomaly_density()
    more = f" (and {len(damage) - 1} more)" if len(damage) > 1 else ""
    remark = f"{options.run}: marks may be missing where it is damaged: {damage[0]}{more}" if damage else ""
    if options.json:
        return Outcome(to_json({**plain(advice), "stages": stages}), remark=remark)
    return Outcome(_advice_text(options.run, advice, _stages(stages)), remark=remark)


def _stages(stages: Sequence[StageDensity]) -> list[str]:
    """Return one line on how dense anomalies are in each stage of the learning rate; none where there is one stage."""
    if len(stages) < 2:
        return []
    dense = [f"{one.per_hundred:.3g} at {one.stage.learning_rate:.3g}" for one in stages if one.validations]
    return [f"Class anomalies a hundred validations, by learning rate (usual settings): {', '.join(dense)}."]


def _advice_text(run: str, advice: ThresholdAdvice, notes: Sequence[str]) -> str:
    from dtui.cli.table import paint, table
    from dtui.safe_text import safe

    headings = [">threshold", ">validations marked", ">share", ">class marks", ""]
    rows = [_advice_row(row, advice) for row in advice.rows]
    styles = ["bold" if row.threshold == advice.proposed else "" for row in advice.rows]
    how = (
        f"Counted are {counted(advice.counted, 'validation')}, without the first {advice.left_out:,}; "
        f"a mark is a class that lost images by the {advice.rule} rule, window {advice.window}."
    )
    if advice.proposed is None:
        last = f"{advice.rows[-1].threshold:.0%}"
        said = f"No threshold up to {last} marks {advice.most:.0%} of them or fewer: classes lose images all the time."
    else:
        options = f"--rule {advice.rule} --window {advice.window} --threshold {advice.proposed:.0%}"
        said = (
            f"{advice.proposed:.0%} is the smallest that marks {advice.most:.0%} of them or fewer. Use it with:\n"
            f"  dtui anomalies {safe(shlex.quote(run), 200)} {options}"
        )
    told = [paint(note, "dim") for note in (how, *notes)]
    return "\n".join([table(headings, rows, styles), *told, said])


def _advice_row(row: ThresholdRow, advice: ThresholdAdvice) -> list[str]:
    proposed = "proposed" if row.threshold == advice.proposed else ""
    return [f"{row.threshold:.0%}", f"{row.marked:,}", f"{row.marked / advice.counted:.1%}", f"{row.marks:,}", proposed]
