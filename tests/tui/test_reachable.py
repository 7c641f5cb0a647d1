"""Everything that a run stores has a screen: a walk through the format's list, and the keys that show each entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model import Column, ImageSet, Structure
from dtui.model.columns import KNOWN_COLUMNS
from dtui.model.statistics import FILTERS, LAYERS, NORMS, PARAMETERS, SOURCES, title_of
from dtui.model.structure import OtherParameter, Trained
from dtui.query import open_run
from dtui.store import RunWriter
from dtui.store.format.contents import contents_of_today
from dtui.store.format.part_arrays import LEAST_BINNED, column_node, layer_node, module_node, part_nodes, track_node
from dtui.store.format.schema import Sizes, Stream
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk

PICK = "pick "
"""Before the words of a line in the list that `s` opens: one key chooses it."""


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody gets to see an entry: a run, where the crosshair is, the keys, and regexes of what is then read."""

    run: str
    at: int | None
    keys: tuple[str, ...]
    words: tuple[str, ...]


NUMBER = r"[−+▴▾]?[\d.,]+(e[-−]?\d+)?"
NO_SCREEN = {
    **{f"/bins/{name}": "what long runs are drawn from: the same statistic, every eighth value" for name in FILTERS},
    "/columns/sample_count": "drawn from where a batch is larger than the ids that are kept: '… 22 more'",
    "/columns/record_sample_count": "as sample_count",
    "Structure.heads": "no sample has any: test_heads.py unfolds them",
    "Structure.adapters": "no sample has any: test_heads.py reads their rows",
    "Structure.groups": "what a filter of a grouped layer is made of; no word of its own",
    "Structure.channel_norms": "no sample has any: test_channels.py selects one",
    "ImageSet.columns": "the list itself: each of its columns has a way",
}
"""Entries that stand on a screen only through others, with the reason."""


def _ways() -> Iterator[tuple[str, Way]]:
    faults, tree, filters = "mnist-faults", ("2",), ("2", "tab")
    for name, one in FILTERS.items():
        words = (rf"▌Filters .* {re.escape(one.title)} ", rf"  value +{NUMBER}")
        yield f"/filters/{name}", Way(faults, None, (*filters, PICK + one.title), words)
    for turns, source in enumerate(SOURCES):
        for name in LAYERS:
            title = rf"{re.escape(title_of(name))} of {source}"
            keys = (*tree, *("t",) * turns, PICK + title_of(name))
            layer, module = rf"layer3\.0\.conv1 at .* {title} {NUMBER}", rf"▸ layer1\.0 BasicBlock +\S+ +{NUMBER} "
            yield f"{layer_node(source)}/{name}", Way(faults, None, keys, (layer,))
            yield f"{module_node(source)}/{name}", Way(faults, None, keys, (rf"▌Layers .* {title} ", module))
    for name, one in NORMS.items():
        words = (rf"▌Layers .*≈ {re.escape(one.title)} ", rf"≈ norm BatchNorm2d +{NUMBER} ")
        words += (rf"down\.conv at .* · mean of weights {NUMBER}",)
        yield track_node("norms", name), Way("digits-segmentation", None, (*tree, PICK + one.title), words)
    for name in PARAMETERS:
        title = re.escape(title_of(name))
        words = (rf"▌Layers .*▫ {title} ", rf"▫ fc\.bias Linear +{NUMBER} ")
        yield track_node("parameters", name), Way("ranked", None, (*tree, PICK + title_of(name)), words)
    histograms = ("2", "b", "b", "b")
    yield "/layers/histogram", Way(faults, None, histograms, ("histograms of weights", r"−0\.546 … 0\.561"))
    words = (r"histograms of \|gradient / weight\|", r"\|grad/weight\| 1e-7…10")
    yield "/layers/change_ratio", Way(faults, None, (*histograms, "t"), words)
    yield "/scalars", Way(faults, None, (), (rf"loss +{NUMBER}", rf"lr +{NUMBER}"))
    yield "/classes/error", Way(faults, None, ("3",), (r"worst here class 8: 6%",))
    yield "/validation/label", Way(faults, 440, ("g", "enter", "i"), (r"✗ class 4 taken for class 9",))
    yield "/validation/confidence", Way(faults, 430, ("3", "tab", "enter"), (r"✓ class 9 \(100%\)", r"confidence"))
    yield from _column_ways()
    yield from _document_ways()


def _column_ways() -> Iterator[tuple[str, Way]]:
    dying, batches = "mnist-dying", "mnist-batches"
    found = {
        "score": Way("digits-segmentation", None, ("3", "tab", "enter"), (r"IoU 0\.32", r"IoU from 0 to 0\.70")),
        "rank": Way("ranked", None, ("3", "tab", "enter"), (r"true class 3rd",)),
        "second_label": Way("ranked", None, ("3", "tab", "enter"), (r"second dog 20%",)),
        "second_confidence": Way("ranked", None, ("3", "tab", "enter"), (r"second dog 20%",)),
        "activation_zeros": Way(dying, 500, ("2", "tab", "enter"), (r"share of zeros", r"0\.292")),
        "activation_mean": Way(dying, 500, ("2", "tab", "enter"), (r"mean activation", r"0\.526")),
        "most_exciting": Way(dying, 500, ("2", "tab", "enter"), (r"Most exciting images .* 7 of 9 wrong at 500",)),
        "samples": Way(batches, 611, ("D",), (r"Batch of 611 +32 samples", r"412 3177 793")),
        "record_samples": Way(batches, 10, ("D",), (r"Batch of 10 +32 samples", r"2800 2706 1680")),
    }
    return ((column_node(name), way) for name, way in found.items())


def _document_ways() -> Iterator[tuple[str, Way]]:
    graph, mask = ("2", "T"), "digits-segmentation"
    yield "Structure.layers", Way("mnist-faults", None, graph, (r"layer3\.0\.conv1 +Conv2d +3×3 +32", r"22 layers"))
    yield "Structure.modules", Way("mnist-faults", None, ("2",), (r"▸ layer1\.0 BasicBlock",))
    yield "Structure.edges", Way("mnist-faults", None, graph, (r"9 branches, 9 junctions", r"⊕─┤ +layer2\.0/add"))
    yield "Structure.coverage", Way("mnist-dying", None, graph, (r"99 % of the parameters recorded",))
    yield "Structure.norms", Way(mask, None, ("2", PICK + "shift of the scale"), (r"≈ norm BatchNorm2d",))
    yield "Structure.trained", Way("ranked", None, ("2", "z"), (r"1 layer frozen from the start: fc",))
    yield "Structure.parameters", Way("ranked", None, ("2", PICK + title_of("update_norm")), (r"▫ fc\.bias",))
    yield "Structure.activations", Way("mnist-dying", 500, ("2", "tab", "enter"), (r"of conv1, behind its relu",))
    yield "ImageSet.classes", Way(mask, None, ("3",), (r"  three ",))
    yield "ImageSet.targets", Way(mask, None, ("3", "tab", "enter"), (r"in three",))
    yield "ImageSet.ids", Way(mask, None, ("3", "tab", "enter"), (r"item 205, id 161",))
    yield "ImageSet.thumbnails", Way(mask, None, ("3", "tab", "enter"), (r"(▀{8,}.*\n +){3}",))
    yield "ImageSet.judging", Way(mask, None, ("3", "C"), (r"an item is right or not, by its IoU",))


WAYS = dict(_ways())


def stored() -> set[str]:
    """Return every array of a part of today's format, those of layers and modules for each statistic, and documents."""
    columns = [Column(name, dtype, stream, None) for name, (stream, dtype) in KNOWN_COLUMNS.items()]
    others = [replace(column, rows=2) for column in columns if column.stream != "validations"]
    held = contents_of_today(1, others, 1)
    sizes = Sizes.of(STRUCTURE, held).with_images(
        replace(IMAGES, columns=tuple(column for column in columns if column.stream == "validations"))
    )
    found = {f"{kind.__name__}.{one.name}" for kind in (Structure, ImageSet) for one in fields(kind)}
    for stream in Stream:
        for path in part_nodes(stream, sizes, 1, LEAST_BINNED):
            is_many = path in {node(source) for source in held.sources for node in (layer_node, module_node)}
            found |= {f"{path}/{name}" for name in held.layers} if is_many else {path}
    return found


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that keeps what came second, the true class third, and whose last layer is frozen."""
    columns = tuple(Column(name, KNOWN_COLUMNS[name][1]) for name in ("rank", "second_label", "second_confidence"))
    path = tmp_path_factory.mktemp("ranked") / "ranked"
    bias = OtherParameter("fc.bias", "Linear", 4, "fc")
    structure = replace(STRUCTURE, trained=Trained(162, (2,)), parameters=(bias,))
    with RunWriter(path, structure, METADATA, compact=False) as writer:
        writer.set_images(replace(IMAGES, columns=columns, thumbnails=()))
        for position in range(4):
            record = make_record(position)
            record.layers[1:, :, 2] = np.nan  # no gradient, and no update
            record.layers[2, list(LAYERS).index("norm2"), 2] = 0
            writer.append_record(replace(record, parameters=np.full((len(PARAMETERS), 1), 0.5, np.float32)))
            first = replace(make_validation(position, 10), labels=np.full(6, 3, np.uint16))
            second = {"rank": np.full(6, 2), "second_label": np.full(6, 1), "second_confidence": np.full(6, 51)}
            writer.append_validation(replace(first, columns=second))
    return writer.path


@pytest.fixture(scope="module")
def look(ranked: Path) -> Iterator[Callable[[Way], str]]:
    """Go a way and return what the screen then shows; of a list each line is picked at the same desk."""
    runs = {way.run: SAMPLES / f"{way.run}.dtui" for way in WAYS.values()} | {"ranked": ranked}
    queries = {name: open_run(path) for name, path in runs.items()}
    desks: dict[tuple[object, ...], Desk] = {}

    def shown(way: Way) -> str:
        keys = [key for key in way.keys if not key.startswith(PICK)]
        place = (way.run, way.at, *keys)
        if place not in desks:
            desk = desks[place] = Desk(queries[way.run])
            (desk if way.at is None else desk.go(way.at)).press(*keys)
        for key in way.keys[len(keys) :]:
            pick(desks[place], key.removeprefix(PICK))
        return desks[place].text()

    yield shown
    for query in queries.values():
        query.close()


def test_every_entry_of_the_format_has_a_way_or_a_reason() -> None:
    """What is new in the format stands neither here nor there, until somebody shows it and names the keys."""
    assert stored() == set(WAYS) | set(NO_SCREEN)
    assert not set(WAYS) & set(NO_SCREEN)


@pytest.mark.parametrize("entry", WAYS)
def test_it_is_read_on_a_screen(look: Callable[[Way], str], entry: str) -> None:
    shown = look(WAYS[entry])
    assert [words for words in WAYS[entry].words if not re.search(words, shown)] == [], shown


def pick(desk: Desk, words: str) -> None:
    """Choose a line of the list of statistics, that of normalisation layers where two are called so."""
    choice = desk.session.choice("statistic")
    assert choice is not None
    desk.session.take_option([one for one in choice.options if one.words == words][-1])
    desk._answer()
