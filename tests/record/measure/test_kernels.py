"""The compiled statistics against those of NumPy, bit by bit but for the order in which a layer's filters are added."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, NORM_STATISTICS, NormLayer, Record, Structure
from dtui.record.backends.numba_cpu import load_kernels
from dtui.record.backends.sums import Sum
from dtui.record.measure import compiled
from dtui.record.measure.norm_statistics import NormDeriver
from dtui.record.measure.statistics import Deriver, RawRecord
from dtui.record.network.layers import describe
from dtui.record.network.norm_layers import Kept
from dtui.record.training.skipped_updates import Skips
from dtui.record.writing.kernel_folder import kept_kernels
from dtui.record.writing.warn import RecorderWarning, forget_told
from tests.record.twins import change, measurer_of, needs_numba

CHANNELS = (1, 2, 7, 64)


def raw_records() -> tuple[Structure, list[RawRecord]]:
    """Records of a small network: the first, one as usual, one of a GradScaler that skips, and a watch."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(3, 70, 3), nn.Conv2d(70, 4, 1))
    model = nn.Sequential(block, nn.Sequential(nn.Linear(7, 5), nn.Linear(1, 3)), nn.Linear(90, 60))
    measurer, probes = measurer_of(model, "torch")
    norms = tuple(NormLayer(f"n{count}", "BatchNorm2d", count, "") for count in CHANNELS)
    generator = np.random.default_rng(0)
    found = []
    for iteration in range(4):
        change(model, iteration)
        raw = measurer.measure()(iteration, {"loss": float(iteration)})
        values = generator.normal(size=(len(Kept), sum(CHANNELS))).astype(np.float32)
        values[Kept.VARIANCE] = values[Kept.VARIANCE] ** 2
        values[Kept.SCALE, -9:] *= 1e-5
        found.append(replace(raw, sums=raw.sums.copy(), samples=raw.samples.copy(), norms=values))
    watch = np.full_like(found[0].sums, np.nan)
    taken = [Sum.WEIGHT_NORM, Sum.GRADIENT_NORM, Sum.UPDATE_NORM]
    watch[taken], watch[Sum.WEIGHT_NONFINITE :] = found[3].sums[taken], 0
    found[2] = found[2].with_skips(Skips(3, True))
    found[3] = replace(found[3], sums=watch, samples=found[3].samples[:, :, :0].copy(), norms=None)
    return replace(describe(model, probes), norms=norms), found


def spoil(raw: RawRecord, what: str) -> None:
    """Put in place what a broken training, a part of a network or an old driver leaves."""
    if what == "nothing":
        return
    norms = np.empty((0, 0), np.float32) if raw.norms is None else raw.norms
    if what == "no gradients":
        raw.sums[Sum.GRADIENT_SUM : Sum.GRADIENT_DEVIATION + 1], raw.samples[1] = np.nan, np.nan
    elif what == "a layer that is gone":
        raw.sums[: Sum.WEIGHT_NONFINITE, :70], raw.samples[:, 0], norms[:, :3] = np.nan, np.nan, np.nan
    elif what == "NaN and Inf":
        raw.sums[Sum.WEIGHT_NONFINITE, 3], raw.sums[Sum.UPDATE_NONFINITE, 3] = 27, 2  # every weight of a filter
        raw.sums[Sum.GRADIENT_NONFINITE, 71], raw.sums[: Sum.GRADIENT_SUM, 3] = 5, 0
        raw.samples[:, 0, ::3], raw.samples[0, 1, 5:6] = np.inf, np.nan
        norms[:, -3:] = np.inf
    elif what == "zeros":
        raw.sums[:], raw.samples[:], norms[:] = 0, 0, 0


def assert_same(one: Record, other: Record, what: str) -> None:
    for field in fields(Record):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(ours, np.ndarray):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), (what, field.name)
            exactly = 1e-12 if field.name == "filters" else 1e-6  # a layer adds its filters in another order
            np.testing.assert_allclose(theirs, ours, rtol=exactly, atol=0, err_msg=f"{what}: {field.name}")
        else:
            assert ours == theirs, (what, field.name)


@needs_numba
@pytest.mark.parametrize("what", ["nothing", "no gradients", "a layer that is gone", "NaN and Inf", "zeros"])
def test_a_record_is_the_same_compiled(what: str) -> None:
    structure, raws = raw_records()
    ours, theirs = Deriver(structure), Deriver(structure, True)
    assert theirs._compiled is not None
    for raw in raws:
        spoil(raw, what)
        assert_same(ours.derive(raw), theirs.derive(raw), f"record {raw.iteration}")
    for raw in reversed(raws):  # of other shapes in another order: a watch, then a record
        raw.sums.setflags(write=False)
        assert_same(ours.derive(raw), theirs.derive(raw), f"again {raw.iteration}")


@needs_numba
def test_the_compiled_statistics_are_all_that_there_are() -> None:
    kernels = compiled.load_kernels()
    assert kernels is not None
    assert sorted(kernels.statistics.FILTER_COLUMNS) == sorted(FILTER_STATISTICS)
    assert sorted(kernels.statistics.NODE_COLUMNS) == sorted(LAYER_STATISTICS)
    assert sorted(kernels.norms.COLUMNS) == sorted(NORM_STATISTICS)


def test_a_compiler_that_fails_is_told_and_numpy_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "dtui.record.measure.norm_kernel", None)
    monkeypatch.delattr("dtui.record.measure.norm_kernel", raising=False)
    compiled.load_kernels.cache_clear()
    structure, raws = raw_records()
    with pytest.warns(RecorderWarning, match="NumPy is"):
        deriver = Deriver(structure, True)
    compiled.load_kernels.cache_clear()
    assert_same(Deriver(structure).derive(raws[0]), deriver.derive(raws[0]), "without")


@needs_numba
@pytest.mark.parametrize("home", [True, False])
def test_kernels_that_no_folder_keeps_are_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, home: bool
) -> None:
    """Without a home numba would make a folder named ~ here; with one that cannot be written it says no word of it."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path.replace("~", "/nonexistent" if home else "~"))
    begun: list[int] = []
    told = failed_import(RuntimeError("cannot cache function 'f': no locator available for file 'k.py'"), begun)
    assert (
        told == "NoKernelFolderError: no folder for compiled code can be written; set NUMBA_CACHE_DIR to one that can"
    )
    assert len(begun) == home


def failed_import(error: Exception, begun: list[int], place: str = __file__) -> str:
    """Return what is told where an import of kernels fails."""
    try:
        with kept_kernels(place):
            begun.append(1)
            raise error
    except (RuntimeError, OSError) as told:
        return f"{type(told).__name__}: {told}"
    return "nothing"


@needs_numba
def test_what_is_compiled_is_told_in_one_line_and_what_is_loaded_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numba

    forget_told()
    for told in (1, 0):
        with kept_kernels(str(tmp_path / "kernel.py")):
            for signature in ("int64(int64)", "float64(float64)") if told else ():
                numba.njit(signature)(lambda value: value)
        assert capsys.readouterr().err.count("numba compiles dtui's kernels for this CPU") == told


@needs_numba
def test_a_kernel_is_compiled_once_for_all_three_sources() -> None:
    kernels = load_kernels()
    assert len(kernels._take_carefully.signatures) == len(kernels._sum_apart.signatures) == 1


@needs_numba
def test_what_a_full_disk_or_a_compiler_says_is_told(tmp_path: Path) -> None:
    assert failed_import(RuntimeError("another"), [], str(tmp_path / "kernel.py")) == "RuntimeError: another"
    full = failed_import(OSError(28, "No space left on device"), [], str(tmp_path / "kernel.py"))
    assert "written (No space left on device); set NUMBA_CACHE_DIR" in full


@needs_numba
def test_a_layer_of_many_equal_channels_has_their_median() -> None:
    kernels = compiled.load_kernels()
    assert kernels is not None
    ours, theirs = NormDeriver([2000, 3]), NormDeriver([2000, 3], kernels.norms)
    generator = np.random.default_rng(1)
    for values in (generator.integers(0, 3, (3, 2003)), np.ones((3, 2003)), np.arange(6009).reshape(3, 2003)):
        given = values.astype(np.float32)
        np.testing.assert_allclose(theirs.derive(given), ours.derive(given), rtol=1e-6)
