"""Each task of `dtui.record.judging` in a tiny training of its own, read as a front end reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dtui.cli import main
from dtui.model import Cause
from dtui.model.learning import GalleryRequest
from dtui.query import RunQuery, open_run
from dtui.record import Recorder, RecorderWarning
from dtui.record.judging import (
    absolute_error,
    by_class,
    main_class,
    matched_boxes,
    mean_iou,
    token_loss,
    truth_probability,
)
from dtui.store import pack_run
from tests.record.telling import untold

ITEMS = 24
COLOURS = ("background", "red", "green", "blue")


@contextmanager
def recorded(path: Path, model: nn.Module, **options: Any) -> Iterator[tuple[Recorder, Callable[[Tensor], None]]]:
    """Give a recorder, and what makes one update of a loss; the run is complete afterwards."""
    optimizer = torch.optim.Adam(model.parameters(), 0.02)

    def update(loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with (
        untold("recorded as one row each"),
        Recorder(path, model, optimizer, every=2, graph=False, fused=False, **options) as recorder,
    ):
        yield recorder, update


@pytest.fixture(autouse=True)
def _steady() -> Iterator[None]:
    """Let each test draw the same numbers, whichever were run before it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    yield
    torch.set_num_threads(threads)


def squares() -> tuple[Tensor, Tensor]:
    """Images with one coloured square each, and the class of each pixel."""
    images, masks = 0.1 * torch.rand(ITEMS, 3, 8, 8), torch.zeros(ITEMS, 8, 8, dtype=torch.long)
    for item in range(ITEMS):
        colour = 1 + item % 3
        top, left = item % 4, item // 4 % 4
        images[item, colour - 1, top : top + 4, left : left + 4] = 1.0
        masks[item, top : top + 4, left : left + 4] = colour
    return images, masks


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunQuery]:
    """A run in which the labels of green turn wrong from update 60 on."""
    path = tmp_path_factory.mktemp("runs") / "segmentation"
    images, masks = squares()
    model = nn.Conv2d(3, 4, 3, padding=1)
    with recorded(path, model, classes=COLOURS) as (recorder, update):
        for step in range(90):
            truth = torch.where(masks == 2, 0, masks) if step >= 60 else masks
            update(functional.cross_entropy(model(images), truth))
            if step % 2:
                scores = mean_iou(model(images), masks)
                groups = main_class(masks, 4, background=0)
                recorder.judge(range(ITEMS), scores, groups, threshold=0.5, name="IoU", images=images)
    with open_run(path) as query:
        yield query


def test_a_fault_in_a_segmentation_is_an_incident_of_its_group(segmentation: RunQuery) -> None:
    found = [one for one in segmentation.incidents() if one.classes == (2,)]
    assert [one.cause for one in found] == [Cause.CLASS]
    assert 60 <= found[0].first <= 72
    assert found[0].sentence.startswith("the error of group green rose")


def test_its_scores_are_those_of_the_evaluation(segmentation: RunQuery) -> None:
    last = segmentation.record_iterations()[-1]
    verdicts = [segmentation.image_verdict(image, int(last)) for image in range(ITEMS)]
    for verdict in verdicts:
        assert verdict.judging is not None
        assert verdict.judging.score == "IoU"
        assert (verdict.label == verdict.target) == (verdict.score >= 0.5)
        assert np.isnan(verdict.confidence)
    assert {verdict.label for verdict in verdicts if verdict.target == 2} == {4}
    history = segmentation.image_history(int(next(one.image for one in verdicts if one.target == 2)), 2)
    assert len(history.scores) == 45
    assert history.scores[25] > 0.5 > history.scores[-1]


def test_its_worst_images_come_first(segmentation: RunQuery) -> None:
    gallery = segmentation.gallery(GalleryRequest(89, 0, ITEMS, (1, 2, 3)))
    scores = [verdict.score for verdict in gallery.shown]
    assert scores == sorted(scores)
    assert gallery.wrong == 8


def test_what_it_says_of_itself(segmentation: RunQuery, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        main(list(arguments))
        return "".join(capsys.readouterr())

    info = segmentation.info()
    assert (info.classes, info.images) == (4, ITEMS)
    assert info.judging is not None
    assert info.judging.sentence == "an item is right where its IoU is at least 0.5"
    assert info.findings == ()
    shown = said("info", str(segmentation.path))
    assert "45 of 24 items in 3 of 4 groups" in shown
    assert "an item is right where its IoU is at least 0.5" in shown
    assert "group green" in said("incidents", str(segmentation.path))
    told = said("confusion", str(segmentation.path), "--at", "80")
    assert "no confusions: the IoU decides what is right" in told


def test_many_labels_an_image_are_items_each(tmp_path: Path) -> None:
    inputs, model = torch.randn(ITEMS, 6), nn.Linear(6, 3)
    targets = (inputs[:, :3] > 0).float()
    with recorded(tmp_path / "run", model) as (recorder, update):
        for step in range(40):
            update(functional.binary_cross_entropy_with_logits(model(inputs), targets))
            if step % 4 == 3:
                sure = truth_probability(model(inputs), targets)
                recorder.judge(*by_class(range(ITEMS), sure, ["cat", "dog", "sun"]), threshold=0.5)
    with open_run(tmp_path / "run") as query:
        images, errors = query.image_set(), query.class_courses("error", 3)
        assert images is not None
        assert images.classes == ("cat", "dog", "sun", "not right")
        assert (len(images.ids), images.ids[1]) == (3 * ITEMS, "1 cat")
        assert all(one.last < one.highest for one in errors)


def test_boxes_that_are_found_are_right(tmp_path: Path) -> None:
    centres, model = torch.rand(ITEMS, 2), nn.Linear(2, 4)
    truth = torch.cat([centres - 0.3, centres + 0.3], 1)
    with recorded(tmp_path / "run", model) as (recorder, update):
        for step in range(120):
            update(functional.mse_loss(model(centres), truth))
            if step % 8 == 7:
                boxes = model(centres).detach()
                found = [{"boxes": one[None], "scores": torch.ones(1)} for one in boxes]
                true = [{"boxes": one[None]} for one in truth]
                recorder.judge(range(ITEMS), matched_boxes(found, true), threshold=0.5, name="F1")
    assert_learned(tmp_path / "run", "F1")


def test_errors_of_a_regression_are_right_below_a_limit(tmp_path: Path) -> None:
    inputs, model = torch.randn(ITEMS, 4), nn.Linear(4, 1)
    targets = inputs.sum(1)
    with recorded(tmp_path / "run", model) as (recorder, update):
        for step in range(160):
            update(functional.mse_loss(model(inputs)[:, 0], targets))
            if step % 8 == 7:
                off = absolute_error(model(inputs), targets)
                recorder.judge(range(ITEMS), off, threshold=0.3, better="lower", name="error in m")
    assert_learned(tmp_path / "run", "error in m")


class Bigrams(nn.Module):
    """A language model of one token back."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(9, 12), nn.Linear(12, 9)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits of the next token, shape (n, tokens, 9)."""
        answer: Tensor = self.head(self.embed(tokens))
        return answer


def test_texts_are_judged_by_their_tokens_in_domains(tmp_path: Path) -> None:
    start, model = torch.arange(ITEMS) % 9, Bigrams()
    tokens = (start[:, None] + torch.arange(7) * (1 + torch.arange(ITEMS) % 2)[:, None]) % 9
    domains = ["code" if item % 2 else "prose" for item in range(ITEMS)]
    with recorded(tmp_path / "run", model) as (recorder, update):
        for step in range(60):
            logits = model(tokens[:, :-1])
            update(functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()))
            if step % 4 == 3:
                losses = token_loss(model(tokens), tokens, shift=True)
                recorder.judge(range(ITEMS), losses, domains, better="lower", name="loss")
    with open_run(tmp_path / "run") as query:
        images = query.image_set()
        assert images is not None
        assert images.classes == ("prose", "code", "not right")
        course = query.curves_at(10**6)
        assert course["loss_limit"] <= course["loss_worst_tenth"] < 2.0
        assert course["validation_error"] < 0.5


def assert_learned(path: Path, name: str) -> None:
    """Items turned right while it was trained, and the mean score got better."""
    with open_run(path) as query:
        assert query.info().judging is not None
        first, last = (query.curves_at(at) for at in (int(query.validation_iterations()[0]), 10**6))
        assert f"{name}_mean" in last
        assert last["validation_error"] < first["validation_error"]


def train_on(path: Path, checkpoint: dict[str, Any] | None, updates: int) -> dict[str, Any]:
    """Judge losses without a threshold at every update; return a checkpoint."""
    torch.manual_seed(1)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    done = 0
    if checkpoint is not None:
        done = checkpoint["updates"]
    with Recorder(path, model, optimizer, every=1, resume=True, iteration=done, fused=False) as recorder:
        for step in range(done, done + updates):
            model(torch.ones(1, 3)).sum().backward()
            optimizer.step()
            recorder.judge(range(20), torch.arange(20.0) + step, better="lower", name="loss")
        return {"updates": recorder.iteration + 1}


def test_a_resumed_run_goes_on_with_its_rule_and_its_limit(tmp_path: Path) -> None:
    checkpoint = train_on(tmp_path / "run", None, 3)
    train_on(tmp_path / "run", checkpoint, 3)
    pack_run(tmp_path / "run.dtui", tmp_path / "packed.h5")
    for name in ("run", "packed.h5"):
        with open_run(tmp_path / name) as query:
            info = query.info()
            assert info.judging is not None
            assert (info.judging.rule, info.judging.score, info.validations) == ("tenth", "loss", 6)
            assert [query.curves_at(step)["loss_limit"] for step in range(6)] == [17.0] * 6
            verdict = query.image_verdict(19, 5)
            assert (verdict.score, verdict.label) == (24.0, 1)


def test_the_limit_after_a_resume_is_that_of_the_validations_before_the_checkpoint(tmp_path: Path) -> None:
    """Losses fall at every update, so that each validation that still counted would lower the limit."""

    def judge(recorder: Recorder, *rises: float) -> None:
        for rise in rises:
            recorder.step()
            recorder.judge(range(20), torch.arange(20.0) + rise, groups, better="lower", name="loss")

    model, groups = nn.Linear(3, 2), [0, 1] * 10
    with Recorder(tmp_path / "run", model, every=1, classes=("a", "b")) as recorder:
        judge(recorder, 0.0, -1.0, -2.0, -3.0)
    with Recorder(tmp_path / "run", model, every=1, classes=("a", "b"), resume=True, iteration=2) as recorder:
        judge(recorder, 100.0)
    with open_run(tmp_path / "run") as query:
        assert query.validation_iterations().tolist() == [0, 1, 2]
        assert [query.curves_at(step)["loss_limit"] for step in range(3)] == [17.0, 16.0, 16.0]


def test_another_rule_after_a_resume_is_told(tmp_path: Path) -> None:
    checkpoint = train_on(tmp_path / "run", None, 2)
    model = nn.Linear(3, 1)
    with Recorder(tmp_path / "run", model, resume=True, iteration=checkpoint["updates"], fused=False) as recorder:
        model.weight.data += 1
        recorder.step()
        with pytest.warns(RecorderWarning, match=r"judge: this call is judged by threshold=3 \(lower is better\), the"):
            recorder.judge(range(20), torch.ones(20), threshold=3, better="lower")
