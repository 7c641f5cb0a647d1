"""Twelve kinds of training, each recorded with three lines or fewer: neither half of what is shown is empty."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from dtui.model import FILTER_STATISTICS
from dtui.query import RunQuery, open_run
from dtui.record import RecorderWarning
from dtui.reports.build import RunSummary, build_report
from dtui.reports.document import Gallery, Paragraph, Table
from dtui.reports.nightly.making import entry_of
from dtui.reports.rows import FilterMaps
from tests.record.trainings import scripts
from tests.record.trainings.scripts import SCRIPTS
from tests.tui.desk import Desk

NEEDS = {"lora": "peft", "detection": "scipy"}
WRITTEN_ONCE = {"resnet", "convnext", "vit", "lora"}
"""Trainings that share their loop."""
OURS = re.compile(r"\brecorder\.|dtui\.Recorder\(")


@dataclass(frozen=True)
class Recorded:
    """A training that was recorded."""

    name: str
    query: RunQuery
    told: tuple[str, ...]


@pytest.fixture(scope="module", params=list(SCRIPTS))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    name = request.param
    for needed in ("transformers", NEEDS.get(name, "torch")):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    folder = tmp_path_factory.mktemp(name)
    torch.manual_seed(0)
    with warnings.catch_warnings(record=True) as told, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr("dtui.store.write.background_compactor.Compactor._spawn", lambda self, *options: None)
        try:
            recorder, _network = SCRIPTS[name](folder / name)
            recorder.close()
        finally:
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
    with open_run(folder / f"{name}.dtui") as query:
        yield Recorded(name, query, tuple(str(w.message) for w in told if issubclass(w.category, RecorderWarning)))


def test_three_lines_are_enough(run: Recorded) -> None:
    script = scripts._train_classifier if run.name in WRITTEN_ONCE else SCRIPTS[run.name]
    lines = [line for line in inspect.getsource(script).splitlines() if OURS.search(line)]
    assert len(lines) in (2, 3), lines


def test_nothing_is_told_and_nothing_is_missing(run: Recorded) -> None:
    info = run.query.info()
    assert run.told == ()
    assert (info.status.value, info.gaps, info.findings) == ("done", (), ())


def test_the_layers_are_there_filter_by_filter(run: Recorded) -> None:
    info, structure = run.query.info(), run.query.structure()
    assert info.records >= 16
    assert info.coverage is not None
    assert info.coverage.share > 0.8
    trains = {layer.index for layer in structure.layers} - set(structure.trained.frozen if structure.trained else ())
    assert trains
    reader = run.query._data.reader
    for statistic in ("norm", "update_norm", "gradient_norm"):
        assert statistic in FILTER_STATISTICS
        for index in trains:
            values = reader.read_filters(statistic, structure.layers[index].filter_rows, slice(2, 10))
            assert np.isfinite(values).all(), f"{statistic} of {structure.layers[index].name}"
            assert values.any(), f"{statistic} of {structure.layers[index].name}"


def test_the_items_are_judged(run: Recorded) -> None:
    info = run.query.info()
    assert info.validations >= 7
    assert info.images >= 24
    reader = run.query._data.reader
    labels = reader.read_labels(slice(0, info.images), slice(0, info.validations))
    assert (labels < len(reader.classes)).all(), "every item has a judgement in every validation"


def test_the_screens_open(run: Recorded) -> None:
    desk = Desk(run.query)
    said = desk.panes()["triage"]
    assert "need 12" not in said, "the detectors have judged"
    assert "incident" in said
    assert ("not right" in desk.panes()["curves"]) == (run.query.info().judging is not None), "else an error"
    layers = desk.press("2").panes()
    deepest = [layer.name.rpartition(".")[2] for layer in run.query.structure().layers]
    assert any(name in layers["tree"] for name in deepest)
    assert f" × {run.query.info().records} records" in layers["filters"]
    validation = desk.press("3").panes()
    assert all(name in validation["classes"] for name in run.query._data.reader.classes if name != "not right")
    assert re.search(r" (images|items|texts) × ", validation["images"])
    assert desk.press("enter").screen


def test_the_report_opens(run: Recorded) -> None:
    chapter = build_report([run.query]).chapters[0]
    assert chapter.opening is not None
    assert "in 16 records and 8 validations" in chapter.opening.headline
    judging = run.query.info().judging
    first = chapter.facts[0]
    assert first.name == (f"mean {judging.score}" if judging else "validation error")
    assert judging is None or first.detail.endswith(" not right")
    said = RunSummary(run.query.path, run.query.verdict(), chapter.facts, "", (), (), ())
    assert entry_of(run.query, said, (), "report.html").score == (f"{first.name} {first.value}" if judging else "")
    trust = next(section for section in chapter.sections if section.title == "Can I trust this")
    looked = {row.cells[0]: row.cells[1] for row in trust.items[0].rows} if isinstance(trust.items[0], Table) else {}
    assert {what for what in looked if looked[what] == "not checked: 8 validations, it needs 15"} == {
        "drops of groups" if judging else "drops of classes", "drops of the whole network",
    }  # fmt: skip
    assert "10 of 12 checks ran." in chapter.opening.remarks
    assert ("judged by scores, large" in trust.caption) == (judging is not None)
    advice = "No threshold can be proposed for the anomalies: 8 validations; advice on a threshold needs 25."
    assert advice in [item.text for item in trust.items if isinstance(item, Paragraph)]
    assert not {section.title for section in chapter.sections} & {"Incidents × layers", "Cube"}, "no incident"
    items = {section.title: [type(item).__name__ for item in section.items] for section in chapter.sections}
    assert "could not be made" not in repr(chapter.sections)
    assert ("validation error over the iterations" in repr(chapter.sections)) == (judging is None), "else not right"
    assert "LayerTree" in items["Layers"]
    assert "FilterMaps" in items["Filters"]
    assert "Chart" in items.get("Classes", items.get("Groups", []))
    assert "Gallery" in items.get("Images", items.get("Items", []))


def test_the_report_says_nothing_that_is_not_so(run: Recorded) -> None:
    chapter = build_report([run.query], sections=["classes", "images", "layers", "boxes", "filters"]).chapters[0]
    sections = {section.id.removeprefix("run1-"): section for section in chapter.sections}
    structure = run.query.structure()
    galleries = {item.title[:9]: item.images for item in sections["images"].items if isinstance(item, Gallery)}
    assert not any("wrong 8 of 8" in image.lines for image in galleries.get("Forgotten", ()))
    assert all(image.picture or re.match(r"item \d", image.title) for some in galleries.values() for image in some)
    started = {
        row.cells[0]
        for item in sections["layers"].items
        if isinstance(item, Table) and item.title == "Where the weights began"
        for row in item.rows
    }
    frozen = {structure.layers[index].name for index in structure.trained.frozen} if structure.trained else set()
    said = [item.text for item in sections["layers"].items if isinstance(item, Paragraph)]
    assert any("frozen from the start" in line for line in said) == bool(frozen)
    maps = next(item.maps for item in sections["filters"].items if isinstance(item, FilterMaps))
    assert not {one.layer for one in maps} & frozen, "their filters do not move"
    adapters = {name for adapter in structure.adapters for name in adapter.layers}
    assert not started & (frozen | adapters)
    assert started | adapters
    assert ("of those that train" in sections["boxes"].caption) == bool(frozen)
    one_group = run.name == "gan"
    shown = [image.title for some in galleries.values() for image in some]
    assert not one_group or (shown and all(re.match(r"item \d", title) for title in shown)), "not the group's name"
    tables = [item.title for item in sections["classes"].items if isinstance(item, Table)]
    assert tables[0] == ("At the end" if one_group else "The worst at the end")
    assert not one_group or "clustered" not in sections["classes"].caption
    assert [fact.name for fact in chapter.facts if fact.name.startswith("only ")] == ["only group"] * one_group
    assert not any("classes" in cluster.label for cluster in run.query.clusters() if run.query.info().judging)


def test_what_is_frozen_is_meant_to_be_and_what_trains_comes_first(run: Recorded) -> None:
    frozen = {"lora": 14, "distillation": 4}.get(run.name, 0)
    whole = [entry for entry in run.query.state().entries if not entry.filters]
    assert [entry.standing.value for entry in whole] == ["not trained"] * frozen
    desk = Desk(run.query).press("2")
    selected = run.query.tree()[desk.session.selection.node]
    assert selected.name not in {entry.layer for entry in whole}
    said = f"{frozen} layers frozen from the start"
    assert (said in desk.panes()["tree"]) == bool(frozen)
    assert (" frozen  " in desk.panes()["tree"]) == bool(frozen), "in the column of update ratios"
