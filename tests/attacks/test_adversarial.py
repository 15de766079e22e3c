"""The game of decoder and discriminator: its losses, its order of steps, its reproducibility."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.inversion.adversarial import (
    AdversarialCurves,
    Adversary,
    train_against,
    training_memory,
)
from attacks.inversion.discriminator import Discriminator, hinge, r1_penalty
from attacks.inversion.training import Pairs, Schedule, seeded, train
from biometrics.errors import ConfigError

FROZEN = 1e-30
"""A learning rate at which no weight moves."""

DIM, SIDE, ROWS, HELD = 5, 4, 40, 8


def schedule(**changes: Any) -> Schedule:
    values = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "weight_decay": 0.0, "seed": 0}
    return Schedule(**{**values, **changes})


def pairs(rows: int = ROWS, held: int = HELD) -> Pairs:
    """Pictures that are a linear function of the template; the last rows are held out."""
    generator = torch.Generator().manual_seed(4)
    inputs = torch.randn(rows, DIM, generator=generator)
    mixing = torch.randn(DIM, 3 * SIDE * SIDE, generator=generator)
    pictures = torch.sigmoid(inputs @ mixing).reshape(-1, 3, SIDE, SIDE)
    return Pairs(inputs, pictures, np.arange(rows) >= rows - held)


def network() -> nn.Sequential:
    with seeded(11):
        return nn.Sequential(
            nn.Linear(DIM, 3 * SIDE * SIDE, bias=False),
            nn.BatchNorm1d(3 * SIDE * SIDE),
            nn.Unflatten(1, (3, SIDE, SIDE)),
        )


class Critic(nn.Module):
    """The simplest conditional discriminator."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(12):
            self.inner = nn.Linear(3 * SIDE * SIDE + DIM, 1)

    def forward(self, pictures: Tensor, inputs: Tensor) -> Tensor:
        scores: Tensor = self.inner(torch.cat([pictures.flatten(1), inputs], dim=1))[:, 0]
        return scores


def adversary(critic: nn.Module | None = None, **changes: Any) -> Adversary:
    values: dict[str, Any] = {"real": lambda pictures: pictures, "weight": 0.3}
    return Adversary(critic or Critic(), **{"learning_rate": 1e-3, **values, **changes})


def same(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


class Played:
    """One game and what it left behind."""

    def __init__(self, data: Pairs | None = None, **changes: Any) -> None:
        plan = {k: changes.pop(k) for k in list(changes) if k in Schedule.__dataclass_fields__}
        plan = {"learning_rate": 1e-2, **plan}
        rate = changes.pop("critic_rate", 1e-3)
        self.network, self.critic = network(), Critic()
        self.curves: AdversarialCurves = train_against(
            self.network,
            adversary(self.critic, learning_rate=rate, **changes),
            data or pairs(),
            F.mse_loss,
            schedule(**plan),
        )


def test_without_weight_the_network_is_the_plainly_trained_one_bit_for_bit() -> None:
    plain = network()
    curves = train(plain, pairs(), F.mse_loss, schedule(epochs=4))
    played = Played(epochs=4, weight=0.0)
    assert same(plain, played.network)
    assert curves.train == played.curves.train
    assert curves.held_out == played.curves.held_out
    assert not same(plain, Played(epochs=4).network)
    assert not same(Critic(), played.critic)


def test_the_game_equals_a_plain_loop_over_two_optimisers() -> None:
    data, steps = pairs(16, 0), 3
    # One batch holds all rows, so their order does not matter.
    played = Played(data, epochs=steps, batch_size=16, decay=0.5, beta1=0.5, start=0.0)
    net, critic = network().train(), Critic()
    mine = torch.optim.Adam(net.parameters(), lr=1e-2, betas=(0.5, 0.999))
    rival = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
    seen: list[tuple[float, float]] = []
    for step in range(steps):
        mine.param_groups[0]["lr"] = 1e-2 / (1 + 0.5 * step)
        made, pictures = net(data.inputs), data.tensors[1]
        fake = critic(made.detach(), data.inputs)
        bad = (1 - critic(pictures, data.inputs)).clamp(min=0).mean() + (1 + fake).clamp(
            min=0
        ).mean()
        rival.zero_grad()
        bad.backward()
        rival.step()
        fooled = -critic(made, data.inputs).mean()
        mine.zero_grad()
        ((made - pictures).square().mean() + 0.3 * fooled).backward()
        mine.step()
        seen.append((float(fooled.detach()), float(bad.detach())))
    for own, other in ((net, played.network), (critic, played.critic)):
        for one, two in zip(own.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(one, two, atol=2e-6, rtol=1e-4)
    assert played.curves.generator == pytest.approx([a for a, _ in seen], abs=1e-5)
    assert played.curves.discriminator == pytest.approx([b for _, b in seen], abs=1e-5)


def test_the_curves_are_means_over_the_rows_of_an_epoch() -> None:
    data = pairs()
    flat = nn.Sequential(nn.Linear(DIM, 48), nn.Unflatten(1, (3, SIDE, SIDE)))
    critic = Critic()
    with torch.no_grad():
        made = flat(data.inputs)
        real, fake = critic(data.tensors[1], data.inputs), critic(made, data.inputs)
        pixels = (made - data.tensors[1]).square().mean(dim=(1, 2, 3))
        bad = (1 - real).clamp(min=0) + (1 + fake).clamp(min=0)
    curves = train_against(
        flat,
        adversary(critic, learning_rate=FROZEN),
        data,
        F.mse_loss,
        schedule(learning_rate=FROZEN),
    )
    assert curves.train == pytest.approx([float(pixels[:32].mean())] * 2, rel=1e-5)
    assert curves.held_out == pytest.approx([float(pixels[32:].mean())] * 2, rel=1e-5)
    assert curves.generator == pytest.approx([-float(fake[:32].mean())] * 2, rel=1e-5)
    assert curves.discriminator == pytest.approx([float(bad[:32].mean())] * 2, rel=1e-5)


def test_the_same_seed_gives_the_same_bits_and_leaves_random_numbers_alone() -> None:
    torch.rand(3)
    before = torch.get_rng_state()
    one, other = Played(), Played()
    assert torch.equal(before, torch.get_rng_state())
    assert same(one.network, other.network)
    assert same(one.critic, other.critic)
    assert one.curves == other.curves
    assert not same(one.network, Played(seed=1).network)


def test_held_out_rows_touch_neither_player() -> None:
    data = pairs()
    pictures = data.tensors[1].clone()
    pictures[ROWS - HELD :] = 0.5
    one, other = Played(data), Played(Pairs(data.inputs, pictures, data.held_out))
    assert same(one.network, other.network)
    assert same(one.critic, other.critic)
    pictures[0] = 0.5
    changed = Played(Pairs(data.inputs, pictures, data.held_out))
    assert not same(one.critic, changed.critic)


def test_before_the_game_begins_only_pixels_count() -> None:
    # 4 steps an epoch: the game begins with the third of four epochs.
    late = Played(epochs=4, start=0.5)
    assert len(late.curves.train) == 4
    assert len(late.curves.generator) == len(late.curves.discriminator) == 2
    whole = Played(epochs=4, start=0.0)
    assert len(whole.curves.generator) == 4
    plain = network()
    curves = train(plain, pairs(), F.mse_loss, schedule(epochs=4))
    assert curves.train[:2] == late.curves.train[:2]
    assert curves.train[2:] != late.curves.train[2:]


def test_the_game_alone_brings_pictures_near_the_real_ones() -> None:
    inputs = torch.zeros(64, DIM)
    real = torch.full((64, 3, SIDE, SIDE), 0.8)
    data = Pairs(inputs, real, np.zeros(64, dtype=bool))
    net = nn.Sequential(nn.Linear(DIM, 48), nn.Unflatten(1, (3, SIDE, SIDE)))
    nn.init.zeros_(net[0].bias)  # type: ignore[arg-type]
    before = float((net(inputs) - real).detach().abs().mean())
    # Its pixel loss says nothing; the penalty keeps the two from circling each other.
    train_against(
        net,
        adversary(learning_rate=2e-2, weight=1.0, r1=0.5),
        data,
        lambda made, pictures: 0.0 * made.sum(),
        schedule(epochs=40, batch_size=16),
    )
    assert float((net(inputs) - real).detach().abs().mean()) < 0.25 * before


class NoisyLoss(nn.Module):
    """A loss with weights and dropout, neither of which may ever be at work."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(3, 2, 1))
        self.training_seen: list[bool] = []

    def forward(self, made: Tensor, pictures: Tensor) -> Tensor:
        self.training_seen.append(self.inner[0].training)
        return F.mse_loss(self.inner(made), self.inner(pictures))


def test_a_loss_that_is_a_module_stays_frozen_and_in_eval_mode() -> None:
    loss = NoisyLoss()
    before = copy.deepcopy(loss)
    train_against(network(), adversary(), pairs(), loss, schedule())
    assert same(before, loss)
    assert loss.training_seen
    assert not any(loss.training_seen)


def test_both_players_are_left_in_eval_mode_and_trainable() -> None:
    played = Played()
    for player in (played.network, played.critic):
        assert not any(part.training for part in player.modules())
        assert all(parameter.requires_grad for parameter in player.parameters())


def test_steps_are_counted_once_for_both_players() -> None:
    curves = Played(epochs=3).curves
    assert (curves.pairs, curves.steps) == (ROWS - HELD, 12)


def test_progress_counts_every_pair_once_a_step() -> None:
    counted: list[int] = []
    train_against(network(), adversary(), pairs(), F.mse_loss, schedule(), advance=counted.append)
    assert counted == [8] * 8


def test_a_game_that_ends_in_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"diverged .* at learning rates 1e\+30 and 0.001"):
        Played(epochs=3, learning_rate=1e30)
    with pytest.raises(ConfigError, match=r"diverged .*nan.* give lower ones"):
        Played(real=lambda pictures: pictures * torch.nan)


# --- the discriminator


def test_hinge_of_known_scores() -> None:
    real, made = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0, 1.0])
    assert float(hinge(real, made)) == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1 + 2) / 3)
    assert float(hinge(torch.zeros(4), torch.zeros(4))) == 2


def test_the_penalty_of_known_functions() -> None:
    pictures = torch.rand(6, 3, SIDE, SIDE, requires_grad=True)
    weights = torch.randn(3, SIDE, SIDE)
    linear = (pictures * weights).sum(dim=(1, 2, 3))
    assert float(r1_penalty(linear, pictures).detach()) == pytest.approx(
        float(weights.square().sum()) / 2, rel=1e-5
    )
    square = pictures.square().sum(dim=(1, 2, 3)) / 2  # its gradient is the picture itself
    expected = float(pictures.detach().square().sum(dim=(1, 2, 3)).mean()) / 2
    assert float(r1_penalty(square, pictures).detach()) == pytest.approx(expected, rel=1e-5)


def test_the_penalty_acts_on_the_discriminator() -> None:
    def steepness(r1: float) -> float:
        played = Played(epochs=10, r1=r1, critic_rate=1e-2)
        return float(played.critic.inner.weight.detach()[:, : 3 * SIDE * SIDE].norm())

    assert steepness(50.0) < 0.5 * steepness(0.0)


def test_every_layer_is_spectrally_normalised() -> None:
    with seeded(3):
        critic = Discriminator(24, DIM, channels=4)
    for _ in range(60):  # each pass in training mode is one power iteration
        critic(torch.rand(2, 3, 24, 24), torch.randn(2, DIM))
    critic.eval()
    layers = [*critic.stages, critic.real, critic.projection]
    assert len(layers) == 4
    for layer in layers:
        weight = layer.weight.detach()  # type: ignore[union-attr]
        largest = torch.linalg.svdvals(weight.flatten(1)).max()
        assert float(largest) == pytest.approx(1.0, abs=0.02)


def test_a_plain_discriminator_ignores_templates_and_a_conditional_one_is_linear_in_them() -> None:
    pictures, one, other = torch.rand(3, 3, 24, 24), torch.randn(3, DIM), torch.randn(3, DIM)
    with seeded(3):
        plain = Discriminator(24, None, channels=4).eval()
        conditional = Discriminator(24, DIM, channels=4).eval()
    assert torch.equal(plain(pictures, one), plain(pictures, other))
    nothing = conditional(pictures, torch.zeros(3, DIM))
    parts = [conditional(pictures, y) - nothing for y in (one, other, 2 * one - 3 * other)]
    torch.testing.assert_close(parts[2], 2 * parts[0] - 3 * parts[1], atol=1e-4, rtol=1e-3)
    assert float((parts[0] - parts[1]).detach().abs().min()) > 1e-5


@settings(max_examples=12, deadline=None)
@given(size=st.integers(16, 60))
def test_every_pixel_counts_at_any_size(size: int) -> None:
    with seeded(size):
        critic = Discriminator(size, None, channels=2)
    picture = torch.rand(1, 3, size, size, requires_grad=True)
    scores = critic(picture, torch.zeros(1, DIM))
    assert scores.shape == (1,)
    (gradient,) = torch.autograd.grad(scores.sum(), picture)
    assert bool((gradient != 0).any(dim=1).all())


@pytest.mark.parametrize(("size", "widths"), [(24, [4, 8]), (96, [4, 8, 16, 32])])
def test_it_widens_while_it_halves(size: int, widths: list[int]) -> None:
    critic = Discriminator(size, None, channels=4)
    assert [stage.out_channels for stage in critic.stages] == widths
    assert [stage.out_channels for stage in Discriminator(224, None).stages] == [
        64,
        128,
        256,
        512,
        512,
    ]


# --- what training holds


def test_training_memory_of_a_small_network_by_hand() -> None:
    batch, float_bytes = 7, 4
    net = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2))
    trained = 5 * 6 + 6 + 6 * 2 + 2
    # Backward needs both layers' inputs; the second one's is the ReLU's output too.
    kept = batch * 5 + batch * 6
    assert training_memory(net, torch.randn(batch, 5)) == float_bytes * (4 * trained + kept)


def test_a_rival_costs_memory_and_counting_changes_nothing() -> None:
    net, critic = network().train(), Critic().train()
    before = copy.deepcopy((net, critic))
    inputs = torch.randn(8, DIM)
    alone = training_memory(net, inputs)
    together = training_memory(net, inputs, critic)
    rival = 4 * sum(p.numel() for p in critic.parameters())
    assert together >= alone + 4 * rival + 2 * 4 * 8 * (48 + DIM)
    assert same(before[0], net)
    assert same(before[1], critic)
    assert net.training
    assert critic.training
