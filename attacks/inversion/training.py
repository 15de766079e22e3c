"""The training loop of every decoder: Lightning, one-cycle learning rate, a held-out curve."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from biometrics.errors import ConfigError
from biometrics.progress import Advance, silent

Loss = Callable[[Tensor, Tensor], Tensor]
"""``loss(network's output, target) -> scalar``, a mean over the batch."""


@dataclass(frozen=True)
class Pairs:
    """Training pairs.

    Attributes:
        inputs: [N, D].
        targets: [N, ...], any type that the loss understands.
        held_out: bool [N]; these rows are never trained on, only measured after each epoch. Choose
            them by subject.
    """

    inputs: Tensor
    targets: Tensor
    held_out: NDArray[np.bool_]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        epochs: passes over the pairs that are trained on.
        batch_size: pairs a step.
        learning_rate: the highest of the one-cycle schedule (Smith and Topin 2018).
        weight_decay: of AdamW.
        seed: of shuffling and dropout; the caller seeds the initial weights by :func:`seeded`.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int


@dataclass(frozen=True)
class Curves:
    """Mean loss of each epoch, on the pairs trained on and on those held out."""

    train: list[float]
    held_out: list[float]


class _Decoder(lightning.LightningModule):
    def __init__(
        self, network: nn.Module, loss: Loss, schedule: Schedule, advance: Advance
    ) -> None:
        super().__init__()
        self.network, self.loss, self.schedule, self.advance = network, loss, schedule, advance
        self.sums = {"train": [0.0, 0], "held_out": [0.0, 0]}
        self.curves = Curves([], [])

    def configure_optimizers(self) -> Any:
        settings = self.schedule
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=settings.learning_rate, total_steps=max(2, steps + 1), pct_start=0.15
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}

    def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
        loss = self._measure("train", batch)
        self.advance(len(batch[0]))
        return loss

    def validation_step(self, batch: list[Tensor], _index: int) -> None:
        self._measure("held_out", batch)

    def _measure(self, part: str, batch: list[Tensor]) -> Tensor:
        inputs, targets = batch
        loss = self.loss(self.network(inputs), targets)
        self.sums[part][0] += float(loss.detach()) * len(inputs)
        self.sums[part][1] += len(inputs)
        return loss

    def on_validation_epoch_end(self) -> None:
        self._close("held_out", self.curves.held_out)

    def on_train_epoch_end(self) -> None:
        self._close("train", self.curves.train)

    def _close(self, part: str, curve: list[float]) -> None:
        total, count = self.sums[part]
        if count:
            curve.append(total / count)
        self.sums[part] = [0.0, 0]


def train(
    network: nn.Module, pairs: Pairs, loss: Loss, schedule: Schedule, *, advance: Advance = silent
) -> Curves:
    """Train a network in place; it is left in eval mode on the CPU.

    The same pairs, schedule and initial weights give the same network on the same machine with the
    same number of threads.

    Args:
        network: from inputs [B, D] to whatever ``loss`` compares with the targets.
        advance: told about the pairs of every finished step.

    Raises:
        ConfigError: the loss is no longer a number.
    """
    module = _Decoder(network, loss, schedule, advance)
    kept = torch.from_numpy(np.flatnonzero(~pairs.held_out))
    held = torch.from_numpy(np.flatnonzero(pairs.held_out))
    shuffle = torch.Generator().manual_seed(schedule.seed)
    network.train()
    with _quiet(), seeded(schedule.seed):
        trainer = lightning.Trainer(
            max_epochs=schedule.epochs,
            accelerator="cpu",  # results must not depend on what else the machine holds
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(
            module,
            _loader(pairs, kept, schedule.batch_size, shuffle),
            _loader(pairs, held, schedule.batch_size, None) if len(held) else None,
        )
    network.to("cpu").eval()
    if not math.isfinite(module.curves.train[-1]):
        raise ConfigError(
            f"training diverged (loss {module.curves.train[-1]}) at learning rate "
            f"{schedule.learning_rate:g}; give a lower one"
        )
    return module.curves


def held_out_subjects(subjects: NDArray[np.str_], *, share: float, seed: int) -> NDArray[np.bool_]:
    """Mark the faces of about ``share`` of the subjects, bool [N]; never all of them."""
    names, index = np.unique(subjects, return_inverse=True)
    count = min(round(share * len(names)), len(names) - 1)
    chosen = np.zeros(len(names), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(names))[:count]] = True
    marks: NDArray[np.bool_] = chosen[index]
    return marks


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch within the block and give the caller its random state back."""
    # The devices are listed because torch warns where there are several and none is named.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def _loader(
    pairs: Pairs, rows: Tensor, size: int, shuffle: torch.Generator | None
) -> DataLoader[Any]:
    """Whole batches by one indexing operation each: collating pair by pair would dominate."""
    dataset = TensorDataset(pairs.inputs[rows], pairs.targets[rows])
    indices = (
        SequentialSampler(dataset) if shuffle is None else RandomSampler(dataset, generator=shuffle)
    )
    # A last batch of one would break batch normalisation.
    drop = shuffle is not None and len(dataset) > size
    return DataLoader(dataset, sampler=BatchSampler(indices, size, drop), batch_size=None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice on workers, devices and versions is not for the users of an audit."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*but have no `val_dataloader`.*")
        warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=r".*GPU available but not used.*")
        warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
