"""A small real training by each framework is recorded as the plain loop is."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, TensorDataset

from dtui.errors import RecorderError, RunExistsError
from dtui.model import FILTER_STATISTICS, RunStatus
from dtui.store import RunReader
from tests.record.conftest import small_net
from tests.store.builders import points_of

IMAGES = torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(2))


def labels_of(model: nn.Module, images: Tensor) -> list[int]:
    with torch.no_grad():
        return model(images).argmax(1).tolist()


def check_last_validation(reader: RunReader, model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """The last validation stored is what the trained model says now."""
    count = len(reader.validation_iterations)
    stored = reader.read_labels(slice(0, len(images)), slice(count - 1, count))[:, 0].tolist()
    assert reader.images is not None
    wanted = labels_of(model.eval(), images)
    assert stored == [wanted[int(identity)] for identity in reader.images.ids]
    assert reader.images.targets.tolist() == sorted(labels.tolist())


def optional(name: str) -> Any:
    """The package, or None where it is not installed."""
    return import_module(name) if find_spec(name.partition(".")[0]) else None


@pytest.mark.skipif(optional("lightning") is None, reason="lightning is not installed")
class TestLightning:
    lightning = optional("lightning.pytorch")

    def module(self, through_self: bool) -> Any:
        class Module(self.lightning.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.net = small_net()
                self.through_self = through_self
                self.fail_at = -1

            def forward(self, images: Tensor) -> Tensor:
                return self.net(images)

            def training_step(self, batch: Any, index: int) -> Tensor:
                if self.global_step == self.fail_at:
                    raise ZeroDivisionError("on purpose")
                images, labels = batch
                loss = functional.cross_entropy(self.net(images), labels)
                self.log("error", (self.net(images).argmax(1) != labels).float().mean())
                self.log("epoch_loss", loss, on_step=False, on_epoch=True)
                return loss

            def validation_step(self, batch: Any, index: int) -> None:
                images, _ = batch
                scores = self(images) if self.through_self else self.net(images)
                self.log("val_score", scores.mean())

            def configure_optimizers(self) -> Any:
                return torch.optim.SGD(self.parameters(), lr=0.1)

        return Module()

    def trainer(self, folder: Path, *callbacks: Any, **options: Any) -> Any:
        usual = {"max_epochs": 3, "enable_checkpointing": False, "callbacks": list(callbacks)}
        return self.lightning.Trainer(
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
            **{**usual, **options},
        )

    def fit(self, trainer: Any, module: Any, shuffle: bool = False, checkpoint: Path | None = None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = TensorDataset(IMAGES, LABELS)
            loaders = DataLoader(data, 8, shuffle=True), DataLoader(data, 7, shuffle=shuffle)
            trainer.fit(module, *loaders, ckpt_path=checkpoint)

    @pytest.mark.parametrize("through_self", [True, False])
    def test_a_fit_is_recorded(self, tmp_path: Path, through_self: bool) -> None:
        from dtui.record.integrations.lightning import DtuiCallback

        module = self.module(through_self)
        self.fit(self.trainer(tmp_path, DtuiCallback(tmp_path / "run", every=2, classes=["a", "b", "c"])), module)
        reader = RunReader(tmp_path / "run.dtui")
        assert reader.status() is RunStatus.DONE
        assert reader.record_iterations.tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
        assert reader.validation_iterations.tolist() == [4, 9, 14]
        assert [layer.name for layer in reader.structure.layers] == ["net.0", "net.2", "net.4"]
        assert {"loss", "error", "learning_rate"} <= set(reader.scalar_names())
        for name in ("val_score", "epoch_loss"):  # Lightning goes on telling the last value of each
            assert points_of(reader, name)[0].tolist() == [4, 9, 14]
        norms = reader.read_filters("gradient_norm", slice(0, 13), slice(0, 8))
        assert np.isfinite(norms).all()
        assert reader.gaps == ()
        check_last_validation(reader, module.net, IMAGES, LABELS)
        reader.close()

    def test_recording_leaves_the_fit_as_it_is(self, tmp_path: Path) -> None:
        from dtui.record.integrations.lightning import DtuiCallback

        states = []
        for callbacks in ([], [DtuiCallback(tmp_path / "run", every=1)]):
            torch.manual_seed(4)
            module = self.module(True)
            self.fit(self.trainer(tmp_path, *callbacks), module)
            states.append((module.state_dict(), torch.get_rng_state()))
        assert all(torch.equal(value, states[1][0][name]) for name, value in states[0][0].items())
        assert torch.equal(states[0][1], states[1][1])

    def test_a_fit_that_fails_is_a_crashed_run(self, tmp_path: Path) -> None:
        from dtui.record.integrations.lightning import DtuiCallback

        module = self.module(True)
        module.fail_at = 4
        with pytest.raises(ZeroDivisionError):
            self.fit(self.trainer(tmp_path, DtuiCallback(tmp_path / "run", every=1)), module)
        reader = RunReader(tmp_path / "run.dtui")
        assert reader.status() is RunStatus.CRASHED
        assert reader.record_iterations.tolist() == [0, 1, 2, 3]
        reader.close()

    def test_a_shuffled_validation_is_recorded_as_in_the_plain_loop(self, tmp_path: Path) -> None:
        from dtui.record.integrations.lightning import DtuiCallback

        module, trainer = self.module(True), self.trainer(tmp_path, DtuiCallback(tmp_path / "run", every=5))
        self.fit(trainer, module, shuffle=True)
        reader = RunReader(tmp_path / "run.dtui")
        assert reader.validation_iterations.tolist() == [4, 9, 14]
        assert reader.gaps == ()
        check_last_validation(reader, module.net, IMAGES, LABELS)
        reader.close()
        loader = trainer.val_dataloaders
        assert type(loader.batch_sampler) is torch.utils.data.BatchSampler
        assert "setup_data" not in vars(trainer.fit_loop.epoch_loop.val_loop)

    def test_labels_and_probabilities_are_those_that_the_user_means(self, tmp_path: Path) -> None:
        from dtui.record.integrations.lightning import DtuiCallback

        binary = LABELS % 2

        class Module(type(self.module(True))):
            def forward(self, images: Tensor) -> Tensor:
                return torch.sigmoid(self.net(images)[:, :1])

            def training_step(self, batch: Any, index: int) -> Tensor:
                images, _, labels = batch
                return functional.binary_cross_entropy(self(images)[:, 0], labels.float())

            def validation_step(self, batch: Any, index: int) -> None:
                self(batch[0])

        torch.manual_seed(4)
        module = Module()
        module.through_self = True
        data = TensorDataset(IMAGES, LABELS, binary)
        callback = DtuiCallback(tmp_path / "run", every=5, target=2, network="", classes=["even", "odd"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.trainer(tmp_path, callback).fit(module, DataLoader(data, 8), DataLoader(data, 7, shuffle=True))
        reader = RunReader(tmp_path / "run.dtui")
        assert reader.gaps == ()
        assert reader.images is not None
        assert reader.images.targets.tolist() == sorted(binary.tolist())
        wanted = (module.eval()(IMAGES)[:, 0] > 0.5).int().tolist()
        found = reader.read_labels(slice(0, 40), slice(2, 3))[:, 0].tolist()
        assert found == [wanted[int(identity)] for identity in reader.images.ids]
        assert 0 in found  # a second sigmoid would leave none
        reader.close()

    def test_a_fit_goes_on_from_its_checkpoint(self, tmp_path: Path) -> None:
        from dtui.record.integrations.lightning import DtuiCallback

        torch.manual_seed(4)
        module = self.module(True)
        first = self.trainer(tmp_path, DtuiCallback(tmp_path / "run", every=2), max_epochs=2)
        self.fit(first, module)
        first.save_checkpoint(tmp_path / "two.ckpt")
        module.fail_at = 14
        longer = self.trainer(tmp_path, DtuiCallback(tmp_path / "run", every=2, resume=True), max_epochs=3)
        with pytest.raises(ZeroDivisionError):
            self.fit(longer, module, checkpoint=tmp_path / "two.ckpt")
        module.fail_at = -1
        self.fit(
            self.trainer(tmp_path, DtuiCallback(tmp_path / "run", every=1, resume=True)),
            module,
            checkpoint=tmp_path / "two.ckpt",
        )
        reader = RunReader(tmp_path / "run.dtui")
        assert (reader.status(), reader.faults) == (RunStatus.DONE, ())
        assert reader.record_iterations.tolist() == [0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14]
        assert reader.validation_iterations.tolist() == [4, 9, 14]
        assert [join.iteration for join in reader.joins] == [10, 10]
        check_last_validation(reader, module.net, IMAGES, LABELS)
        reader.close()

    def test_what_cannot_work_is_refused_at_once(self, tmp_path: Path) -> None:
        from dtui.record.integrations.lightning import DtuiCallback

        (tmp_path / "run.dtui").mkdir()
        (tmp_path / "run.dtui" / "run.json").touch()
        with pytest.raises(RunExistsError):
            DtuiCallback(tmp_path / "run", on_existing="refuse")
        with pytest.raises(RecorderError, match="disagree"):
            DtuiCallback(tmp_path / "run", on_existing="number", resume=True)
        with pytest.raises(RecorderError):
            DtuiCallback(tmp_path / "other", every=0)


class Pictures(Dataset[Any]):
    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixel_values": self.images[index], "labels": int(self.labels[index])}


@pytest.mark.skipif(
    optional("transformers") is None or optional("accelerate") is None, reason="transformers or accelerate is missing"
)
class TestHuggingFace:
    transformers = optional("transformers")

    def model(self) -> Any:
        configuration = self.transformers.ResNetConfig(
            num_channels=1, embedding_size=4, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", num_labels=3,
            id2label={0: "cat", 1: "dog", 2: "eel"}, label2id={"cat": 0, "dog": 1, "eel": 2},
        )  # fmt: skip
        torch.manual_seed(6)
        return self.transformers.ResNetForImageClassification(configuration)

    def train(self, folder: Path, model: Any, *callbacks: Any, checkpoint: Path | None = None, **options: Any) -> None:
        arguments = self.transformers.TrainingArguments(
            folder / "out",
            per_device_train_batch_size=8,
            per_device_eval_batch_size=7,
            gradient_accumulation_steps=2,
            eval_strategy="epoch",
            **{"num_train_epochs": 3, "save_strategy": "no", **options},
            logging_steps=1,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = self.transformers.Trainer(
            model,
            arguments,
            train_dataset=Pictures(IMAGES, LABELS),
            eval_dataset=Pictures(IMAGES[:23], LABELS[:23]),
            callbacks=list(callbacks),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.train(resume_from_checkpoint=checkpoint)
            trainer.predict(Pictures(IMAGES[:5], LABELS[:5]))

    def test_a_training_is_recorded(self, tmp_path: Path) -> None:
        from dtui.record.integrations.huggingface import DtuiCallback

        model = self.model()
        self.train(tmp_path, model, DtuiCallback(tmp_path / "run", every=2))
        reader = RunReader(tmp_path / "run.dtui")
        assert reader.status() is RunStatus.DONE
        assert reader.record_iterations.tolist() == [0, 2, 4, 6, 8]
        assert len(reader.validation_iterations) == 3
        assert reader.images is not None
        assert reader.images.classes == ("cat", "dog", "eel")
        logged = {"loss", "grad_norm", "learning_rate", "eval_loss", "train_loss"}
        assert set(reader.scalar_names()) == {*logged, "loss_max", "learning_rate_max"}
        assert points_of(reader, "eval_loss")[0].tolist() == [2, 5, 8]
        assert points_of(reader, "train_loss")[0].tolist() == [8]
        gradients = reader.read_filters(FILTER_STATISTICS[-2], slice(0, reader.structure.filters), slice(0, 5))
        assert np.isfinite(gradients).all()
        assert reader.structure.edges
        assert len(reader.read_thumbnail(0)) > 0
        assert reader.gaps == ()
        check_last_validation(reader, scores_of(model), IMAGES[:23], LABELS[:23])
        reader.close()

    def test_a_training_goes_on_from_its_checkpoint(self, tmp_path: Path) -> None:
        from dtui.record.integrations.huggingface import DtuiCallback

        self.train(tmp_path, self.model(), DtuiCallback(tmp_path / "run", every=1), save_strategy="epoch")
        model = self.model()
        callback = DtuiCallback(tmp_path / "run", every=2, resume=True)
        self.train(tmp_path, model, callback, checkpoint=tmp_path / "out" / "checkpoint-6", num_train_epochs=5)
        reader = RunReader(tmp_path / "run.dtui")
        assert (reader.status(), reader.faults) == (RunStatus.DONE, ())
        assert reader.record_iterations.tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14]
        assert reader.validation_iterations.tolist() == [2, 5, 8, 11, 14]
        assert [join.iteration for join in reader.joins] == [6]
        check_last_validation(reader, scores_of(model), IMAGES[:23], LABELS[:23])
        reader.close()

    def test_recording_leaves_the_training_as_it_is(self, tmp_path: Path) -> None:
        from dtui.record.integrations.huggingface import DtuiCallback

        states = []
        for callbacks in ([], [DtuiCallback(tmp_path / "run", every=1)]):
            model = self.model()
            self.train(tmp_path, model, *callbacks)
            states.append(model.state_dict())
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def scores_of(model: Any) -> nn.Module:
    """The model as a function of its images alone."""

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, images: Tensor) -> Tensor:
            return self.inner(pixel_values=images).logits

    return Scores()
