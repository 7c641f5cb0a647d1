"""The section on images: those of the classes in incidents, those wrong all along, and those forgotten most often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dtui.model.learning import ImageList, LearnedImage
from dtui.model.views import ImagesRequest
from dtui.reports.charts.pictures.image_rows import ImagePanel, image_rows_picture
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.charts.raster import thumbnail
from dtui.reports.document import Gallery, Item, Picture, Section, Thumbnail
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_IMAGES = 12
MOST_CLASSES = 4
A_CLASS = 8
PIXEL_ROWS, COLUMNS = 100, 400
"""Most pixel rows of a class, and columns; more images share a row, and more validations a column."""
MOST_MARKS = 12


@section("images", order=60, screen="gallery")
def images_section(view: View) -> Section | None:
    """Return galleries; nothing without validations."""
    if view.info.validations == 0 or not view.classes:
        return None
    items: list[Item] = []
    named = _classes_of_incidents(view)
    told = ""
    if named:
        picture, told = _pixel_rows(view, named)
        items.append(picture)
    for label in named:
        found = view.query.image_list("hard", label, A_CLASS)
        items += _gallery(view, found, f"{_named(view, label)}, of an incident: {_order(found.images)}")
    always = view.query.image_list("always-wrong", top=MOST_IMAGES)
    hard = view.query.image_list("hard", top=MOST_IMAGES)
    once_right = tuple(one for one in hard.images if one.wrong < one.judged)
    items += _gallery(view, always, "Wrong all along")
    items += _gallery(
        view, replace(hard, total=hard.total - always.total, images=once_right), _order(once_right).capitalize()
    )
    if not items:
        return None
    caption = "Each image with its class, what it was taken for most often, and in how many validations it was wrong."
    if not view.has_confusions:
        caption = "Each item with its group, and in how many validations it was not right."
    return Section(f"{view.prefix}-images", view.of_groups("Images"), f"{caption} {told}".strip(), tuple(items))


def _pixel_rows(view: View, labels: list[int]) -> tuple[Picture, str]:
    """Return the images of some classes over time, one or several a pixel row, and how to read them."""
    axis = view.full_axis.with_columns(min(COLUMNS, view.full_axis.columns))
    panels, said = [], []
    iterations = view.query.validation_iterations().tolist()
    for label in labels:
        rows = view.query.image_rows(ImagesRequest((label,), axis, 0, 1_000_000, PIXEL_ROWS))
        marks = tuple(one.first for one in view.verdict.worst if label in one.classes)[:MOST_MARKS]
        wrong = 1.0 - rows.correct.astype(np.float64)
        panels.append(ImagePanel(_named(view, label), wrong, rows.images, marks, view.nouns[0]))
        whole = np.nanmean(wrong, axis=0) if wrong.size and np.isfinite(wrong).any(axis=0).all() else None
        never = int(np.count_nonzero(rows.always_wrong))
        told = f"{_named(view, label)}: {rows.images:,} {view.nouns[0]}, {never:,} wrong all along"
        if whole is not None:
            worst = int(whole[len(whole) // 5 :].argmax()) + len(whole) // 5
            held = [at for at in iterations if axis.column_of(at) == worst]
            at = held[0] if held else int(np.ceil(axis.first + worst * axis.column_span))
            told += f", most wrong after the first fifth at {at:,}: {percent(float(whole[worst]))}"
        said.append(told)
    one, many = view.nouns[0].removesuffix("s"), view.nouns[0]
    how = (
        f"In the picture each {one} has a pixel row, the easiest on top, coloured where it was judged wrong; "
        f"where {many} share a row, the stronger the more of them. "
        f"A dashed red line is an incident of the {view.group}."
    )
    title = f"Every {one} of the {view.of_groups('classes')} in incidents, over time"
    words = f"Pixel rows of {many} over time. {'; '.join(said)}."
    return image_rows_picture(f"{view.prefix}-image-rows", panels, axis, title, words), how


def _classes_of_incidents(view: View) -> list[int]:
    named = dict.fromkeys(label for one in view.verdict.worst for label in one.classes[:1])
    return list(named)[:MOST_CLASSES]


def _named(view: View, label: int) -> str:
    """Return the name of a class as a title: with the word for it where the name does not begin with one."""
    name, called = view.class_name(label), view.called(label)
    return called if called == name else f"{called[:1].upper()}{called[1:]}"


def _order(images: Sequence[LearnedImage]) -> str:
    """Return in which order the hardest images are listed, in words: without a forgotten one, only how often wrong."""
    if any(one.forgotten for one in images):
        return "forgotten most often (right, then wrong again), then wrong most often"
    return "wrong most often"


def _gallery(view: View, found: ImageList, title: str) -> list[Item]:
    """Return a gallery; nothing for an empty list."""
    if not found.images:
        return []
    images = tuple(_image(view, one) for one in found.images)
    left = found.total - len(images)
    return [Gallery(title, images, f"{left:,} more are not shown." if left else "")]


def _image(view: View, one: LearnedImage) -> Thumbnail:
    last = view.info.last_iteration or 0
    pixels = view.query.image_verdict(one.image, last).pixels
    wrong = f"wrong {one.wrong:,} of {one.judged:,}"
    lines = [wrong]
    taken = ""
    if one.taken_for is not None and view.has_confusions:
        taken = f"{one.taken_for_times:,}× taken for {view.class_name(one.taken_for)}"  # short: it stands beside pixels
        lines.insert(0, taken)
    if one.forgotten:
        lines.append(f"forgotten {one.forgotten:,}×")
    name, which = _named(view, one.target), f"{view.of_groups('image')} {safe(one.id, 60)}"
    said = f"{which} of {view.called(one.target)}: {', '.join(lines)}"
    picture = "" if pixels is None else thumbnail(pixels)
    if view.judged_classes == 1:  # its name tells nothing
        return Thumbnail(picture, which, tuple(lines), said)
    if pixels is None:  # the id alone says which it is
        return Thumbnail("", which, (name, *lines), said)
    return Thumbnail(picture, name, tuple(lines), said)
