"""Small invented answers about images and confusions, and the pictures of the inner screens of Validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.model import TimeAxis
from dtui.model.learning import (
    ConfusionChange,
    ConfusionMatrix,
    Gallery,
    GalleryRequest,
    ImageHistory,
    LabelStretch,
    LabelStrips,
    LearnedImage,
    TakenFor,
)
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.validation.gallery import GalleryPicture
from dtui.tui.renderables.panes.validation.history import HistoryPicture
from dtui.tui.renderables.panes.validation.matrix import MatrixPicture
from dtui.tui.renderables.panes.validation.pairs import PairShares, PairsPicture
from dtui.tui.renderables.panes.validation.portrait import PortraitPicture
from dtui.tui.renderables.parts.here_line import draw_here_line
from tests.unit.renderables.builders import STAGES, axis_of, make_verdict


def make_taken(pairs: dict[tuple[int, int], int], right: int = 1, classes: tuple[int, ...] = (4,)) -> TakenFor:
    told = np.array([(*pair, count) for pair, count in pairs.items()], np.int64).reshape(-1, 3)
    return TakenFor(classes, 430, told[:, 0], told[:, 1], told[:, 2], right)


def make_gallery(
    images: int = 12, wrong: int = 5, shown: int | None = None, listed: str = "", ident: str = "val_17"
) -> Gallery:
    """The first `wrong` images of class 0 are taken for class 1."""
    tiles = tuple(
        replace(make_verdict(1 if image < wrong else 0, ident), image=image)
        for image in range(images if shown is None else shown)
    )
    request = GalleryRequest(500, 0, len(tiles), () if listed else (0,), listed)
    return Gallery(request, np.arange(images), tiles, np.arange(len(tiles)), 500, wrong, 40)


def make_history(partners: int = 3, ident: str = "val_17") -> ImageHistory:
    stretches = (
        LabelStretch(0, 90, 1, 10),
        LabelStretch(100, 400, 0, 31),
        LabelStretch(410, 410, None, 1),
        LabelStretch(420, 500, 2, 9),
    )
    pixels = np.full((28, 28, 3), 90, np.uint8)
    return ImageHistory(
        learned=LearnedImage(17, ident, 0, 50, 19, 2, 100, False, 1, 10),
        stretches=stretches,
        flips=4,
        partners=np.arange(40, 40 + partners),
        shared=np.arange(partners, 0, -1),
        partner_flips=np.full(partners, 9),
        partner_targets=np.zeros(partners, np.int64),
        pixels=pixels,
        partner_pixels=(pixels,) * partners,
    )


def make_strips(axis: TimeAxis, images: int = 4, confidence: float = 0.5) -> LabelStrips:
    """Wrong in the first half: the image itself as class 1, the next as 2, and so on."""
    wrong = np.full((images, axis.columns), -1, np.int32)
    wrong[:, : axis.columns // 2] = np.arange(1, images + 1)[:, None]
    correct = (wrong < 0).astype(float)
    return LabelStrips(axis, tuple(range(17, 17 + images)), correct, wrong, np.full(correct.shape, confidence))


def make_changes(pairs: int = 3) -> tuple[ConfusionChange, ...]:
    return tuple(ConfusionChange(0, 1 + pair, 0.05, 0.5 - 0.1 * pair, 45.0 - 10 * pair, 1.0) for pair in range(pairs))


def make_matrix(classes: int = 3, more: int = 0) -> ConfusionMatrix:
    counts = np.eye(classes, dtype=np.int64) * 8
    counts[0, 1:2] = 2
    every = np.arange(classes)
    return ConfusionMatrix(
        500, 490, make_changes(), every, every, counts, np.zeros(classes, np.int64), counts.sum(axis=1), more, more
    )


def draw_here(where: Frame, taken: TakenFor | None, classes: tuple[str, ...]) -> Cells:
    cells = Cells(where.width, where.height, where.theme)
    draw_here_line(cells, where, where.height - 1, taken, classes)
    return cells


def draw_gallery(where: Frame, name: str = "cat", selected: int = 1, **fields) -> Cells:
    picture = GalleryPicture(make_gallery(ident=name, listed=fields.pop("listed", "")), selected, (name, name), name)
    return replace(picture, **fields).draw(where, 500)


def draw_history(where: Frame, name: str = "cat", fill: float | None = None, selected: int = 1) -> Cells:
    strips = make_strips(axis_of(where))
    if fill is not None:
        strips = replace(strips, correct=strips.correct * 0 + fill, confidence=strips.confidence * 0 + fill)
    return HistoryPicture(make_history(ident=name), strips, selected, (name,) * 5, STAGES).draw(where, 500)


def draw_portrait(where: Frame, name: str = "cat", cursor: int | None = 500) -> Cells:
    return PortraitPicture(make_history(ident=name), make_verdict(1, name), (name, name, name), 0).draw(where, cursor)


def draw_pairs(where: Frame, name: str = "cat", fill: float | None = None) -> Cells:
    changes, axis = make_changes(), axis_of(where)
    values = np.full((len(changes), axis.columns), 0.4 if fill is None else fill)
    shares = PairShares(axis, tuple((one.target, one.label) for one in changes), values)
    return PairsPicture(changes, 0, 1, shares, (name,) * 4, "from 490 to 500", STAGES).draw(where, 500)


def draw_matrix(where: Frame, name: str = "cat", more: int = 0) -> Cells:
    return MatrixPicture(make_matrix(more=more), (0, 1), (name,) * 3).draw(where, 500)
