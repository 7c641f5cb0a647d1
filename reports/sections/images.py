"""The section on images: those of the classes in incidents, those wrong all along, and those forgotten most often."""

from __future__ import annotations

from dtui.model.learning import ImageList, LearnedImage
from dtui.reports.charts.raster import thumbnail
from dtui.reports.document import Gallery, Item, Section, Thumbnail
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_IMAGES = 12
MOST_CLASSES = 4
A_CLASS = 8


@section("images", order=60)
def images_section(view: View) -> Section | None:
    """Return galleries; nothing without validations."""
    if view.info.validations == 0 or not view.classes:
        return None
    items: list[Item] = []
    for label in _classes_of_incidents(view):
        found = view.query.image_list("hard", label, A_CLASS)
        items += _gallery(
            view, found, f"Forgotten most often of {view.class_name(label)}, a {view.group} of an incident"
        )
    items += _gallery(view, view.query.image_list("always-wrong", top=MOST_IMAGES), "Wrong all along")
    items += _gallery(
        view, view.query.image_list("hard", top=MOST_IMAGES), "Forgotten most often: right, then wrong again"
    )
    if not items:
        return None
    caption = "Each image with its class, what it was taken for most often, and in how many validations it was wrong."
    if not view.has_confusions:
        caption = "Each item with its group, and in how many validations it was not right."
    return Section(f"{view.prefix}-images", "Images", caption, tuple(items))


def _classes_of_incidents(view: View) -> list[int]:
    named = dict.fromkeys(label for one in view.verdict.worst for label in one.classes[:1])
    return list(named)[:MOST_CLASSES]


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
        taken = f"taken for {view.class_name(one.taken_for)} {one.taken_for_times:,}×"
        lines.insert(0, taken)
    if one.forgotten:
        lines.append(f"forgotten {one.forgotten:,}×")
    name = view.class_name(one.target)
    said = f"image {safe(one.id, 60)} of {name}: {', '.join(lines)}"
    return Thumbnail("" if pixels is None else thumbnail(pixels), name, tuple(lines), said)
