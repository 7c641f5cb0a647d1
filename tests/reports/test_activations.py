"""The images that excite filters, in a report: of silent filters those of the last validation at which they spoke."""

from __future__ import annotations

from pathlib import Path

from dtui.model import Standing
from dtui.query import open_run
from dtui.reports.document import Gallery
from dtui.reports.rows import FilterMaps
from dtui.reports.sections.filters import _WORDS, ZEROS_CAPTION, activation_maps, exciting_items, filters_section
from dtui.reports.sections.registry import View

SAMPLES = Path(__file__).parents[2] / "sample_runs"


def test_silent_filters_show_what_excited_them_before() -> None:
    with open_run(SAMPLES / "mnist-dying.dtui") as query:
        items = exciting_items(View(query, "run"))
        first = query.exciting_images(0, 3, 520)
        assert all(isinstance(one, Gallery) for one in items)
        galleries = [one for one in items if isinstance(one, Gallery)]
        assert "Filter 3 of conv1, silent since 540: what excited it most at 520" in [one.title for one in galleries]
        shown = next(one for one in galleries if "of conv1" in one.title)
        assert len(shown.images) == len(first) == 9
        assert shown.images[0].picture
        assert "number 1 for the filter" in shown.images[0].description
    assert Standing.SILENT in _WORDS


def test_the_share_of_zeros_is_a_map_of_the_layers_that_have_it() -> None:
    with open_run(SAMPLES / "mnist-dying.dtui") as query:
        (item,) = activation_maps(View(query, "run"))
        assert isinstance(item, FilterMaps)
        assert [one.layer for one in item.maps] == ["conv1", "conv2", "conv3", "fc1"]
        for shown in item.maps:
            layer = next(one.index for one in query.structure().layers if one.name == shown.layer)
            last = query.activations("activation_zeros", layer)[shown.courses.filters, -1]
            assert shown.courses.values[:, -1].tolist() == last.tolist()
        section = filters_section(View(query, "run"))
    assert section is not None
    assert ZEROS_CAPTION in section.caption
    assert item.quantity == "share of activations that are zero behind the ReLU"


def test_a_run_without_activations_shows_none() -> None:
    with open_run(SAMPLES / "mnist-resumed.dtui") as query:
        assert exciting_items(View(query, "run")) == activation_maps(View(query, "run")) == []
