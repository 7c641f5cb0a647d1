"""One callback and several trainings: each is recorded, in a run of its own or where it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from dtui.model import RunStatus
from dtui.record import RecorderWarning
from dtui.record.writing.stopping import StopSignal
from dtui.store import RunReader
from tests.record.conftest import RecorderUnderTest, small_net
from tests.record.integrations import test_integrations
from tests.record.integrations.test_integrations import IMAGES, LABELS, Pictures, optional
from tests.record.test_loops import data, update

Make = Callable[..., RecorderUnderTest]


pytestmark = pytest.mark.usefixtures("nothing_else_is_told")


def assert_run(path: Path, records: range, validations: list[int], joins: list[int] | None = None) -> None:
    reader = RunReader(path)
    assert (reader.status(), reader.faults, reader.gaps) == (RunStatus.DONE, (), ())
    assert reader.record_iterations.tolist() == list(records)
    assert reader.validation_iterations.tolist() == validations
    assert [join.iteration for join in reader.joins] == (joins or [])
    reader.close()


def runs_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.dtui"))


@pytest.mark.skipif(optional("lightning") is None, reason="lightning is not installed")
class TestSeveralFits:
    kit = test_integrations.TestLightning()

    def callback(self, folder: Path, **options: Any) -> Any:
        from dtui.record.integrations.lightning import DtuiCallback

        return DtuiCallback(folder / "run", every=1, **options)

    def fit(self, trainer: Any, module: Any, checkpoint: Path | None = None) -> None:
        dataset = TensorDataset(IMAGES, LABELS)
        loaders = DataLoader(dataset, 8, shuffle=True), DataLoader(dataset, 20)
        trainer.fit(module, *loaders, ckpt_path=checkpoint)

    def test_a_second_fit_is_a_run_of_its_own(self, tmp_path: Path) -> None:
        callback = self.callback(tmp_path)
        for _ in range(2):
            self.fit(self.kit.trainer(tmp_path, callback, max_epochs=2), self.kit.module(True))
        assert_run(tmp_path / "run", range(10), [4, 9])
        assert_run(tmp_path / "run-2", range(10), [4, 9])

    def test_a_fit_that_goes_on_where_it_ended_goes_on_with_its_run(self, tmp_path: Path) -> None:
        module = self.kit.module(True)
        trainer = self.kit.trainer(tmp_path, self.callback(tmp_path), max_epochs=1)
        for epochs in (1, 3):
            trainer.fit_loop.max_epochs = epochs
            self.fit(trainer, module)
        assert_run(tmp_path / "run", range(15), [4, 9, 14], [5])
        assert runs_in(tmp_path) == ["run.dtui"]

    def test_a_fit_from_the_last_checkpoint_goes_on_with_the_run(self, tmp_path: Path) -> None:
        module, callback = self.kit.module(True), self.callback(tmp_path)
        trainer = self.kit.trainer(tmp_path, callback, max_epochs=1)
        self.fit(trainer, module)
        trainer.save_checkpoint(tmp_path / "one.ckpt")
        self.fit(self.kit.trainer(tmp_path, callback, max_epochs=2), self.kit.module(True), tmp_path / "one.ckpt")
        assert_run(tmp_path / "run", range(10), [4, 9], [5])

    @pytest.mark.parametrize("is_resumed", [False, True])
    def test_a_fit_from_an_earlier_checkpoint_supersedes_only_what_it_is_asked_to(
        self, tmp_path: Path, is_resumed: bool
    ) -> None:
        module, callback = self.kit.module(True), self.callback(tmp_path, resume=is_resumed)
        trainer = self.kit.trainer(tmp_path, callback, max_epochs=1)
        self.fit(trainer, module)
        trainer.save_checkpoint(tmp_path / "one.ckpt")
        trainer.fit_loop.max_epochs = 2
        self.fit(trainer, module)
        self.fit(self.kit.trainer(tmp_path, callback, max_epochs=2), self.kit.module(True), tmp_path / "one.ckpt")
        if is_resumed:
            assert_run(tmp_path / "run", range(10), [4, 9], [5, 5])
        else:
            assert_run(tmp_path / "run", range(10), [4, 9], [5])
            assert_run(tmp_path / "run-2", range(5, 10), [9])

    def test_a_fit_that_begins_anew_supersedes_nothing_even_where_runs_are_resumed(self, tmp_path: Path) -> None:
        callback = self.callback(tmp_path, resume=True)
        for _ in range(2):
            self.fit(self.kit.trainer(tmp_path, callback, max_epochs=1), self.kit.module(True))
        assert_run(tmp_path / "run", range(5), [4])
        assert_run(tmp_path / "run-2", range(5), [4])

    def test_validations_before_and_after_a_fit_and_a_search_for_a_rate_are_none_of_the_training(
        self, tmp_path: Path
    ) -> None:
        from lightning.pytorch.tuner import Tuner

        module = self.kit.module(True)
        module.lr = 0.1
        trainer = self.kit.trainer(tmp_path, self.callback(tmp_path), max_epochs=1)
        loader = DataLoader(TensorDataset(IMAGES, LABELS), 8)
        trainer.validate(module, loader, verbose=False)
        Tuner(trainer).lr_find(module, loader, num_training=8)
        self.fit(trainer, module)
        trainer.validate(module, loader, verbose=False)
        assert_run(tmp_path / "run", range(5), [4])
        assert runs_in(tmp_path) == ["run.dtui"]

    def test_a_fit_ends_where_the_recorder_says_that_it_should(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(StopSignal, "is_due", lambda _, iteration: iteration >= 6)
        trainer = self.kit.trainer(tmp_path, self.callback(tmp_path), max_epochs=4)
        self.fit(trainer, self.kit.module(True))
        assert trainer.global_step == 7
        assert_run(tmp_path / "run", range(7), [4, 6])  # Lightning validates before it ends
        assert capsys.readouterr().err.count("dtui: the training ends after iteration 6: the flight recorder saw") == 1

    def test_a_fit_after_one_that_failed_is_recorded(self, tmp_path: Path) -> None:
        module, callback = self.kit.module(True), self.callback(tmp_path)
        module.fail_at = 3
        with pytest.raises(ZeroDivisionError):
            self.fit(self.kit.trainer(tmp_path, callback, max_epochs=1), module)
        module.fail_at = -1
        self.fit(self.kit.trainer(tmp_path, callback, max_epochs=1), module)
        assert_run(tmp_path / "run-2", range(5), [4])


@pytest.mark.skipif(
    optional("transformers") is None or optional("accelerate") is None, reason="transformers or accelerate is missing"
)
class TestSeveralTrainings:
    kit = test_integrations.TestHuggingFace()

    def trainer(self, folder: Path, **options: Any) -> Any:
        from dtui.record.integrations.huggingface import DtuiCallback

        arguments = self.kit.transformers.TrainingArguments(
            folder / "out", per_device_train_batch_size=20, eval_strategy="epoch", num_train_epochs=2, logging_steps=1,
            save_strategy="epoch", report_to=[], use_cpu=True, disable_tqdm=True,
        )  # fmt: skip
        pictures = Pictures(IMAGES, LABELS)
        return self.kit.transformers.Trainer(
            args=arguments, train_dataset=pictures, eval_dataset=pictures,
            callbacks=[DtuiCallback(folder / "run", every=1)], **options,
        )  # fmt: skip

    def test_a_second_training_is_a_run_of_its_own(self, tmp_path: Path) -> None:
        """As in a search of hyperparameters: the model is made anew, and the evaluation after each is none of it."""
        trainer = self.trainer(tmp_path, model_init=self.kit.model)
        for _ in range(2):
            trainer.train()
            trainer.evaluate()
        assert_run(tmp_path / "run", range(4), [1, 3])
        assert_run(tmp_path / "run-2", range(4), [1, 3])

    def test_a_training_that_goes_on_where_it_ended_goes_on_with_its_run(self, tmp_path: Path) -> None:
        trainer = self.trainer(tmp_path, model=self.kit.model())
        trainer.train()
        trainer.args.num_train_epochs = 3
        trainer.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
        assert_run(tmp_path / "run", range(6), [1, 3, 5], [4])
        assert runs_in(tmp_path) == ["run.dtui"]

    def test_a_training_ends_where_the_recorder_says_that_it_should(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(StopSignal, "is_due", lambda _, iteration: iteration >= 2)
        trainer = self.trainer(tmp_path, model=self.kit.model())
        trainer.train()
        assert trainer.state.global_step == 3
        assert capsys.readouterr().err.count("dtui: the training ends after iteration 2: the flight recorder saw") == 1

    def test_a_training_that_was_broken_off_is_ended_when_the_next_begins(self, tmp_path: Path) -> None:
        trainer = self.trainer(tmp_path, model=self.kit.model())

        class Break(self.kit.transformers.TrainerCallback):
            is_over = False

            def on_step_end(self, *_: Any, **__: Any) -> None:
                if not self.is_over:
                    self.is_over = True
                    raise KeyboardInterrupt

        trainer.add_callback(Break())
        with pytest.raises(KeyboardInterrupt):
            trainer.train()
        trainer.train()
        reader = RunReader(tmp_path / "run")
        assert (reader.status(), reader.record_iterations.tolist()) == (RunStatus.CRASHED, [0])
        assert "the next training began before this one had ended" in reader.reason
        reader.close()
        assert_run(tmp_path / "run-2", range(4), [1, 3])


# --- what is told


def test_what_is_recorded_with_a_closed_recorder_is_told_once(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)
    recorder.close()

    def use() -> None:
        with recorder.validation([data()]):
            recorder.predictions(torch.zeros(1, 3), [0], [0])
        recorder.step()

    with pytest.warns(RecorderWarning, match="validation: run0.dtui is closed, and nothing is recorded") as told:
        use()
    assert len(told) == 1


def test_predictions_of_a_validation_that_cannot_be_recorded_are_not_told_for_something_else(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    with pytest.warns(RecorderWarning) as told, recorder.validation(iter([])):
        recorder.predictions(torch.zeros(1, 3), [0], [0])
    assert len(told) == 1
    assert "not within" not in str(told[0].message)


def test_predictions_outside_of_a_validation_name_the_recorder(record: Make) -> None:
    recorder = record(small_net(), every=1)
    with pytest.warns(RecorderWarning, match=r"not within `with recorder\.validation\(\):`; they are left out"):
        recorder.predictions(torch.zeros(1, 3), [0], [0])
