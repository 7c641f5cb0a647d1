"""One training that can be forked: the same state, the same batches, with or without its faults."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tests.truth.corpus import networks
from tests.truth.corpus.data import DataSet
from tests.truth.corpus.faults import Fault
from tests.truth.corpus.kinds import KINDS
from tests.truth.corpus.seeds import Plan
from tests.truth.corpus.visibility import Look

BATCH = 64
_JUDGED_AT_ONCE = 500


class Training:
    """A network, its optimizer and the order of its batches; each iteration's batch follows from the seed alone.

    Attributes:
        plan: What it trains.
        model: The network.
        optimizer: Its optimizer.
        loss: Of the last update.
        error: Share of the last batch that was judged wrong, before the update.
    """

    def __init__(self, plan: Plan, data: DataSet) -> None:
        self.plan, self.data = plan, data
        with torch.random.fork_rng():
            torch.manual_seed(plan.seed)
            self.model = networks.build(plan.network, data.train_images.shape[-1], len(data.classes))
        self.optimizer = networks.optimize(plan.network, plan.optimizer, self.model.parameters())
        self.loss = self.error = torch.tensor(torch.nan)

    def fork(self) -> Training:
        """Return another training in the same state, which nothing listens to."""
        twin = Training(self.plan, self.data)
        twin.model.load_state_dict(self.model.state_dict())
        twin.optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))
        for own, given in zip(twin.model.parameters(), self.model.parameters(), strict=True):
            own.requires_grad_(given.requires_grad)
        return twin

    def batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Return the images and labels of an iteration, without faults."""
        count = len(self.data.train_labels)
        epoch, place = divmod(iteration, count // BATCH)
        generator = torch.Generator().manual_seed(self.plan.seed * 1000 + epoch)
        chosen = torch.randperm(count, generator=generator)[place * BATCH : (place + 1) * BATCH]
        return self.data.train_images[chosen], self.data.train_labels[chosen]

    def compute(self, iteration: int, faults: Sequence[Fault]) -> None:
        """Do all of an iteration but the optimizer's step."""
        acting = [(fault, KINDS[fault.kind]) for fault in faults if fault.acts(iteration)]
        batch, plan = self.batch(iteration), self.plan
        rate = networks.rate_at(plan.network, plan.optimizer, plan.schedule, iteration, plan.iterations)
        for fault, kind in acting:
            if iteration == fault.begin:
                kind.strike(fault, self.model)
            batch, rate = kind.batch(fault, batch, iteration), kind.rate(fault, rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        scores = self.model(batch[0])
        self.loss = functional.cross_entropy(scores, batch[1])
        self.error = (scores.detach().argmax(1) != batch[1]).float().mean()
        scaled = self.loss  # what is logged is the loss itself
        for fault, kind in acting:
            scaled = kind.loss(fault, scaled)
        self.optimizer.zero_grad()
        scaled.backward()

    def step(self, iteration: int, faults: Sequence[Fault]) -> None:
        """Do the optimizer's step, and end what ends with it."""
        self.optimizer.step()
        for fault in faults:
            if iteration == fault.end:
                KINDS[fault.kind].leave(fault, self.model)

    @torch.no_grad()
    def evaluate(self) -> Tensor:
        """Return the predicted labels of the validation images; as users evaluate, ignorant of the recorder."""
        self.model.eval()
        predicted = torch.cat([self.model(images).argmax(1) for images, _ in self.validation_batches()])
        self.model.train()
        return predicted

    def validation_batches(self) -> list[tuple[Tensor, Tensor]]:
        """Return the validation images in batches."""
        data = self.data
        return list(
            zip(
                data.validation_images.split(_JUDGED_AT_ONCE),
                data.validation_labels.split(_JUDGED_AT_ONCE),
                strict=True,
            )
        )

    def look(self, iteration: int, predicted: Tensor) -> Look:
        """Return what is compared with a twin."""
        labels = self.data.validation_labels.numpy()
        wrong = predicted.numpy() != labels
        counts = np.bincount(labels, minlength=len(self.data.classes))
        weights, gradients = {}, {}
        for name, module in self.model.named_modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                weights[name] = module.weight.detach().flatten(1).double().numpy()
                given = module.weight.grad
                gradients[name] = (
                    np.zeros(len(module.weight)) if given is None else given.flatten(1).norm(dim=1).numpy()
                )
        finite = bool(torch.isfinite(self.loss)) and all(np.isfinite(each).all() for each in weights.values())
        return Look(
            iteration, np.bincount(labels, wrong, len(counts)) / np.maximum(counts, 1), weights, gradients, finite
        )
