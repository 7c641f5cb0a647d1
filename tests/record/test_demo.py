"""The demonstration, and the sample runs that it made."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtui.demo.faults import Fault
from dtui.demo.training import train_demo
from dtui.errors import MissingExtraError
from dtui.model import RunStatus
from dtui.store import RunReader

SAMPLES = Path(__file__).parents[2] / "sample_runs"


def test_a_short_demonstration_is_a_whole_run(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    faults = (
        Fault("poisoned_labels", 2, 3, label=4, becomes=9),
        Fault("learning_rate_spike", 7, 2, factor=20.0),
        Fault("dead_filters", 5, layer="layer2.1.conv1", filters=(1, 3)),
        Fault("bit_flip", 10, layer="layer3.0.conv1", filters=(17,)),
    )
    path = train_demo(
        tmp_path / "run", iterations=12, every=1, faults=faults, progress=lambda done, all_: told.append((done, all_))
    )
    assert told == [(done, 12) for done in range(1, 13)]
    reader = RunReader(path)
    assert reader.status() is RunStatus.DONE
    assert reader.record_iterations.tolist() == reader.validation_iterations.tolist() == list(range(12))
    assert reader.structure.filters == 402
    assert [note["kind"] for note in reader.metadata.notes] == [fault.kind for fault in faults]
    rates = reader.read_scalar("learning_rate", slice(0, 12)).tolist()
    assert rates[:9] == pytest.approx([0.05] * 6 + [0.005] + [0.1] * 2)
    layers = {layer.name: layer for layer in reader.structure.layers}
    dead = layers["layer2.1.conv1"].first_filter
    gradients = reader.read_filters("gradient_norm", slice(dead, dead + 16), slice(0, 12))
    assert (gradients[[1, 3], 6:] == 0).all()
    assert (gradients[[0, 2], 6:] > 0).all()
    flipped = layers["layer3.0.conv1"].first_filter + 17
    norms = reader.read_filters("norm", slice(flipped, flipped + 1), slice(0, 12))[0]
    assert norms[10] > 1000 * norms[9]
    reader.close()


def test_without_the_digits_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.demo.digits.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[demo\]'"):
        train_demo(tmp_path / "run", iterations=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "faults"), [("mnist-healthy", 0), ("mnist-faults", 5)])
def test_the_sample_runs_are_complete_and_small(name: str, faults: int) -> None:
    path = SAMPLES / f"{name}.dtui"
    assert sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) < 8_000_000
    assert len(list((path / "parts").glob("*.h5"))) == 2
    reader = RunReader(path)
    assert reader.status() is RunStatus.DONE
    assert (len(reader.record_iterations), len(reader.validation_iterations)) == (240, 240)
    assert reader.gaps == reader.faults == ()
    assert not reader.metadata.invented
    assert len(reader.metadata.notes) == faults
    assert reader.images is not None
    assert len(reader.images.ids) == 1000
    labels = reader.read_labels(slice(0, 1000), slice(0, 240))
    error = (labels != reader.images.targets[:, None]).mean(0)
    assert error[0] > 0.8
    assert error[-1] < 0.04
    rates = reader.read_scalar("learning_rate", slice(0, 240))
    assert {round(rate, 6) for rate in np.unique(rates)} >= {0.05, 0.005, 0.0005}
    picture = Image.open(io.BytesIO(reader.read_thumbnail(500)))
    assert picture.size == (28, 28)
    reader.close()
