"""The training loop of every decoder: Lightning, a falling learning rate, a held-out curve."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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

from attacks.base import Accelerator
from biometrics.errors import ConfigError
from biometrics.progress import Advance, silent

Loss = Callable[..., Tensor]
"""``loss(network's output, *targets) -> scalar``, a mean over the batch.

A loss that is a module (with constants as buffers, or a frozen model inside) is moved to where
training runs; its parameters are never trained and its parts stay in eval mode."""


@dataclass(frozen=True)
class Pairs:
    """Training pairs.

    Attributes:
        inputs: [N, D].
        targets: [N, ...], or several such tensors; any type that the loss understands.
        held_out: bool [N]; these rows are never trained on, only measured after each epoch. Choose
            them by subject.
    """

    inputs: Tensor
    targets: Tensor | tuple[Tensor, ...]
    held_out: NDArray[np.bool_]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The inputs, then the targets."""
        targets = (self.targets,) if isinstance(self.targets, Tensor) else self.targets
        return (self.inputs, *targets)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        epochs: passes over the pairs that are trained on.
        batch_size: pairs a step.
        learning_rate: the highest of the one-cycle schedule (Smith and Topin 2018), or the first
            where ``decay`` is given.
        weight_decay: of AdamW.
        seed: of shuffling and dropout; the caller seeds the initial weights by :func:`seeded`.
        beta1: decay of the optimiser's mean of gradients.
        decay: None for one cycle, else the rate of step k is ``learning_rate / (1 + decay k)``
            (the time-based decay of Keras, which Nagm et al. 2026, section 4.3, give).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int
    beta1: float = 0.9
    decay: float | None = None

    def optimiser(self, parameters: Iterable[nn.Parameter], steps: int) -> dict[str, Any]:
        """AdamW over ``parameters`` with the rate of each of ``steps`` steps, for Lightning.

        Without weight decay it is Adam.
        """
        optimiser = torch.optim.AdamW(
            parameters,
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            betas=(self.beta1, 0.999),
        )
        rate: torch.optim.lr_scheduler.LRScheduler
        if self.decay is None:
            rate = torch.optim.lr_scheduler.OneCycleLR(
                optimiser,
                max_lr=self.learning_rate,
                total_steps=max(2, steps + 1),
                pct_start=0.15,
                # The beta that is asked for, and not one that cycles against the rate.
                cycle_momentum=self.beta1 == 0.9,
            )
        else:
            decay = self.decay
            rate = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 1 / (1 + decay * k))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


@dataclass(frozen=True)
class Curves:
    """Mean loss of each epoch, on the pairs trained on and on those held out, and what that took:
    pairs in one pass, and optimisation steps in all."""

    train: list[float]
    held_out: list[float]
    pairs: int = field(default=0, kw_only=True)
    steps: int = field(default=0, kw_only=True)


class DecoderModule(lightning.LightningModule):
    """One network under one loss, as Lightning wants it."""

    def __init__(
        self, network: nn.Module, loss: Loss, schedule: Schedule, advance: Advance
    ) -> None:
        super().__init__()
        self.network, self.loss, self.schedule, self.advance = network, loss, schedule, advance
        if isinstance(loss, nn.Module):
            loss.requires_grad_(False)
        self.sums = {"train": [0.0, 0], "held_out": [0.0, 0]}
        self.curves = Curves([], [])
        self.batches = 0

    def configure_optimizers(self) -> Any:
        """The schedule's optimiser for the network alone."""
        steps = int(self.trainer.estimated_stepping_batches)
        return self.schedule.optimiser(self.network.parameters(), steps)

    def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
        """The loss of one batch."""
        loss = self._measure("train", batch)
        self.batches += 1
        self.advance(len(batch[0]))
        return loss

    def validation_step(self, batch: list[Tensor], _index: int) -> None:
        """The loss of one batch that is held out."""
        self._measure("held_out", batch)

    def _measure(self, part: str, batch: list[Tensor]) -> Tensor:
        inputs, *targets = batch
        self.keep_loss_in_eval()
        loss = self.loss(self.network(inputs), *targets)
        self.note(part, loss, len(inputs))
        return loss

    def keep_loss_in_eval(self) -> None:
        """Lightning puts every part of the module into training mode, frozen models too."""
        if isinstance(self.loss, nn.Module):
            self.loss.eval()

    def note(self, part: str, loss: Tensor, count: int) -> None:
        """Add a batch's mean to an epoch's."""
        self.sums[part][0] += float(loss.detach()) * count
        self.sums[part][1] += count

    def on_validation_epoch_end(self) -> None:
        """Close the held-out curve's epoch."""
        self.close("held_out", self.curves.held_out)

    def on_train_epoch_end(self) -> None:
        """Close the curve's epoch."""
        self.close("train", self.curves.train)

    def close(self, part: str, curve: list[float]) -> None:
        """Add the mean of what was noted to a curve and begin anew."""
        total, count = self.sums[part]
        if count:
            curve.append(total / count)
        self.sums[part] = [0.0, 0]


def train(
    network: nn.Module,
    pairs: Pairs,
    loss: Loss,
    schedule: Schedule,
    *,
    advance: Advance = silent,
    accelerator: Accelerator = "cpu",
) -> Curves:
    """Train a network in place; it is left in eval mode on the CPU.

    The same pairs, schedule and initial weights give the same network on the same machine with the
    same number of threads.

    Args:
        network: from inputs [B, D] to whatever ``loss`` compares with the targets.
        advance: told about the pairs of every finished step.
        accelerator: on the CPU results do not depend on what else the machine holds.

    Raises:
        ConfigError: the loss is no longer a number.
    """
    module = DecoderModule(network, loss, schedule, advance)
    network.train()
    kept = run(module, pairs, schedule, accelerator)
    network.to("cpu").eval()
    if isinstance(loss, nn.Module):
        loss.to("cpu")
    if not math.isfinite(module.curves.train[-1]):
        raise ConfigError(
            f"training diverged (loss {module.curves.train[-1]}) at learning rate "
            f"{schedule.learning_rate:g}; give a lower one"
        )
    return replace(module.curves, pairs=kept, steps=module.batches)


def run(
    module: lightning.LightningModule,
    pairs: Pairs,
    schedule: Schedule,
    accelerator: Accelerator = "cpu",
) -> int:
    """Let Lightning train a module on pairs, seeded; returns the pairs of one pass."""
    kept = torch.from_numpy(np.flatnonzero(~pairs.held_out))
    held = torch.from_numpy(np.flatnonzero(pairs.held_out))
    shuffle = torch.Generator().manual_seed(schedule.seed)
    with _quiet(), seeded(schedule.seed):
        trainer = lightning.Trainer(
            max_epochs=schedule.epochs,
            accelerator=accelerator,
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
    return len(kept)


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
    dataset = TensorDataset(*(tensor[rows] for tensor in pairs.tensors))
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
        warnings.filterwarnings(
            "ignore", message=r"Found \d+ module\(s\) in eval mode at the start"
        )
        warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
