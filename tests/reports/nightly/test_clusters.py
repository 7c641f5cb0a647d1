"""A night on other engines: submitit's local executor, a real Dask cluster, and what is said where there is none."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.errors import ReportError
from dtui.reports.nightly import dask_cluster, slurm_array
from dtui.reports.nightly.night import NightSettings, run_night
from dtui.reports.nightly.workers import Limits
from tests.reports.nightly.runs import damage, here, make_run, tree

TEXT = NightSettings(format="text", jobs=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, one of them damaged; not to be changed."""
    runs = tmp_path_factory.mktemp("clusters") / "runs"
    shutil.copytree(make_run(runs / "a", troubled=True), runs / "b.dtui")
    damage(make_run(runs / "c"))
    return runs


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a night in this process."""
    out = tmp_path_factory.mktemp("expected") / "night"
    assert run_night(folder, out, TEXT, engine=here).exit_code == 2
    return tree(out)


def test_an_array_of_jobs_makes_the_same_bytes(
    folder: Path, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm_array, "RUNS_A_TASK", 2)
    told: list[tuple[int, int, str]] = []
    out = tmp_path / "night"
    index = slurm_array.run_on_slurm(folder, out, TEXT, lambda *done: told.append(done), cluster="local")
    assert (index.exit_code, index.missing) == (2, ())
    assert told == [(1, 2, "task 1"), (2, 2, "task 2")]
    assert tree(out, without=["shards/", "slurm/"]) == expected


def test_a_task_that_did_not_end_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node went down: the job has no result."""

    class Lost:
        def exception(self) -> None:
            raise RuntimeError("job has no result")

    monkeypatch.setattr(slurm_array, "find_spec", lambda name: name)
    monkeypatch.setattr(slurm_array, "_submitted", lambda *_: [Lost()])
    index = slurm_array.run_on_slurm(folder, tmp_path / "night", TEXT, cluster="local")
    assert (index.missing, index.shards, index.exit_code) == ((1,), 1, 2)


def test_an_interrupted_night_takes_its_jobs_back(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[str] = []

    class Job:
        def exception(self) -> None:
            raise KeyboardInterrupt

        def cancel(self, check: bool) -> None:
            cancelled.append("one")
            raise OSError("no scancel here")

    monkeypatch.setattr(slurm_array, "find_spec", lambda name: name)
    monkeypatch.setattr(slurm_array, "_submitted", lambda *_: [Job(), Job()])
    with pytest.raises(KeyboardInterrupt):
        slurm_array.run_on_slurm(folder, tmp_path / "night", TEXT, cluster="local")
    assert cancelled == ["one", "one"]


def test_a_dask_cluster_makes_the_same_bytes(folder: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "night"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp", silence_logs=50
    ) as cluster:
        engine = dask_cluster.dask_engine(cluster.scheduler_address, TEXT.limits)
        assert run_night(folder, out, TEXT, engine=engine).exit_code == 2
    assert tree(out) == expected


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1"])
def test_a_scheduler_that_is_dead_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_cluster, "ANSWER_SECONDS", 0.2)
    assert main(["nightly", str(folder), "-o", str(tmp_path / "night"), "--scheduler", address]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"dtui: {address}: no Dask scheduler answers there")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("address", ["nonsense", "", "tcp://a:b", "ftp://a:1"])
def test_an_address_that_is_none_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    pytest.importorskip("distributed")
    assert main(["nightly", str(folder), "-o", str(tmp_path / "night"), "--scheduler", address]) == 2
    what = "not the address of a Dask scheduler; give one such as tcp://host:8786"
    assert capsys.readouterr().err == f"dtui: --scheduler {address!r}: {what}\n"


def test_a_scheduler_without_workers_is_told(folder: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None, protocol="tcp") as cluster:
        engine = dask_cluster.dask_engine(cluster.scheduler_address, Limits())
        with pytest.raises(ReportError, match="has no workers"):
            run_night(folder, tmp_path / "night", TEXT, engine=engine)


@pytest.mark.parametrize(
    ("option", "module", "extra"),
    [(["--slurm"], slurm_array, "slurm"), (["--scheduler", "tcp://a:1"], dask_cluster, "dask")],
)
def test_an_extra_that_is_not_installed_is_told_with_how_to_install_it(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: list[str],
    module: object,
    extra: str,
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert main(["nightly", str(folder), "-o", str(tmp_path / "night"), *option]) == 2
    said = capsys.readouterr().err
    assert f"is not installed; pip install '.[{extra}]' in dtui's folder" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "night").exists()


def test_a_host_without_slurm_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_array, "find_spec", lambda name: name)
    monkeypatch.setattr(slurm_array.shutil, "which", lambda _: None)
    assert main(["nightly", str(folder), "-o", str(tmp_path / "night"), "--slurm"]) == 2
    assert "no sbatch on the path" in capsys.readouterr().err


def test_the_extras_are_in_the_tests() -> None:
    assert find_spec("submitit") is not None, "pip install -e '.[test]'"
    assert find_spec("distributed") is not None, "pip install -e '.[test]'"
