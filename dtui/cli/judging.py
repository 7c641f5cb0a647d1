"""The commands that judge a run: advise."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from dtui.cli.outcome import Outcome

if TYPE_CHECKING:
    from dtui.model.findings.advice import ThresholdAdvice, ThresholdRow


def run_advise(options: argparse.Namespace) -> Outcome:
    """Show what each threshold of the class rules marks, and propose one."""
    from dtui.cli.as_json import plain, to_json
    from dtui.model.findings.advice import density_words
    from dtui.query import open_run

    with open_run(options.run) as query:
        advice, damage, stages = query.advise(), query.anomaly_faults(), query.anomaly_density()
    more = f" (and {len(damage) - 1} more)" if len(damage) > 1 else ""
    remark = f"{options.run}: marks may be missing where it is damaged: {damage[0]}{more}" if damage else ""
    if options.json:
        return Outcome(to_json({**plain(advice), "stages": stages}), remark=remark)
    return Outcome(_advice_text(options.run, advice, density_words(stages)), remark=remark)


def _advice_text(run: str, advice: ThresholdAdvice, density: str) -> str:
    from dtui.cli.table import sentence, table
    from dtui.safe_text import safe

    headings = [">threshold", ">validations marked", ">share", ">class marks", ""]
    rows = [_advice_row(row, advice) for row in advice.rows]
    styles = ["bold" if row.threshold == advice.proposed else "" for row in advice.rows]
    said = advice.proposal
    if advice.proposed is not None:
        options = f"--rule {advice.rule} --window {advice.window} --threshold {advice.proposed:.0%}"
        said += f" Use it with:\n  dtui anomalies {safe(shlex.quote(run), 200)} {options}"
    told = [sentence(note, "dim") for note in (advice.how, density) if note]
    return "\n".join([table(headings, rows, styles), *told, said])


def _advice_row(row: ThresholdRow, advice: ThresholdAdvice) -> list[str]:
    proposed = "proposed" if row.threshold == advice.proposed else ""
    return [f"{row.threshold:.0%}", f"{row.marked:,}", f"{row.marked / advice.counted:.1%}", f"{row.marks:,}", proposed]
