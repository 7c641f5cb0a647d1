"""The corpus made small: real trainings with faults and clean twins, recorded and judged, in seconds."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dtui.query import open_run
from dtui.store import RunReader
from tests.truth.corpus import judging, train
from tests.truth.corpus.data import load
from tests.truth.corpus.kinds import KINDS
from tests.truth.corpus.seeds import Plan
from tests.truth.corpus.train import draw_faults, make_run, run_path, truth_path
from tests.truth.corpus.training import Training

pytestmark = pytest.mark.filterwarnings("ignore:.*outputs of .* are NaN")  # of the fault that makes them so

FAULTY = Plan(
    0,
    "digits",
    "normalised",
    "sgd",
    "constant",
    3,
    100,
    (("bit flip, large", 34), ("poisoned labels", 64), ("NaN", 90)),
)
HEALTHY = Plan(1, "digits", "perceptron", "adamw", "cosine", 3, 100)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def made(digits: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs, one of them healthy, and their truths."""
    folder = tmp_path_factory.mktemp("corpus")
    for plan in (FAULTY, HEALTHY):
        assert make_run(plan, folder)
    return folder


def _recorded(path: Path) -> dict[str, np.ndarray]:
    """Return what a run holds of weights, gradients and judgements."""
    reader, every = RunReader(path), slice(None)
    try:
        told = {name: reader.read_filters(name, every, every) for name in reader.contents.filters}
        told["iterations"] = reader.record_iterations
        told["labels"] = reader.read_labels(every, every)
        told["class errors"] = reader.read_class_errors(every)
        told["loss"] = reader.read_scalar("loss", every)
        return told
    finally:
        reader.close()


def test_a_seed_makes_the_same_run_again(made: Path, tmp_path: Path) -> None:
    short = replace(FAULTY, records=12, faults=(("bit flip, large", 5),))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_run(short, tmp_path / name)
    one, two = (_recorded(run_path(tmp_path / name, 0)) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name], two[name], equal_nan=True) for name in one)
    assert len(one["iterations"]) >= short.records
    first, second = (json.loads(truth_path(tmp_path / name, 0).read_text()) for name in ("one", "two"))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_recording_and_faults_leave_what_comes_before_the_first_fault_as_it_is_without_them(made: Path) -> None:
    recorded = _recorded(run_path(made, FAULTY.seed))
    training = Training(FAULTY, load("digits"))
    begin = draw_faults(FAULTY, training)[0].begin
    for iteration in range(begin):
        training.compute(iteration, ())
        training.step(iteration, ())
        if iteration % FAULTY.every == 0:
            record = iteration // FAULTY.every
            assert recorded["loss"][record] == np.float32(training.loss.item())
            errors = training.look(iteration, training.evaluate()).class_errors
            assert recorded["class errors"][:, record] == pytest.approx(errors, abs=1e-6)
    assert begin > 90


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_fork_goes_on_exactly_as_its_training_does_and_disturbs_nothing(optimizer: str) -> None:
    plan = replace(FAULTY, optimizer=optimizer, network="residual")
    training, alone = (Training(plan, load("digits")) for _ in range(2))
    (frozen,) = (each for each in draw_faults(replace(plan, faults=(("frozen layer", 2),)), training))
    for iteration in range(12):
        for each in (training, alone):
            each.compute(iteration, [frozen])
            each.step(iteration, [frozen])
        if iteration == 7:
            twin = training.fork()
            for later in range(8, 12):
                twin.compute(later, [frozen])
                twin.step(later, [frozen])
    names = training.model.state_dict()
    assert all(torch.equal(twin.model.state_dict()[name], names[name]) for name in names)
    assert all(torch.equal(alone.model.state_dict()[name], names[name]) for name in names)
    assert frozen.acts(7)  # the twin was forked while a layer was frozen


@pytest.mark.parametrize("kind", ["frozen layer", "exploding gradient", "learning-rate spike"])
def test_faults_of_the_optimizer_act_from_their_first_iteration_to_their_last(kind: str) -> None:
    plan = replace(FAULTY, faults=((kind, 3),))
    training = Training(plan, load("digits"))
    (fault,) = draw_faults(plan, training)
    rates, gradients, moved, losses = [], [], [], []
    watched = fault.layers[0] if fault.layers else "conv1"
    for iteration in range(fault.end + 3):
        weight = training.model.get_parameter(f"{watched}.weight")
        before = weight.detach().clone()
        training.compute(iteration, [fault])
        gradients.append(0.0 if weight.grad is None else float(weight.grad.norm()))
        rates.append(training.optimizer.param_groups[0]["lr"])
        losses.append(training.loss.item())
        training.step(iteration, [fault])
        moved.append(float((weight.detach() - before).norm()))
    acting = [fault.acts(iteration) for iteration in range(fault.end + 3)]
    if kind == "frozen layer":
        assert [each == 0 for each in moved] == acting
    elif kind == "learning-rate spike":
        assert [each > 2 * rates[0] for each in rates] == acting
    else:
        usual = max(each for each, acts in zip(gradients, acting, strict=True) if not acts)
        assert gradients[fault.begin] > 5 * usual
        assert losses[fault.begin] < 2 * max(losses[: fault.begin])  # what is logged is not scaled


def test_the_truth_tells_each_fault_with_what_it_did(made: Path) -> None:
    told = json.loads(truth_path(made, FAULTY.seed).read_text())
    assert [each["kind"] for each in told["faults"]] == [kind for kind, _ in FAULTY.faults]
    assert all(each["visible"] for each in told["faults"])
    flip, poison, nan = told["faults"]
    assert flip["effect"]["filter_change"] > 0.25
    assert poison["effect"]["worst_class"] in poison["classes"]
    assert nan["effect"]["nonfinite"]
    assert told["iterations"] < FAULTY.iterations  # the training ends soon after NaN
    assert [each["causes"] for each in told["faults"]] == [list(KINDS[each["kind"]].causes) for each in told["faults"]]
    assert told["versions"]["torch"] == torch.__version__
    with open_run(run_path(made, FAULTY.seed)) as run:
        assert run.metadata().notes == ()  # nothing in the run tells what was done to it
        assert not run.info().gaps
    assert json.loads(truth_path(made, HEALTHY.seed).read_text())["faults"] == []


def test_runs_that_are_there_are_kept_and_half_made_ones_are_made_anew(made: Path, tmp_path: Path) -> None:
    before = truth_path(made, HEALTHY.seed).stat().st_mtime_ns
    assert not make_run(HEALTHY, made)
    assert truth_path(made, HEALTHY.seed).stat().st_mtime_ns == before
    half = run_path(tmp_path, HEALTHY.seed)
    half.mkdir()
    (half / "run.json").write_text("{}")
    short = replace(HEALTHY, records=4)
    assert make_run(short, tmp_path)
    with open_run(half) as run:
        assert run.info().records >= short.records


def test_a_training_that_fails_leaves_no_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(train, "_evaluate", fail)
    with pytest.raises(OSError, match="disk full"):
        make_run(replace(HEALTHY, records=4), tmp_path)
    assert not list(tmp_path.glob("*.truth.json"))


def test_todays_anomalies_find_what_the_reduced_corpus_shows(made: Path) -> None:
    judged = judging.judge_folders([made], "anomalies")
    assert judged is not None
    faulty, healthy = judged
    assert healthy.is_healthy
    assert sum(verdict.is_hit for verdict in faulty.verdicts) >= 2
    assert faulty.verdicts[2].names_cause()  # NaN


def test_incidents_find_what_the_reduced_corpus_shows(made: Path) -> None:
    """Two runs prove little: the margins are wide, so that what fails here is broken and not unlucky."""
    judged = judging.judge_folders([made], "incidents")
    if judged is None:
        pytest.skip("this dtui has no incidents")
    faulty, healthy = judged
    assert [verdict.is_hit for verdict in faulty.verdicts] == [True] * 3
    assert sum(verdict.names_cause() for verdict in faulty.verdicts) >= 2
    assert faulty.verdicts[0].names_layer()
    assert faulty.verdicts[1].names_class()
    assert faulty.incidents <= 8
    assert healthy.incidents <= 2


def test_the_command_makes_and_judges(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.truth.corpus.__main__ import main

    assert main(["judge", str(made), "--method", "anomalies", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["anomalies"]["seeds"] == [FAULTY.seed, HEALTHY.seed]
    assert main(["judge", str(made), "--method", "anomalies"]) == 0
    assert "| runs (healthy) | 2 (1) |" in capsys.readouterr().out
    assert main(["make", "--seeds", "77", "-o", str(made)]) == 2
    assert "seed 77 is in no block" in capsys.readouterr().err
    assert main(["judge", os.devnull]) == 2
