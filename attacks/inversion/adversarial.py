"""Training a decoder against a discriminator: as training.py does it, with a second player."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from attacks.base import Accelerator
from attacks.inversion.training import Curves, Loss, Pairs, Schedule
from biometrics.errors import ConfigError
from biometrics.progress import Advance, silent

ADAM_STATE = 4
"""A trained value is held with its gradient and Adam's two moments."""


@dataclass(frozen=True)
class Adversary:
    """The second player and the rules of the game.

    Attributes:
        discriminator: ``(pictures [B, 3, S, S], inputs [B, D]) -> scores [B]``.
        real: the true pictures [B, 3, S, S] in [0, 1] from a batch's targets.
        weight: of the generator's adversarial loss beside its own.
        learning_rate: of the discriminator's Adam, constant.
        beta1: of the same.
        start: share of all steps that pass before the game begins: what is blurred and gets
            sharper is a better opening than noise.
        r1: weight of the gradient penalty on real pictures; 0 leaves it out.
    """

    discriminator: nn.Module
    real: Callable[..., Tensor]
    weight: float
    learning_rate: float
    beta1: float = 0.5
    start: float = 0.0
    r1: float = 0.0


@dataclass(frozen=True)
class AdversarialCurves(Curves):
    """Besides the generator's own loss (``train`` and ``held_out``), the means of each epoch of the
    players' losses over the steps of the game; an epoch before it begins has no value. ``steps``
    are the generator's.

    Attributes:
        generator: ``-D(made)``.
        discriminator: hinge loss; 2 where it knows nothing.
    """

    generator: list[float]
    discriminator: list[float]


def train_against(
    network: nn.Module,
    adversary: Adversary,
    pairs: Pairs,
    loss: Loss,
    schedule: Schedule,
    *,
    advance: Advance = silent,
    accelerator: Accelerator = "cpu",
) -> AdversarialCurves:
    """Train a network and the discriminator in place; both are left in eval mode on the CPU.

    With the adversary's weight at 0 the network ends where :func:`training.train` leaves it, bit
    for bit: same batches, same order, same optimiser. The same arguments give the same bits.

    Args:
        network: from inputs [B, D] to pictures [B, 3, S, S].
        loss: of pictures against the targets, besides the adversarial one.
        schedule: of the network.

    Raises:
        ConfigError: a loss is no longer a number.
    """
    from attacks.lightning_loops import Game, run  # slow to import

    game = Game(network, adversary, loss, schedule, advance)
    game.train()
    kept = run(game, pairs, schedule, accelerator)
    game.to("cpu").eval()
    _refuse_divergence(game.curves, schedule, adversary)
    return replace(game.curves, pairs=kept, steps=game.batches)


def _refuse_divergence(curves: AdversarialCurves, schedule: Schedule, rival: Adversary) -> None:
    last = [c[-1] for c in (curves.train, curves.generator, curves.discriminator) if c]
    if not all(math.isfinite(value) for value in last):
        raise ConfigError(
            f"training diverged (losses {', '.join(f'{v:g}' for v in last)}) at learning rates "
            f"{schedule.learning_rate:g} and {rival.learning_rate:g} (discriminator); give lower "
            "ones"
        )


def training_memory(
    network: nn.Module, inputs: Tensor, discriminator: nn.Module | None = None
) -> int:
    """Bytes that one training step holds: weights, gradients, Adam's moments, and what the forward
    passes keep for the backward ones. Counted, so it is the same on every machine; temporary memory
    of single operations is not in it.

    Args:
        network: from ``inputs`` to pictures; left as it was.
        inputs: one batch [B, D].
        discriminator: its rival, where there is one; it looks at real and at made pictures, and the
            larger of the two players' backward passes counts.
    """
    made, first = _kept(network, inputs)
    if discriminator is None:
        return first + _held(network)
    _, second = _kept(discriminator, made, inputs)
    # The generator's graph stays alive while the discriminator takes its step on two batches.
    return first + 2 * second + _held(network) + _held(discriminator)


def _held(module: nn.Module) -> int:
    """Bytes of the trained values with what the optimiser keeps of them, and of the buffers."""
    trained = sum(p.numel() * p.element_size() for p in module.parameters())
    return ADAM_STATE * trained + sum(b.numel() * b.element_size() for b in module.buffers())


def _kept(module: nn.Module, *inputs: Tensor) -> tuple[Tensor, int]:
    """The output, and the bytes that autograd keeps of one pass besides the weights."""
    own = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    training = module.training
    module.eval()  # statistics of batch normalisation and spectral norms stay as they are
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output: Tensor = module(*inputs)
    module.train(training)
    return output.detach(), sum(kept.values())
