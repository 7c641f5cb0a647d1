"""The table that is published: figures as Markdown, with all that makes it checkable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.truth.corpus import figures, judge, visibility
from tests.truth.corpus.judge import Judgement


@dataclass(frozen=True, slots=True)
class Heading:
    """What a table says of itself.

    Attributes:
        method: "incidents" or "anomalies".
        checksum: Of the detectors' files.
        looks: How often these runs were judged with this method, with this look.
        versions: How many states of the detectors' files those looks had.
        makers: How many states of the corpus's own files made the runs.
    """

    method: str
    checksum: str
    looks: int = 1
    versions: int = 1
    makers: int = 1


def groups_of(judgements: Sequence[Judgement]) -> dict[str, list[Judgement]]:
    """Return the runs by their number of classes, then together where there are several numbers."""
    groups: dict[str, list[Judgement]] = {}
    for each in sorted(judgements, key=lambda each: each.truth.classes):
        drawn = " (rendered characters)" if each.truth.rendered else ""
        groups.setdefault(f"{each.truth.classes} classes{drawn}", []).append(each)
    if len(groups) > 1:
        groups["together"] = list(judgements)
    return groups


def as_json(heading: Heading, judgements: Sequence[Judgement]) -> dict[str, object]:
    """Return all figures as what JSON knows."""
    return {
        "method": heading.method,
        "checksum": heading.checksum,
        "looks": heading.looks,
        "versions": heading.versions,
        "makers": heading.makers,
        "seeds": sorted(each.truth.seed for each in judgements),
        "groups": {
            name: {
                "runs": len(group),
                "healthy": sum(each.is_healthy for each in group),
                "main": figures.plain(figures.main_figures(group)),
                "kinds": figures.plain(figures.kind_figures(group)),
                "causes": figures.plain(figures.cause_figures(group)),
                "detectors": figures.plain(figures.detector_figures(group)),
                "not_reached": sum(len(each.truth.not_reached) for each in group),
            }
            for name, group in groups_of(judgements).items()
        },
    }


def as_text(heading: Heading, judgements: Sequence[Judgement]) -> str:
    """Return the tables as Markdown."""
    groups = groups_of(judgements)
    main = {name: figures.main_figures(group) for name, group in groups.items()}
    rows = {
        "runs (healthy)": [f"{len(group)} ({sum(each.is_healthy for each in group)})" for group in groups.values()],
        **{row: [str(main[name][row]) for name in groups] for row in next(iter(main.values()), {})},
    }
    kinds = {
        kind: [str(row[what]) for what in ("found", "cause", "layer", "class")]
        + [", ".join(f"{cause} {count}" for cause, count in _items(row["first called"]))]
        + [f"{row['invisible']} ({row['invisible, found']})"]
        for kind, row in figures.kind_figures(judgements).items()
    }
    causes = {
        cause: [str(row[what]) for what in ("right", "wrong", "false")]
        for cause, row in figures.cause_figures(judgements).items()
    }
    detectors = {
        name: [str(row[what]) for what in ("of visible faults", "alone", "false a hundred")]
        for name, row in figures.detector_figures(judgements).items()
    }
    parts = [
        f"### {heading.method}",
        _table(["", *groups], rows),
        _table(["fault", "found", "cause", "layer", "class", "first called", "invisible (found)"], kinds),
        _table(["cause", "right", "wrong", "of nothing"], causes),
        _table(["evidence of", "visible faults", "alone", "false a hundred quiet records"], detectors),
        _foot(heading, judgements),
    ]
    return "\n\n".join(parts) + "\n"


def _items(value: object) -> Sequence[tuple[str, int]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _table(head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([name, *cells] for name, cells in rows.items())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _foot(heading: Heading, judgements: Sequence[Judgement]) -> str:
    truths = [each.truth for each in judgements]
    reached = sum(len(truth.faults) for truth in truths)
    unreached = sum(len(truth.not_reached) for truth in truths)
    blocks = sorted({truth.block for truth in truths})
    looked = f"these runs were judged {heading.looks} times, with {heading.versions} states of the detectors' files"
    return "\n".join(
        [
            f"- {' and '.join(blocks)} seeds {_ranges(sorted(truth.seed for truth in truths))}; "
            f"detectors' files: {heading.checksum}; {'first look' if heading.looks == 1 else looked}.",
            *(
                ["- The runs were made with several states of the corpus; make them anew."]
                if heading.makers > 1
                else []
            ),
            f"- {reached} faults, and {unreached} that were not reached because the training was ruined before. "
            "Intervals: 95 %, Wilson's of shares, Poisson's of rates; in brackets behind a rate what was counted.",
            f"- A fault's window reaches from its beginning to {judge.WINDOW} records after its end; found is what "
            f"begins there. {judge.RECOVERY} records more are not quiet, nor are the first {judge.SILENT}.",
            f"- Visible: {visibility.RULE}.",
            f"- Processor time of finding: {_seconds(judgements):.2f} s a run.",
        ]
    )


def _seconds(judgements: Sequence[Judgement]) -> float:
    return sum(each.seconds for each in judgements) / max(len(judgements), 1)


def _ranges(seeds: Sequence[int]) -> str:
    """Return numbers as ranges: "0–7, 12"."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(f"{first}–{last}" if last > first else str(first) for first, last in spans)
