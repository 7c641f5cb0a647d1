"""What turns NaN or Inf is told of once, with its iteration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.model import (
    NORM_STATISTICS,
    PARAMETER_STATISTICS,
    NormLayer,
    OtherParameter,
    Trigger,
)
from dtui.model.findings.nonfinite import BrokenGradients
from dtui.query.run import RunQuery
from dtui.query.watching.events import EventKind, Look, Wanted
from dtui.query.watching.nonfinite import Nonfinite
from dtui.query.watching.watcher import Watcher
from dtui.store import RunWriter, find_past
from tests.query.watching.live import NONFINITE, Live, calm, kinds
from tests.store.builders import METADATA, STRUCTURE


@pytest.mark.parametrize("source", ["weights", "gradients"])
def test_nan_in_a_layer_is_told_once(live: Live, source: str) -> None:
    live.append()
    assert live.look() == []
    live.append(source)
    (event,) = live.look()
    assert (event.kind, event.iteration) == (EventKind.NONFINITE, 20)
    assert event.sentence == f"at iteration 20 {source} of layer stage.\x1b[31mconv are NaN or Inf"
    for _ in range(3):
        live.append(source)
        assert live.look() == []


def test_what_is_found_while_something_else_cannot_be_read_is_told_by_the_next_look(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: RunQuery) -> None:
        raise OSError("stale file handle")

    live.append("weights")
    with monkeypatch.context() as patch:
        patch.setattr(RunQuery, "incidents", fail)
        assert live.watcher.look() == Look((), ("stale file handle",))
    assert kinds(live.look()) == ["nonfinite"]


def test_what_turns_nan_together_is_told_together_and_what_follows_later_by_itself(live: Live) -> None:
    live.append("gradients", loss=float("nan"))
    (event,) = live.look()
    assert event.sentence.endswith("gradients of layer stage.\x1b[31mconv are NaN or Inf; loss is NaN or Inf")
    live.append("weights", loss=float("inf"))
    assert [one.sentence for one in live.look()] == [
        "at iteration 20 weights of layer stage.\x1b[31mconv are NaN or Inf"
    ]


def test_of_much_that_turns_nan_together_three_are_named(live: Live) -> None:
    live.append(loss=np.nan, a=np.nan, b=np.nan, c=np.nan)
    (event,) = live.look()
    assert event.sentence.count("is NaN or Inf") == 3
    assert event.sentence.endswith("; and 1 more")


def test_of_several_layers_the_others_are_counted() -> None:
    said = [Nonfinite("weights", "a", layers, 10).sentence for layers in (1, 3)]
    assert said == ["weights of layer a are NaN or Inf", "weights of layer a and 2 more are NaN or Inf"]


def test_what_was_first_gives_the_iteration(live: Live) -> None:
    live.append(loss=np.nan)
    live.append("weights")
    assert [event.iteration for event in live.look()] == [10]


def test_a_nan_at_the_first_update_after_a_resume_is_told_again(live: Live) -> None:
    live.append("weights")
    assert [event.iteration for event in live.look()] == [10]
    live.writer.close()
    past = find_past(live.path)
    assert past is not None
    with RunWriter.resume(past, 10, compact=False) as again:
        again.append_record(calm(1, "weights"))
        watcher = Watcher(live.path, Wanted(), live.watcher._told)
        assert [event.iteration for event in watcher.look().events] == [10]
        watcher.close()


def test_a_value_between_records_and_a_trigger_are_told(live: Live) -> None:
    live.writer.append_logged(4, {"accuracy": float("nan")})
    assert [one.sentence for one in live.look()] == ["at iteration 4 accuracy is NaN or Inf"]
    live.writer.append_trigger(Trigger(7, "loss", "", (), 9.0, 4.0))
    assert kinds(live.look()) == ["incident"]
    live.writer.append_trigger(Trigger(8, "nonfinite", "fc", (1,), 1.0, float("nan")))
    assert [one.sentence for one in live.look()] == ["at iteration 8 the flight recorder saw NaN or Inf in layer fc"]


def test_after_a_resume_the_same_nan_is_told_again_and_an_older_one_is_not(live: Live) -> None:
    live.append()
    live.append("gradients")
    live.append(accuracy=float("inf"))
    assert len(live.look()) == 1
    live.writer.close()
    assert live.look() == []
    past = find_past(live.path)
    assert past is not None
    live.writer = RunWriter.resume(past, 25, compact=False)
    live.append(accuracy=float("inf"))
    assert [one.sentence for one in live.look()] == ["at iteration 40 accuracy is NaN or Inf"]


def test_what_comes_at_the_very_update_that_a_resume_goes_on_with_is_told_again(live: Live) -> None:
    """All kinds, by the same watch; what came before it is not."""

    def bad_again() -> list[str]:
        live.append("gradients", accuracy=np.nan)
        live.writer.append_logged(20, {"lr": np.nan})
        live.writer.append_trigger(Trigger(20, "nonfinite", "fc", (1,), 1.0, float("nan")))
        return [event.sentence.partition("; ")[0] for event in live.look()]

    live.append("weights")
    assert len(live.look()) == 1
    first = bad_again()
    live.writer.close()
    past = find_past(live.path)
    assert past is not None
    live.writer, live.count = RunWriter.resume(past, 20, compact=False), 2
    assert bad_again() == first
    (event,) = live.watcher._told._runs.values()
    again = [key for key in event if key.startswith("nonfinite") and key.endswith(" 1")]
    assert sorted(key.split()[1] for key in again) == ["gradients", "value", "value", "watch"]


def test_norms_and_parameters_outside_the_layers_are_told(tmp_path: Path) -> None:
    structure = replace(
        STRUCTURE, norms=(NormLayer("a", "BatchNorm2d", 3), NormLayer("b", "LayerNorm", 4)),
        parameters=(OtherParameter("words", "Embedding", 300),),
    )  # fmt: skip
    norms, parameters = np.ones((len(NORM_STATISTICS), 2)), np.ones((len(PARAMETER_STATISTICS), 1))
    norms[-1], parameters[-1] = (0, 1), 1
    with RunWriter(tmp_path / "run", structure, METADATA, compact=False) as writer:
        for position, (one, other) in enumerate(((0, 0), (1, 0), (0, 1))):
            extra: dict[str, Any] = {"norms": norms.copy(), "parameters": parameters.copy()}
            extra["norms"][-1] *= one
            extra["parameters"][-1] *= other
            writer.append_record(replace(calm(position), **extra))
        watcher = Watcher(writer.path, Wanted())
        (event,) = watcher.look().events
        watcher.close()
    assert event.sentence == (
        "at iteration 10 scales or running statistics of layer b are NaN or Inf; "
        "parameter words or its gradient is NaN or Inf"
    )


def test_where_a_recorder_saw_it_begin_is_told(live: Live) -> None:
    live.writer.append_nonfinite(BrokenGradients(7, ("stem",), ("stage.\x1b[31mconv", "fc")))
    live.append()
    (event,) = live.look()
    assert event.sentence.startswith("at iteration 7 NaN or Inf: it began in the backward pass at stem")


def test_layers_that_turned_nan_in_the_same_record_are_counted(live: Live) -> None:
    live.append("weights")
    both = calm(2, "weights")
    both.layers[:, NONFINITE, 2] = 1
    live.writer.append_record(both)
    (event,) = live.look()
    assert event.sentence == (
        "at iteration 10 weights of layer stage.\x1b[31mconv are NaN or Inf; gradients of layer fc are NaN or Inf"
    )


def test_of_a_value_in_records_and_between_them_the_first_is_told(live: Live) -> None:
    live.append(accuracy=np.nan)
    live.writer.append_logged(4, {"accuracy": np.nan})
    assert [one.sentence for one in live.look()] == ["at iteration 4 accuracy is NaN or Inf"]


@pytest.mark.parametrize("is_between", [False, True])
def test_the_largest_loss_since_a_record_is_a_loss(live: Live, is_between: bool) -> None:
    if is_between:
        live.writer.append_logged(10, {"loss_max": np.nan})
    else:
        live.append(loss_max=np.nan)
    assert [one.sentence for one in live.look()] == ["at iteration 10 loss is NaN or Inf"]


def test_a_value_that_is_not_logged_every_time_is_none_where_it_is_not(live: Live) -> None:
    live.append(accuracy=0.5)
    live.append()
    assert live.look() == []
