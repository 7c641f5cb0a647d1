"""Five hundred names that try to be something else, and runs whose every text is one of them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from dtui.model import ActivationPlace, Column, Edge, ImageSet, Layer, Module, Structure, Trigger
from dtui.store import RunWriter
from tests.store.builders import METADATA, make_record, make_validation

SEEDS = (
    *("\x1b[31mred", "\x1b]0;title\x07", "\x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\", "\x1b]52;c;cm0=\x07"),
    *("\x1b[2J\x1b[H", "\x1bc", "\x1bP$q\x1b\\", "\x9b31m", "\x9d0;t\x9c", "\x1b[?1049l", "\x1b[6n", "\x07\x08\x7f"),
    *("\u202egnp.exe", "\u2066iso\u2069", "\u200bzero\u200b", "a\u200db", "\ufeffbom", "\u00adsoft", "\u2028line"),
    *("e" + "\u0301" * 40, "\u0301alone", "z\u0335\u0336\u0337algo", "का\u200dम", "กำ", "\U000e0041tag"),
    *(
        "漢字",
        "ｆｕｌｌ",
        "👩\u200d👩\u200d👧",
        "🇩🇪",
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "אבג",
        "مرحبا",
        "\U0001f9d1\U0001f3fd",
    ),
    *("[red]r[/]", "[/]", "[@click=app.quit]x[/]", "[link=x]y", "\\[b]", "$text", "{0}", "%s", "{{7*7}}", "<script>"),
    *("a\nb", "a\rb", "a\tb", "a\x00b", "a\x0bb", " ", "", "...", "../../etc/passwd", "-rf", "=1+1", "CON"),
    *(
        "q",
        ":",
        "x" * 10_000,
        "字" * 10_000,
        "\x1b" * 1_000,
        "class 4",
        "1003",
        "f17",
        "\ud800",
        "\udcff",
        "\ue000\uffff",
    ),
)
ENDINGS = ("", "\x1b[7m", "\u202e", "[b]", "é", "字", "9", "\u200d")
NAMES = tuple(f"{one}{other}" for one, other in itertools.product(SEEDS, ENDINGS))
LAYERS, CLASSES, IMAGES_OF_EACH, RECORDS = 200, 150, 2, 16


FILTERS = 2 * LAYERS
SAMPLES = 4
COLUMNS = (
    Column("activation_zeros", "<f4", rows=FILTERS),
    Column("activation_mean", "<f4", rows=FILTERS),
    Column("most_exciting", "<u4", rows=9 * FILTERS),
)
BATCHES = (Column("samples", "<f8", "watches", SAMPLES), Column("sample_count", "<u4", "watches", 1))


def strange_run(folder: Path, name: str = "strange", *, has_more: bool = False) -> Path:
    """Record a run of strange names: its own, of layers, classes, images, settings, values, notes and versions.

    Args:
        folder: Where to.
        name: Of its folder.
        has_more: Whether it has activations, of which places have strange names, too, and batches before triggers.
    """
    names = iter(NAMES)
    layers = tuple(
        Layer(at, f"{next(names)}.{at}", next(names)[:200] if at % 5 == 0 else "Linear", (2, 2), 2 * at)
        for at in range(LAYERS)
    )
    modules = (Module(0, "", "Net", -1, tuple(range(LAYERS))), Module(1, NAMES[7], NAMES[8], 0, (0, 1)))
    edges = (Edge(layers[0].name, layers[1].name), Edge(NAMES[3], NAMES[4]))
    places = tuple(ActivationPlace(NAMES[at], NAMES[-at - 1][:200]) for at in range(LAYERS)) if has_more else ()
    structure = Structure(layers, modules, edges=edges, activations=places)
    settings = {NAMES[-at][:300]: NAMES[-at - 40][:300] for at in range(1, 30)}
    metadata = replace(
        METADATA,
        name=NAMES[0],
        versions={NAMES[1]: NAMES[2]},
        hyperparameters=settings | {"name": name},
        notes=tuple({"iteration": 10 * at, "kind": NAMES[at]} for at in range(9)),
    )
    classes = tuple(f"{one}{at}" for at, one in enumerate(NAMES[-CLASSES:]))
    targets = np.repeat(np.arange(CLASSES, dtype=np.uint16), IMAGES_OF_EACH)
    images = ImageSet(classes, targets, tuple(f"{one}{at}" for at, one in enumerate(NAMES[: len(targets)])))
    columns = BATCHES if has_more else ()
    writer = RunWriter(folder / name, structure, metadata, classes=classes, compact=False, columns=columns)
    writer.set_images(replace(images, columns=COLUMNS) if has_more else images)
    for position in range(RECORDS):
        record = make_record(position, structure=structure)
        writer.append_record(replace(record, scalars=record.scalars | {NAMES[3][:60]: 1.0, NAMES[40][:60]: 2.0}))
        if has_more:
            batch = {"samples": np.arange(SAMPLES) + position % 3, "sample_count": np.array([SAMPLES], np.uint32)}
            watch = make_record(position, structure=structure)
            writer.append_watch(replace(watch, iteration=10 * position + 5, columns=batch))
        validation = make_validation(position, 10, images)
        wrong = np.arange(len(targets)) % 7 == position // 4
        values = activations(position) if has_more else {}
        writer.append_validation(
            replace(validation, labels=np.where(wrong, validation.labels, targets), columns=values)
        )
    if has_more:
        writer.append_trigger(Trigger(105, "loss", layers[3].name, (0, 1), 9.0, 7.0))
    writer.close()
    return writer.path


def activations(position: int) -> dict[str, np.ndarray]:
    """Return what filters do at a validation, and the images that excite each most."""
    zeros = np.linspace(0, 1, FILTERS, dtype=np.float32)
    exciting = (np.arange(9 * FILTERS, dtype=np.uint32) + position) % (CLASSES * IMAGES_OF_EACH)
    return {"activation_zeros": zeros, "activation_mean": 1 - zeros, "most_exciting": exciting}
