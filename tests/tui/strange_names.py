"""Five hundred names that try to be something else, and runs whose every text is one of them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from dtui.model import Edge, ImageSet, Layer, Module, Structure
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


def strange_run(folder: Path, name: str = "strange") -> Path:
    """Record a run of strange names: its own, of layers, classes, images, settings, values, notes and versions."""
    names = iter(NAMES)
    layers = tuple(
        Layer(at, f"{next(names)}.{at}", next(names)[:200] if at % 5 == 0 else "Linear", (2, 2), 2 * at)
        for at in range(LAYERS)
    )
    modules = (Module(0, "", "Net", -1, tuple(range(LAYERS))), Module(1, NAMES[7], NAMES[8], 0, (0, 1)))
    structure = Structure(layers, modules, edges=(Edge(layers[0].name, layers[1].name), Edge(NAMES[3], NAMES[4])))
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
    writer = RunWriter(folder / name, structure, metadata, classes=classes, compact=False)
    writer.set_images(images)
    for position in range(RECORDS):
        record = make_record(position, structure=structure)
        writer.append_record(replace(record, scalars=record.scalars | {NAMES[3][:60]: 1.0, NAMES[40][:60]: 2.0}))
        validation = make_validation(position, 10, images)
        wrong = np.arange(len(targets)) % 7 == position // 4
        writer.append_validation(replace(validation, labels=np.where(wrong, validation.labels, targets)))
    writer.close()
    return writer.path
