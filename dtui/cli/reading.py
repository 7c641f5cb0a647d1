"""The commands that answer a question about runs: runs, info, anomalies."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtui.cli.command import label_of
from dtui.cli.outcome import Exit, Outcome
from dtui.errors import DtuiError, RunNotBegunError
from dtui.number_text import counted

if TYPE_CHECKING:
    from dtui.model import Anomaly, AnomalySettings, ImageSet, Missing, RunInfo
    from dtui.model.findings.nonfinite import LookPlan

_STATUS_STYLES = {"live": "good", "done": "", "incomplete": "warn", "crashed": "bad"}


def run_runs(options: argparse.Namespace) -> Outcome:
    """List the runs of a folder. A run that cannot be read is listed with the reason."""
    from dtui.cli.as_json import info_fields, to_json
    from dtui.model import RunInfo
    from dtui.store import find_runs
    from dtui.store.run.life import meet

    folder = Path(options.folder)
    found = find_runs(folder, has_claims=True)
    met = meet(found)
    answers = [(path, *_info_or_reason(path)) for path in found]
    del met
    if options.json:
        empty = dict.fromkeys(RunInfo.__dataclass_fields__)
        return Outcome(
            to_json(
                [
                    {
                        "path": path,
                        "error": reason and str(reason),
                        **(info_fields(info) if info else empty | {"run": path.stem}),
                    }
                    for path, info, reason in answers
                ]
            )
        )
    if not answers:
        return Outcome(remark=f"{folder}: no run in this folder; record one, or try dtui demo")
    return Outcome(_runs_table(folder, answers))


def run_info(options: argparse.Namespace) -> Outcome:
    """Show what a run holds."""
    from dtui.cli.as_json import info_fields, to_json
    from dtui.model.findings.adapters import adapter_sentences
    from dtui.query import open_run

    with open_run(options.run) as query:
        query.settle()
        path, info, metadata, images = query.path, query.info(), query.metadata(), query.image_set()
    if options.json:
        return Outcome(to_json(info_fields(info)))
    rows = [
        ("run", f"{info.run}{'  (invented)' if info.invented else ''}"),
        ("folder" if path.is_dir() else "file", str(path)),
        ("status", f"{info.status}{': ' if info.reason else ''}{info.reason}"),
        ("recorded", f"{metadata.created}, every {counted(metadata.every, 'iteration')}, format {info.format}"),
        ("iterations", _span(info)),
        (
            "records",
            f"{info.records:,}" + (f" and {counted(info.watches, 'watch', 'watches')}" if info.watches else ""),
        ),
        ("validations", f"{info.validations:,} of {info.images:,} {_judged(info, images)}"),
        ("network", f"{counted(info.layers, 'layer')}, {counted(info.filters, 'filter')}{_norms(info)}"),
    ]
    if info.judging is not None:
        rows.insert(-1, ("judged", info.judging.sentence))
    if info.activations:
        kept = "share of zeros, mean, and the nine images that excite it most, of each filter at each validation"
        rows.append(("activations", kept))
    if info.looks is not None:
        rows.append(("between records", _looks(info.looks)))
    if info.coverage is not None:
        rows.append(("parameters", info.coverage.text(rows=info.other_parameters)))
    if info.heads:
        rows.append(("attention", f"{info.heads:,} heads of queries, keys and values, each made of filters"))
    rows += _untrained(info)
    rows += [("adapters", line) for line in adapter_sentences(info.adapters)]
    if metadata.hyperparameters:
        rows.append(("training", ", ".join(f"{name} {value}" for name, value in metadata.hyperparameters.items())))
    if info.not_learned:
        rows.append(("learned", info.not_learned))
    if info.joins:
        at = ", ".join(f"{iteration:,}" for iteration in info.joins)
        rows.append(("resumed", f"from a checkpoint at iteration {at}"))
    rows += [("gap", f"{gap.stream} {gap.first:,} to {gap.last:,}: {gap.reason}") for gap in info.gaps]
    rows += [("finding", finding) for finding in info.findings]
    rows += [("note", ", ".join(f"{name} {value}" for name, value in note.items())) for note in metadata.notes]
    return Outcome(_pairs(rows))


def _looks(plan: LookPlan) -> str:
    """Return whether every update is looked at for NaN and Inf, and what that costs."""
    cost = f"{100 * plan.share:.2g} % of an update's time"
    if plan.layers:
        return f"gradients are looked at for NaN and Inf before every update, which takes {cost}"
    return (
        f"NaN and Inf in gradients are looked for in records only: before every update it would take {cost}, over 0.2 %"
    )


def _judged(info: RunInfo, images: ImageSet | None) -> str:
    """Return what the validations judge: images in classes, or items in groups."""
    item = "image" if info.judging is None else "item"
    return f"{item}{'s' * (info.images != 1)} in {info.classes_of(images)}"


def run_anomalies(options: argparse.Namespace) -> Outcome:
    """List anomaly iterations and, with --fail-on, judge by their number."""
    from dtui.cli.as_json import anomaly_fields, to_json
    from dtui.model import AnomalySettings
    from dtui.query import open_run

    unit, threshold = options.threshold
    settings = AnomalySettings(rule=options.rule, window=options.window, unit=unit, threshold=threshold)
    with open_run(options.run) as query:
        images = query.image_set()
        classes: tuple[str, ...] = images.classes if images is not None else ()
        label = label_of(options.run, options.class_name, classes)
        if options.top is not None and (options.since, label, options.fail_on) == (None, None, None):
            found = list(query.top_anomalies(options.top, settings))  # all of them may be a million
        else:
            found = [
                anomaly
                for anomaly in query.anomalies(settings)
                if (options.since is None or anomaly.iteration >= options.since)
                and (label is None or anomaly.class_index == label)
            ]
        damage, failed, missing = query.anomaly_faults(), query.detector_faults(), query.not_judged(settings)
    code, remark = Exit.DONE, _anomalies_remark(options.run, damage, failed, missing)
    if options.fail_on is not None:
        judged = sum(anomaly.status != "dismissed" for anomaly in found)
        is_unsure = bool(damage or failed or any(lacks.is_early for lacks in missing))
        code = Exit.NOT_FINE if judged >= options.fail_on else Exit.NOT_JUDGED if is_unsure else Exit.DONE
    if options.top is not None:
        found = sorted(found, key=lambda anomaly: -anomaly.score)[: options.top]
    if options.json:
        return Outcome(to_json([anomaly_fields(anomaly, classes) for anomaly in found]), code, remark)
    return Outcome(_anomalies_table(found, classes, settings), code, remark)


def _anomalies_remark(run: str, damage: Sequence[str], failed: Sequence[str], missing: Sequence[Missing]) -> str:
    """Return one line on why anomalies may be missing: damage, a detector that failed, what was not recorded; or ""."""
    lines = [f"anomalies may be missing where it is damaged: {fault}" for fault in damage]
    lines += [f"anomalies may be missing: {fault}" for fault in failed]
    lines += [lacks.sentence for lacks in missing]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return f"{run}: {lines[0]}{more}" if lines else ""


def _info_or_reason(path: Path) -> tuple[RunInfo | None, DtuiError | None]:
    from dtui.query import open_run

    try:
        with open_run(path) as query:
            query.settle()
            return query.info(), None
    except DtuiError as error:
        return None, error


def _runs_table(folder: Path, answers: Sequence[tuple[Path, RunInfo | None, DtuiError | None]]) -> str:
    from dtui.cli.table import table

    rows: list[list[str]] = []
    styles: list[str] = []
    for path, info, reason in answers:
        name = str(path.relative_to(folder)).removesuffix(".dtui")
        if info is None:
            is_claimed = isinstance(reason, RunNotBegunError)
            status, remark = ("claimed", "nothing recorded yet") if is_claimed else ("unreadable", str(reason or ""))
            rows.append([name, status, "", "", "", "", remark])
            styles.append("dim" if is_claimed else "bad")
            continue
        remarks = [*(["invented"] if info.invented else []), *_counted(len(info.gaps), "gap")]
        remarks += _counted(len(info.findings), "finding")
        size = [f"{info.records:,}", f"{info.validations:,}", _span(info), f"{info.filters:,}"]
        rows.append([name, str(info.status), *size, ", ".join(remarks)])
        styles.append(_STATUS_STYLES[info.status])
    return table(["run", "status", ">records", ">validations", ">iterations", ">filters", "remarks"], rows, styles)


def _anomalies_table(found: Sequence[Anomaly], classes: Sequence[str], settings: AnomalySettings) -> str:
    from dtui.cli.as_json import class_name
    from dtui.cli.table import sentence, table

    least = (
        f"{settings.threshold:.0%} of a class"
        if settings.unit == "share"
        else counted(round(settings.threshold), "image")
    )
    window = f"window {settings.window}" if settings.window else "automatic window"
    to_review = sum(anomaly.status == "new" for anomaly in found)
    how = f"{settings.rule} rule, {window}, at least {least}"
    if not found:
        return f"no anomaly iterations ({how})"
    rows = [_anomaly_row(anomaly, class_name(classes, anomaly.class_index or 0)) for anomaly in found]
    styles = [{"flagged": "warn", "dismissed": "dim"}.get(anomaly.status, "") for anomaly in found]
    headings = [">iteration", "rule", "where", "direction", ">count", ">share", ">score", "status", "id", "note"]
    summary = f"{_counted(len(found), 'anomaly', 'anomalies')[0]}, {to_review:,} to review ({how})"
    return f"{table(headings, rows, styles)}\n{sentence(summary, 'dim')}"


def _anomaly_row(anomaly: Anomaly, name: str) -> list[str]:
    from dtui.number_text import number_text

    evidence, shown = anomaly.evidence, anomaly.shown
    images, share = ("", "") if not evidence.classes else (f"{evidence.count or 0:,}", f"{anomaly.size:.0%}")
    return [
        f"{anomaly.iteration:,}",
        evidence.rule,
        name if evidence.classes else evidence.place,
        f"{shown.sign} {shown.title}",
        images,
        share,
        number_text(anomaly.score),
        anomaly.status,
        anomaly.id,
        anomaly.note,
    ]


def _norms(info: RunInfo) -> str:
    if not info.norms:
        return ""
    channels = f" with values of {info.channels:,} channels" if info.channels else ""
    return f", {counted(info.norms, 'normalisation layer')}{channels}"


def _untrained(info: RunInfo) -> list[tuple[str, str]]:
    """Return a row for each kind of layer that did not train; names are data from outside."""
    rows = []
    if info.coverage is not None and info.trainable is not None and info.trainable < info.coverage.parameters:
        rows.append(("to be trained", f"{info.trainable:,} of {info.coverage.parameters:,} parameters"))
    states = info.states
    unsure = "; frozen, or never given one" if info.trainable is None else "; to be trained, but never given one"
    kinds = (
        ("frozen", states.frozen, ""),
        ("no gradient", states.no_gradient, unsure),
        ("unchanged", states.unchanged, "; given gradients, but never changed"),
    )
    of = f"of {counted(info.layers, 'layer')}: "
    rows += [(kind, f"{len(names):,} {of}{_names(names)}{remark}") for kind, names, remark in kinds if names]
    tied = _names([" = ".join(names) for names in states.tied])
    return [*rows, ("tied", tied)] if tied else rows


def _names(names: Sequence[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def _span(info: RunInfo) -> str:
    if info.first_iteration is None or info.last_iteration is None:
        return "none yet"
    return f"{info.first_iteration:,}–{info.last_iteration:,}"


def _counted(number: int, singular: str, plural: str = "") -> list[str]:
    return [f"{number:,} {singular if number == 1 else plural or singular + 's'}"] if number else []


def _pairs(rows: list[tuple[str, Any]]) -> str:
    from dtui.cli.table import pairs

    return pairs(rows)
