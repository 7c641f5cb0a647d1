"""Activations on the screen: silent filters in Layers, courses and the most exciting images in the inspector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dtui.model import ActivationPlace
from dtui.query import RunQuery, open_run
from dtui.tui.panes.layers.exciting import NOTHING
from dtui.tui.panes.layers.filter_inspector import read_words
from dtui.tui.panes.layers.filters import FiltersOptions
from dtui.tui.panes.layers.inspected import inspecting
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk


@pytest.fixture(scope="module")
def query() -> Iterator[RunQuery]:
    with open_run(SAMPLES / "mnist-dying.dtui") as opened:
        yield opened


def looking(query: RunQuery, layer: str, filter: int, at: int, size: tuple[int, int] = (150, 50)) -> Desk:
    index = next(one.index for one in query.structure().layers if one.name == layer)
    desk = Desk(query, size).go(at)
    desk.session.choose(inspecting(desk.session.scene, index, filter))
    return desk.press("down", "up") if filter == 0 else desk.press("up", "down")


def test_layers_say_which_filters_are_silent(query: RunQuery) -> None:
    text = Desk(query).press("2").text()
    assert "28 of 90 filters silent" in text
    assert "conv2 7 silent" in text
    assert "silent" not in next(line for line in text.splitlines() if "▬ fc2" in line)


def header_of(query: RunQuery, statistic: str, size: tuple[int, int]) -> str:
    desk = Desk(query, size).press("2")
    desk.session.choose(replace(desk.session.scene.selection, node=1))
    filters = desk.session.scene.selection.get(FiltersOptions)
    desk.session.choose(desk.session.scene.selection.put(replace(filters, statistic=statistic)))
    desk.press("down", "up")
    assert desk.session.scene.view.filter_statistics[-2:] == ("activation_zeros", "activation_mean")
    return next(line for line in desk.text().splitlines() if line.lstrip("▌ ").startswith("Filters"))


def test_they_are_statistics_of_the_filters(query: RunQuery) -> None:
    """The last two of the list: the share of zeros is a heatmap like any other, of which nothing is beyond 1."""
    header = header_of(query, "activation_zeros", (150, 50))
    assert "filters × 50 validations   share of zeros" in header
    assert header.rstrip().endswith(" 1")
    for width, words in ((80, "16 filters × 50 validations   mean activation"), (66, "16 filters   mean activation")):
        assert words in header_of(query, "activation_mean", (width, 24))


def test_the_inspector_shows_courses_and_the_images_at_the_crosshair(query: RunQuery) -> None:
    desk = looking(query, "conv1", 3, 500)
    text = desk.text()
    for words in ("share of zeros", "mean activation", "activations: of conv1, behind its relu", "silent since 540"):
        assert words in text
    assert "Most exciting images" in text
    assert "1–9 of 9" in text
    assert NOTHING in desk.go(600).text()  # it fell silent at 540


def test_an_exciting_image_is_looked_at_and_left(query: RunQuery) -> None:
    desk = looking(query, "conv1", 0, 980).press("tab", "l")
    images = query.exciting_images(0, 0, 980)
    assert f"image {images[1]:,}" in desk.text()
    assert desk.press("enter").session.scene.screen.name == "Image"
    assert f"image {images[1]:,}" in desk.text()
    assert "Most exciting images" in desk.press("escape").text()
    desk = looking(query, "conv1", 0, 980).press("i", "i")
    assert f"image {images[0]:,}" in desk.text(), "i goes to the images, then into the first"


def test_it_fits_a_small_terminal(query: RunQuery) -> None:
    text = looking(query, "conv1", 0, 980, (80, 24)).text()
    assert "Most exciting images" in text
    assert "of 9" in text


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (ActivationPlace("bn\x1b[31m1", "relu"), "behind its relu"),
        (ActivationPlace("fc", "\x1b[31mgelu"), "before its �[31mgelu"),
        (ActivationPlace("fc", "gelu"), "before its gelu; zeros are what is not above zero"),
        (ActivationPlace("bn2"), "no ReLU alone follows"),
        (ActivationPlace("", "a row is an\x1b expert"), "no activations: a row is an"),
    ],
)
def test_what_is_read_is_said(place: ActivationPlace, words: str) -> None:
    assert words in read_words(place)[0]
    assert "\x1b" not in read_words(place)[0]
