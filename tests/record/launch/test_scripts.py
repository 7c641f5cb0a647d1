"""Scripts of many shapes, none of which knows of dtui, are recorded as they are, and train to the same bits."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.launch_notes import BOOTSTRAP, VARIABLE, Notes, Settings, as_variable, read_settings
from dtui.query import RunQuery, open_run
from dtui.record import Recorder

SCRIPTS = Path(__file__).parent / "scripts"
PLAIN = (
    "mnist",
    "imagenet",
    "timm_shape",
    "sums",
    "folds",
    "lightning_fit",
    "hf_trainer",
    "generator",
    "average",
    "gan",
    "own",
)
EVERYTHING = (
    *("--batches", "--activations", "--norms", "channels"),
    *("--keep-around", "4", "--top", "2", "--name", "Tried"),
)
"""All that `dtui run` can be asked for, but how often and where."""
WORDS = {"imagenet": ["one"], "own": ["own-run"]}


@dataclass(frozen=True)
class Trained:
    """What a script left."""

    folder: Path
    name: str

    def out(self, rank: int = 0) -> str:
        return (self.folder / f"{self.name}.{rank}.out").read_text()

    def err(self, rank: int = 0) -> str:
        return (self.folder / f"{self.name}.{rank}.err").read_text()

    @property
    def bits(self) -> list[str]:
        return re.findall("^BITS .*", self.out(), re.MULTILINE)

    @property
    def problems(self) -> list[str]:
        return [note.problem for note in Notes(self.folder / f"{self.name}.notes").read() if note.problem]

    def run(self, ending: str = "") -> RunQuery:
        return open_run(self.folder / f"{self.name}{ending}.dtui")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Trained]:
    """Every script, trained once with dtui and once without."""
    folder = tmp_path_factory.mktemp("scripts")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    cases = {}
    for name in (*PLAIN, "ddp"):
        (folder / f"{name}.notes").mkdir()
        words = [str(SCRIPTS / f"{name}.py"), *WORDS.get(name, ())]
        settings = Settings(str(folder / f"{name}.dtui"), name, 1, str(folder / f"{name}.notes"), {"batches": True})
        environment = {VARIABLE: as_variable(settings)}
        if name == "ddp":
            words = [str(SCRIPTS / "imagenet.py"), "launched"]
            own = [str(SCRIPTS / "own.py"), "own-ddp-run"]
            cases["own-ddp"] = {"words": own, "processes": [group | {"RANK": rank} for rank in "01"]}
            cases["ddp-alone"] = {"words": words, "processes": [group | {"RANK": rank} for rank in "01"]}
            cases[name] = {"words": words, "processes": [environment | group | {"RANK": rank} for rank in "01"]}
            continue
        cases[name] = {"words": words, "processes": [environment]}
        if name not in ("own", "gan"):
            cases[f"{name}-alone"] = {"words": words, "processes": [{}]}
    (folder / "cases.json").write_text(json.dumps(cases))
    inherited = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    result = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("driver.py")), str(folder)],
        cwd=folder,
        env={
            **inherited,
            "PYTHONPATH": f"{BOOTSTRAP}{os.pathsep}{SCRIPTS.parents[3]}",
            VARIABLE: as_variable(settings),
        },
        check=False,
    )
    assert result.returncode == 0
    codes = json.loads((folder / "codes.json").read_text())
    told = {name: (folder / f"{name}.err").read_text() for name, code in codes.items() if code}
    assert told == {}
    return {name: Trained(folder, name) for name in cases}


def test_a_command_is_recorded_from_its_start_to_its_exit_code(trained: Mapping[str, Trained], tmp_path: Path) -> None:
    """A shell script that calls Python, whose loaders have workers; with all that can be asked for."""
    words = f"{sys.executable} {SCRIPTS / 'mnist.py'} --workers 1 --exit 3"
    (tmp_path / "go.sh").write_text(f"{sys.executable} -c pass; {words}; code=$?; {sys.executable} -c pass; exit $code")
    result = subprocess.run(
        [sys.executable, "-m", "dtui", "run", *EVERYTHING, "--", "sh", "go.sh"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 3
    assert re.findall("^BITS .*", result.stdout, re.MULTILINE) == trained["mnist-alone"].bits
    assert result.stderr.splitlines() == [
        "dtui: runs/go-1 is recorded, every 5 iterations; dtui runs/go-1 opens it",
        "to standard error",
        "dtui: runs/go-1: 8 records, 3 validations",
    ]
    with open_run(tmp_path / "runs" / "go-1") as query:
        assert len(query.batch(5).batch.samples) == 8
        assert len(query.exciting_images(0, 0, 35))
        assert query.metadata().name == "Tried"


def test_what_run_takes_is_what_the_recorder_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Under the same names, and nothing of it where nothing was said."""
    monkeypatch.chdir(tmp_path)
    asked: list[Settings] = []

    def child(command: Sequence[str], environment: Mapping[str, str]) -> int:
        monkeypatch.setenv(VARIABLE, environment[VARIABLE])
        settings = read_settings()
        assert settings is not None
        asked.append(settings)
        return 0

    monkeypatch.setattr("dtui.cli.launching.child.run_child", child)
    main(["run", *EVERYTHING, "--every", "7", "--", "python"])
    main(["run", "--", "python"])
    assert asked[0].every == 7
    assert asked[0].options == {
        **{"batches": True, "activations": True},
        **{"norms": "channels", "keep_around": 4, "top": 2, "name": "Tried"},
    }
    assert asked[0].options.keys() < inspect.signature(Recorder).parameters.keys()
    assert asked[1].options == {}


def test_watches_between_records_that_leave_no_room_for_them_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--every", "1", "--keep-around", "4", "--", "python"]) == 2
    assert capsys.readouterr().err == (
        "dtui: --keep-around: with --every 1 each iteration is a record; leave one of the two out\n"
    )


def launch(folder: Path, name: str, *words: str) -> subprocess.Popen[str]:
    """Begin `dtui run` with a launcher, which is a command as pip installs it, for the Python of the tests."""
    point = next((one for one in metadata.entry_points(group="console_scripts", name=name)), None)
    if point is None:
        pytest.skip(f"{name} is not installed")
    file = folder / name
    call = f"from {point.module} import {point.attr}\nif __name__ == '__main__':\n    sys.exit({point.attr}())\n"
    file.write_text(f"#!{sys.executable}\nimport sys\n{call}")
    file.chmod(0o700)
    kept = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    more = {"PYTHONPATH": str(SCRIPTS.parents[3]), "OMP_NUM_THREADS": "1", "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.Popen(
        [sys.executable, "-m", "dtui", "run", "--batches", "--every", "2", "--out", "first", "--", name, *words],
        cwd=folder,
        env=kept | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("name", "words", "end", "records"),
    [
        ("torchrun", ["--nproc-per-node", "2", str(SCRIPTS / "imagenet.py"), "launched", "3"], None, 3),
        ("accelerate", ["launch", "--multi_gpu", "--num_processes", "2", str(SCRIPTS / "accelerated.py")], None, 6),
        (
            "torchrun",
            ["--nproc-per-node", "2", str(SCRIPTS / "accelerated.py"), "endless"],
            signal.SIGTERM,
            0,
        ),
    ],
    ids=["torchrun", "accelerate", "SIGTERM"],
)
def test_a_launcher(
    name: str, words: list[str], end: int | None, records: int, trained: Mapping[str, Trained], tmp_path: Path
) -> None:
    """One run is recorded, by the first process; bits, exit codes and signals are as without."""
    with launch(tmp_path, name, *words) as process:
        assert process.stdout is not None
        out = ""
        while end is not None and "trained" not in out:
            out += process.stdout.readline()
        if end is not None:
            process.send_signal(end)
        rest, err = process.communicate()
    assert [path.name for path in tmp_path.glob("*.dtui")] == ["first.dtui"]
    assert len(re.findall("^dtui: first is recorded", err, re.MULTILINE)) == 1
    if "launched" in words:
        assert re.findall("^BITS .*", rest, re.MULTILINE) == trained["ddp-alone"].bits
    assert process.returncode == (0 if name == "accelerate" else 1)  # torchrun's own code where a process fails
    with open_run(tmp_path / "first") as query:
        info = query.info()
        assert str(info.status) == ("done" if end is None else "crashed")
        assert info.records == records or end is not None
        assert info.validations >= 2
        assert query.batch(0).batch.samples.size


@pytest.mark.parametrize("name", [*(name for name in PLAIN if name not in ("gan", "own")), "ddp"])
def test_a_script_trains_to_the_same_bits(name: str, trained: Mapping[str, Trained]) -> None:
    assert trained[name].bits
    assert trained[name].bits == trained[f"{name}-alone"].bits
    assert "Traceback" not in trained[name].err()


@pytest.mark.parametrize(
    ("name", "records", "validations", "images", "classes"),
    [
        ("mnist", 36, 3, 30, ["upper", "middle", "lower"]),
        ("imagenet", 12, 2, 30, ["upper", "middle", "lower"]),
        ("timm_shape", 12, 2, 30, ["upper", "middle", "lower"]),
        ("sums", 18, 3, 24, ["upper", "middle", "lower"]),
        ("lightning_fit", 24, 2, 30, ["upper", "middle", "lower"]),
        ("hf_trainer", 24, 2, 30, ["LABEL_0", "LABEL_1", "LABEL_2"]),
        ("ddp", 6, 2, 30, ["upper", "middle", "lower"]),
        ("generator", 8, 0, 0, []),
        ("average", 18, 2, 20, ["0", "1", "2"]),
    ],
)
def test_a_script_is_recorded(
    name: str, records: int, validations: int, images: int, classes: list[str], trained: Mapping[str, Trained]
) -> None:
    with trained[name].run() as query:
        info = query.info()
        assert (info.records, info.validations, info.images) == (records, validations, images)
        found = query.image_set()
        assert list(found.classes if found is not None else ()) == classes
        assert not info.gaps
        assert 0 < query.curves_at(records)["loss"] < 3
    assert trained[name].err().count("is recorded, at every iteration") == 1
    assert not trained[name].problems


def test_what_was_judged_is_what_the_script_counted(trained: Mapping[str, Trained]) -> None:
    counted = {
        "mnist": [int(right) / 30 for right in re.findall(r"Accuracy: (\d+)/30", trained["mnist"].out())],
        "timm_shape": [float(top1) / 100 for top1 in re.findall(r"top1 ([\d.]+)", trained["timm_shape"].out())],
        "sums": [int(share) / 100 for share in re.findall(r" (\d+)%", trained["sums"].out())],
    }
    counted["average"] = [int(right) / 20 for right in re.findall(r"right (\d+)", trained["average"].out())][1:]
    for name, shares in counted.items():
        with trained[name].run() as query:
            judged = [1 - query.curves_at(at)["validation_error"] for at in query.validation_iterations().tolist()]
        assert judged == pytest.approx(shares, abs=0.006), name


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *(("mnist", 8), ("imagenet", 16), ("timm_shape", 16), ("sums", 12)),
        *(("lightning_fit", 8), ("hf_trainer", 8), ("average", 16), ("ddp", 16)),
    ],
)
def test_the_batch_of_the_first_update_is_kept(name: str, size: int, trained: Mapping[str, Trained]) -> None:
    """The recorder is made when the model is first called: after the loader, or before it the optimizer, was used."""
    with trained[name].run() as query:
        batches = [query.batch(update).batch.samples.tolist() for update in range(3)]
    assert [len(batch) for batch in batches] == 3 * [size]
    assert len(set().union(*batches)) == 3 * size  # in an epoch no sample comes twice


def test_the_loss_is_the_one_that_was_scaled_and_summed_over_micro_batches(trained: Mapping[str, Trained]) -> None:
    """Two halves of 8 images make an update, times 1,024 by the scaler: none of that shows."""
    with trained["timm_shape"].run() as query:
        first = query.curves_at(0)["loss"]
    assert first == pytest.approx(float(trained["timm_shape"].out().split()[1]), abs=1e-6)


def test_each_training_of_a_process_is_a_run(trained: Mapping[str, Trained]) -> None:
    for ending in ("", "-2", "-3"):
        with trained["folds"].run(ending) as query:
            assert query.info().records == 4


def test_settings_of_both_optimizers_are_kept(trained: Mapping[str, Trained]) -> None:
    with trained["sums"].run() as query:
        settings = query.metadata().hyperparameters
        assert (settings["optimizer"], settings["optimizer_2"], settings["lr_2"]) == ("SGD", "AdamW", "0.01")
        assert query.curves_at(17)["learning_rate_2"] == pytest.approx(0.01)


def test_two_models_are_told_and_not_recorded(trained: Mapping[str, Trained]) -> None:
    (line,) = trained["gan"].problems
    assert line.startswith("two models are trained, a Discriminator and a Generator, and a run holds one; to join them")
    assert not (trained["gan"].folder / "gan.dtui").exists()


def test_a_recorder_of_the_script_is_left_alone(trained: Mapping[str, Trained]) -> None:
    assert trained["own"].problems == ["the script has a recorder of its own; it is left alone"]
    assert not (trained["own"].folder / "own.dtui").exists()
    with open_run(trained["own"].folder / "own-run.dtui") as query:
        assert query.info().records == 2


def test_a_recorder_in_each_process_of_a_launcher_makes_one_run(trained: Mapping[str, Trained]) -> None:
    one = trained["own-ddp"]
    assert [path.name for path in one.folder.glob("own-ddp*.dtui")] == ["own-ddp-run.dtui"]
    with open_run(one.folder / "own-ddp-run") as query:
        assert (query.info().records, str(query.info().status)) == (2, "done")
    assert (one.err(0), one.err(1)) == ("", "")
