"""The training loop: what it sees, what it leaves behind, and what it must not touch."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.inversion.training import Pairs, Schedule, held_out_subjects, seeded, train
from biometrics.errors import ConfigError

FROZEN = 1e-30
"""A learning rate at which no weight moves."""

LOGGERS = ("lightning.pytorch", "lightning.fabric")


def schedule(**changes: Any) -> Schedule:
    values = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "weight_decay": 0.0, "seed": 0}
    return Schedule(**{**values, **changes})


def pairs(count: int = 40, held: int = 8) -> Pairs:
    """A noiseless linear task; the last rows are held out."""
    generator = torch.Generator().manual_seed(4)
    inputs = torch.randn(count, 5, generator=generator)
    targets = inputs @ torch.randn(5, 3, generator=generator)
    return Pairs(inputs, targets, np.arange(count) >= count - held)


def network() -> nn.Linear:
    with seeded(11):
        return nn.Linear(5, 3)


def weights_after(data: Pairs, **changes: Any) -> Tensor:
    net = network()
    train(net, data, F.mse_loss, schedule(**changes))
    return net.weight.detach()


def test_it_finds_the_solution_of_a_linear_task() -> None:
    data = pairs()
    net = network()
    curves = train(net, data, F.mse_loss, schedule(epochs=150, learning_rate=0.05))
    exact = torch.linalg.lstsq(data.inputs, data.targets).solution.T
    torch.testing.assert_close(net.weight.detach(), exact, atol=0.01, rtol=0)
    assert curves.train[-1] < 1e-3 * curves.train[0]
    assert curves.held_out[-1] < 1e-3 * curves.held_out[0]


def test_the_curves_are_mean_losses_of_their_own_rows() -> None:
    data, net = pairs(), network()
    with torch.no_grad():
        errors = (net(data.inputs) - data.targets).square().mean(dim=1).numpy()
    # 32 rows in batches of 8; 8 held-out rows in batches of 5 and 3.
    whole = train(net, data, F.mse_loss, schedule(learning_rate=FROZEN))
    parts = train(net, data, F.mse_loss, schedule(learning_rate=FROZEN, batch_size=5))
    assert whole.train == pytest.approx([errors[:32].mean()] * 2, rel=1e-5)
    assert whole.held_out == pytest.approx([errors[32:].mean()] * 2, rel=1e-5)
    assert parts.held_out == pytest.approx([errors[32:].mean()] * 2, rel=1e-5)


def test_held_out_rows_never_touch_the_weights() -> None:
    data = pairs()
    targets = data.targets.clone()
    targets[32:] = 1e6
    other = Pairs(data.inputs, targets, data.held_out)
    assert torch.equal(weights_after(data), weights_after(other))
    targets[0] += 1.0
    assert not torch.equal(weights_after(data), weights_after(other))


def test_seeds_decide_the_order_and_the_dropout() -> None:
    data = pairs()
    assert torch.equal(weights_after(data), weights_after(data))
    assert not torch.equal(weights_after(data), weights_after(data, seed=1))

    def with_dropout(seed: int) -> Tensor:
        with seeded(11):
            net = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 3))
        # One batch holds all rows: their order does not matter, only the dropout does.
        train(net, data, F.mse_loss, schedule(seed=seed, batch_size=64))
        return next(net.parameters()).detach()

    assert torch.equal(with_dropout(0), with_dropout(0))
    assert not torch.allclose(with_dropout(0), with_dropout(1))


def test_each_epoch_shows_every_row_once() -> None:
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(1, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            if self.training:
                seen.append(inputs[:, 0].clone())
            return self.inner(inputs)

    inputs = torch.arange(30.0)[:, None]
    counted: list[int] = []
    spy, data = Spy(), Pairs(inputs, torch.zeros(30, 1), np.arange(30) >= 24)
    train(spy, data, F.mse_loss, schedule(learning_rate=FROZEN), advance=counted.append)
    assert [len(batch) for batch in seen] == [8] * 6
    epochs = torch.cat(seen[:3]), torch.cat(seen[3:])
    for rows in epochs:
        assert sorted(rows.tolist()) == list(range(24))
    assert not torch.equal(*epochs)  # shuffled anew
    assert counted == [8] * 6


@pytest.mark.parametrize(("rows", "batches"), [(3, [3]), (8, [8]), (9, [8]), (17, [8, 8])])
def test_a_broken_last_batch_is_left_out_unless_it_is_all(rows: int, batches: list[int]) -> None:
    counted: list[int] = []
    train(network(), pairs(rows, 0), F.mse_loss, schedule(epochs=1), advance=counted.append)
    assert counted == batches


@pytest.mark.parametrize("epochs", [1, 2, 10])
def test_the_rate_rises_once_and_falls_to_nothing_over_all_steps(
    epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []

    class Recorder(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Recorder)
    train(network(), pairs(), F.mse_loss, schedule(epochs=epochs))
    assert len(rates) == 4 * epochs
    peak = int(np.argmax(rates))
    assert 0.8e-2 < rates[peak] <= 1e-2
    assert peak <= max(1, 0.2 * len(rates))
    assert np.all(np.diff(rates[: peak + 1]) > 0)
    assert np.all(np.diff(rates[peak:]) < 0)
    assert rates[-1] < (1e-4 if epochs == 10 else 3e-3)


def recorded_rates(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[dict[str, Any]]:
    """The settings of the optimiser at each of its steps."""
    seen: list[dict[str, Any]] = []

    class Recorder(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            group = self.param_groups[0]
            seen.append({name: group[name] for name in ("lr", "betas", "weight_decay")})
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Recorder)
    train(network(), pairs(), F.mse_loss, schedule(**changes))
    return seen


def test_a_time_based_decay_goes_by_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = recorded_rates(monkeypatch, epochs=3, decay=0.1, weight_decay=0.25)
    assert [step["lr"] for step in steps] == pytest.approx(
        [1e-2 / (1 + 0.1 * k) for k in range(3 * 4)]
    )
    assert {step["weight_decay"] for step in steps} == {0.25}


def test_no_decay_at_all_is_a_constant_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = [step["lr"] for step in recorded_rates(monkeypatch, decay=0.0)]
    assert rates == [1e-2] * 8


@pytest.mark.parametrize("decay", [None, 0.1])
def test_a_beta_that_is_asked_for_is_kept(
    decay: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = recorded_rates(monkeypatch, beta1=0.5, decay=decay)
    assert {tuple(step["betas"]) for step in steps} == {(0.5, 0.999)}


def test_the_usual_beta_cycles_against_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = recorded_rates(monkeypatch, epochs=5)
    betas = [step["betas"][0] for step in steps]
    peak = int(np.argmax([step["lr"] for step in steps]))
    assert int(np.argmin(betas)) == peak
    assert all(0.85 - 1e-9 <= beta <= 0.95 + 1e-9 for beta in betas)


def test_without_weight_decay_it_is_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of Adam (Kingma and Ba 2015, algorithm 1), by hand."""
    data, net = pairs(8, 0), network()
    weight = net.weight.detach().clone().requires_grad_()
    bias = net.bias.detach().clone().requires_grad_()
    moments = [[torch.zeros_like(p), torch.zeros_like(p)] for p in (weight, bias)]
    for k in range(1, 3):
        loss = F.mse_loss(data.inputs @ weight.T + bias, data.tensors[1])
        gradients = torch.autograd.grad(loss, (weight, bias))
        with torch.no_grad():
            rate = 1e-2 / (1 + 0.5 * (k - 1))
            for p, g, (m, v) in zip((weight, bias), gradients, moments, strict=True):
                m.mul_(0.5).add_(g, alpha=0.5)
                v.mul_(0.999).add_(g * g, alpha=0.001)
                p -= rate * (m / (1 - 0.5**k)) / ((v / (1 - 0.999**k)).sqrt() + 1e-8)
    train(net, data, F.mse_loss, schedule(batch_size=8, beta1=0.5, decay=0.5))
    torch.testing.assert_close(net.weight.detach(), weight.detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(net.bias.detach(), bias.detach(), atol=1e-6, rtol=1e-5)


# --- several targets, and losses that are modules


def test_every_target_reaches_the_loss_with_its_own_row() -> None:
    rows = torch.arange(30)
    seen: list[Tensor] = []

    def loss(output: Tensor, colours: Tensor, names: Tensor) -> Tensor:
        seen.append(names.clone())
        assert colours.dtype == torch.uint8
        assert torch.equal(colours[:, 0, 0].long(), names * 2)
        return output.square().mean()

    colours = (rows * 2).to(torch.uint8)[:, None, None].expand(30, 4, 4)
    data = Pairs(rows.float()[:, None].repeat(1, 5), (colours, rows), np.arange(30) >= 24)
    curves = train(network(), data, loss, schedule(epochs=1))
    assert sorted(torch.cat(seen).tolist()) == list(range(30))
    assert [len(curves.train), len(curves.held_out)] == [1, 1]
    assert [t.shape for t in data.tensors] == [(30, 5), (30, 4, 4), (30,)]
    assert [t.shape for t in pairs(4, 0).tensors] == [(4, 5), (4, 3)]


class FrozenJudge(nn.Module):
    """A loss with a network inside; it notes in which mode it was asked."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(2):
            self.inner = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))
        self.modes: set[bool] = set()

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        self.modes |= {module.training for module in self.modules()}
        return F.mse_loss(self.inner(output), self.inner(target))


def test_a_loss_that_is_a_module_is_neither_trained_nor_in_training_mode() -> None:
    loss = FrozenJudge()
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    net = network()
    curves = train(net, pairs(), loss, schedule(epochs=4, weight_decay=0.5))
    assert loss.modes == {False}
    after = loss.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(p.requires_grad for p in loss.parameters())
    assert not torch.equal(net.weight, network().weight), "but gradients pass through it"
    assert curves.train[-1] < curves.train[0]


def test_the_cost_is_counted() -> None:
    curves = train(network(), pairs(40, 9), F.mse_loss, schedule(epochs=3))
    assert (curves.pairs, curves.steps) == (31, 3 * (31 // 8))
    alone = train(network(), pairs(6, 0), F.mse_loss, schedule(epochs=2))
    assert (alone.pairs, alone.steps, alone.held_out) == (6, 2, [])


def test_weight_decay_reaches_the_optimiser() -> None:
    plain, decayed = weights_after(pairs()), weights_after(pairs(), weight_decay=50.0)
    assert decayed.norm() < 0.7 * plain.norm()


def test_the_network_is_left_in_eval_mode_on_the_cpu() -> None:
    net = nn.Sequential(nn.Linear(5, 3), nn.Dropout())
    train(net, pairs(), F.mse_loss, schedule())
    assert not any(module.training for module in net.modules())
    assert {parameter.device.type for parameter in net.parameters()} == {"cpu"}


def test_a_network_left_in_eval_mode_is_trained_all_the_same() -> None:
    """Otherwise dropout would be off and batch statistics frozen the second time."""
    nets = []
    for mode in (True, False):
        with seeded(11):
            nets.append(nn.Sequential(nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3)))
        train(nets[-1].train(mode), pairs(), F.mse_loss, schedule())
    states = [net.state_dict() for net in nets]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert states[0]["0.running_mean"].abs().max() > 0


def test_training_that_diverges_is_an_error() -> None:
    def broken(output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output, target) * torch.tensor(float("nan"))

    with pytest.raises(ConfigError, match=r"diverged \(loss nan\) at learning rate 0.01"):
        train(network(), pairs(), broken, schedule())


def test_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train(network(), pairs(), F.mse_loss, schedule())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("held", [8, 0])
def test_nothing_is_said(
    held: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    filters = list(warnings.filters)
    for name in LOGGERS:
        caplog.set_level(logging.INFO, logger=name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        curves = train(network(), pairs(held=held), F.mse_loss, schedule())
    assert [str(warning.message) for warning in caught] == []
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert len(curves.held_out) == (2 if held else 0)
    assert list(warnings.filters) == filters
    assert [logging.getLogger(name).level for name in LOGGERS] == [logging.INFO] * 2


def test_random_numbers_elsewhere_are_not_disturbed() -> None:
    net = network()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    train(net, pairs(), F.mse_loss, schedule())
    assert torch.equal(torch.rand(4), expected)


def test_seeded_gives_the_random_state_back_also_after_an_error() -> None:
    def draw_and_fail() -> None:
        with seeded(9):
            torch.rand(3)
            raise ZeroDivisionError

    torch.manual_seed(3)
    before = torch.get_rng_state()
    with seeded(9):
        first = torch.rand(3)
    with pytest.raises(ZeroDivisionError):
        draw_and_fail()
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(9):
        assert torch.equal(torch.rand(3), first)
    with seeded(10):
        assert not torch.equal(torch.rand(3), first)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    subjects=st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_people_are_held_out_whole_and_never_all(
    subjects: list[str], share: float, seed: int
) -> None:
    names = np.array(subjects)
    marks = held_out_subjects(names, share=share, seed=seed)
    people = set(subjects)
    held = {name for name, mark in zip(subjects, marks, strict=True) if mark}
    assert marks.dtype == np.bool_
    assert not held & {name for name, mark in zip(subjects, marks, strict=True) if not mark}
    assert len(held) < len(people)
    assert abs(len(held) - min(share * len(people), len(people) - 1)) <= 0.5


def test_who_is_held_out_depends_on_the_seed() -> None:
    names = np.array([f"person {i}" for i in range(100)])
    first = held_out_subjects(names, share=0.1, seed=0)
    assert np.array_equal(first, held_out_subjects(names, share=0.1, seed=0))
    assert not np.array_equal(first, held_out_subjects(names, share=0.1, seed=1))
