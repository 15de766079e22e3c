"""The training loops as Lightning wants them. Importing Lightning takes two seconds and more, so
this module is imported only where something is trained, and lies outside the folder of plug-ins."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from attacks.base import Accelerator
from attacks.inversion.adversarial import AdversarialCurves, Adversary
from attacks.inversion.discriminator import hinge, r1_penalty
from attacks.inversion.training import Curves, Loss, Pairs, Schedule, seeded
from biometrics.progress import Advance


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


class Game(DecoderModule):
    """Both players; Lightning leaves the order of their steps to us."""

    def __init__(
        self,
        network: nn.Module,
        adversary: Adversary,
        loss: Loss,
        schedule: Schedule,
        advance: Advance,
    ) -> None:
        super().__init__(network, loss, schedule, advance)
        self.automatic_optimization = False
        self.adversary, self.discriminator = adversary, adversary.discriminator
        self.sums |= {"generator": [0.0, 0], "discriminator": [0.0, 0]}
        self.curves: AdversarialCurves = AdversarialCurves([], [], [], [])

    def configure_optimizers(self) -> Any:
        """The schedule's optimiser for the network, and Adam for its rival."""
        steps = int(self.trainer.estimated_stepping_batches)
        self.begin = round(self.adversary.start * steps)
        rival = torch.optim.Adam(
            self.discriminator.parameters(),
            lr=self.adversary.learning_rate,
            betas=(self.adversary.beta1, 0.999),
        )
        return self.schedule.optimiser(self.network.parameters(), steps), {"optimizer": rival}

    def training_step(self, batch: list[Tensor], _index: int) -> Any:
        """One step of each player."""
        inputs, *targets = batch
        players: Any = self.optimizers()
        mine, rivals = players
        self.keep_loss_in_eval()
        # One pass through the network for both players, as the plain training makes one: its
        # batch normalisation sees the same batches.
        made = self.network(inputs)
        total = self.loss(made, *targets)
        self.note("train", total, len(inputs))
        if self.batches >= self.begin:
            self._discriminate(rivals, self.adversary.real(*targets), made.detach(), inputs)
            self.discriminator.requires_grad_(False)
            fooled = -self.discriminator(made, inputs).mean()
            self.note("generator", fooled, len(inputs))
            total = total + self.adversary.weight * fooled
        mine.zero_grad()
        self.manual_backward(total)
        mine.step()
        self.discriminator.requires_grad_(True)
        rate: Any = self.lr_schedulers()
        rate.step()
        self.batches += 1
        self.advance(len(inputs))

    def _discriminate(self, optimiser: Any, real: Tensor, made: Tensor, inputs: Tensor) -> None:
        penalised = self.adversary.r1 > 0
        real = real.requires_grad_(penalised)
        scores = self.discriminator(real, inputs)
        loss = hinge(scores, self.discriminator(made, inputs))
        self.note("discriminator", loss, len(inputs))
        if penalised:
            loss = loss + self.adversary.r1 * r1_penalty(scores, real)
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()

    def on_train_epoch_end(self) -> None:
        """Close the curves' epoch."""
        super().on_train_epoch_end()
        self.close("generator", self.curves.generator)
        self.close("discriminator", self.curves.discriminator)


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
