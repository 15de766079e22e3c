"""The training loop of every decoder: Lightning, a falling learning rate, a held-out curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
    from attacks.lightning_loops import DecoderModule, run  # slow to import

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
