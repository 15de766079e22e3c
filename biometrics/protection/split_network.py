"""A small autoencoder whose code has two parts: an attribute, and everything else.

It works on templates in coordinates where people are spread alike in all directions, since an
attribute often lives where templates hardly vary. The encoder is linear with one hidden layer
beside it, and so is the decoder. It starts at the best linear split: the attribute part is the
linear discriminant, the identity part what is left when the difference of the class means is taken
off along it (N. Belrose and others, "LEACE: perfect linear concept erasure in closed form", 2023).
Training adds what a hidden layer can tell (see :func:`train`), and ends with the same step again:
whatever still differs between the class means of the identity part goes to the attribute part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

Matrix = NDArray[np.float64]

HIDDEN = 64
BATCH = 256
"""Templates a step, half of each class; each half is cut in two again for the moments."""

RATE = 3e-3
RECONSTRUCTION, IDENTITY, ATTRIBUTE, MOMENTS = 10.0, 100.0, 0.1, 0.3
"""Weights of the losses, chosen on LFW for the least that a classifier tells afterwards while the
TMR at FMR 1e-3 falls by about .02 at most."""


class Code(NamedTuple):
    """The parts of templates: identity float64 [N, D], attribute [N, A]."""

    identity: Matrix
    attribute: Matrix


@dataclass(frozen=True)
class Split:
    """A trained autoencoder, to be used without torch.

    Attributes:
        weights: by name, float64.
        away: [2, D], the direction that was moved to the attribute part at last and how a code is
            measured along it; ``middle`` [D] is where it is zero.
    """

    weights: dict[str, Matrix]
    away: Matrix
    middle: Matrix

    def encode(self, rows: Matrix) -> Code:
        """The parts of templates [N, D]. The last number of the attribute part is the last step's.

        Sums are not by BLAS, where they depend on how many rows there are.
        """
        identity, attribute = _encoded(self.weights, rows)
        last = np.einsum("nd,d->n", identity - self.middle, self.away[1])[:, None]
        return Code(identity - last * self.away[0], np.concatenate([attribute, last], axis=1))

    def decode(self, code: Code) -> Matrix:
        """Templates [N, D] of their parts."""
        w, last = self.weights, code.attribute[:, -1:]
        attribute = code.attribute[:, :-1]
        identity = code.identity + last * self.away[0]
        both = np.concatenate([identity, attribute], axis=1)
        hidden = np.tanh(_times(both, w["decoder_in"]) + w["decoder_shift"])
        straight = _times(identity, w["from_identity"]) + _times(attribute, w["from_attribute"])
        return straight + _times(hidden, w["decoder_out"])

    def says(self, code: Code) -> NDArray[np.bool_]:
        """Whether the attribute part, as the network made it, says that the attribute is there."""
        w = self.weights
        found = np.einsum("na,a->n", code.attribute[:, :-1], w["head"]) + w["head_shift"]
        return np.asarray(found > 0.0)


def _times(rows: Matrix, weights: Matrix) -> Matrix:
    found: Matrix = np.einsum("ni,oi->no", rows, weights)
    return found


def _encoded(w: dict[str, Matrix], rows: Matrix) -> Code:
    hidden = np.tanh(_times(rows, w["encoder_in"]) + w["encoder_shift"])
    return Code(
        _times(rows, w["to_identity"]) + _times(hidden, w["encoder_identity"]),
        _times(rows, w["to_attribute"]) + _times(hidden, w["encoder_attribute"]),
    )


def train(
    rows: Matrix,
    labels: NDArray[np.bool_],
    importance: Matrix,
    *,
    attribute_dims: int,
    steps: int,
    seed: int,
) -> Split:
    """Fit the autoencoder.

    Losses, after the idea of PFRNet (B. Bortolato and others, "Learning privacy-enhancing face
    representations through feature disentanglement", 2020): templates come back from both parts;
    the attribute is told from its own part; means and covariances of the identity part are alike
    with and without the attribute; and templates decoded with the average attribute have the
    cosines that they had. The moments' difference is estimated without bias, as the product of the
    differences in two halves of a batch: its square would be mostly noise.

    Args:
        rows: templates [N, D] of zero mean and unit covariance.
        labels: whether each has the attribute [N]; both occur.
        importance: weight of each coordinate [D] in what a template is.
        attribute_dims: A - 1, numbers of the attribute part besides the last.
        steps: of Adam; none leaves the linear split.
        seed: of the first weights and of the batches.
    """
    generator = torch.Generator().manual_seed(seed)
    net = _start(rows, labels, attribute_dims, generator)
    if steps:
        _descend(net, rows, labels, importance, steps, generator)
    weights = {name: value.detach().numpy().astype(np.float64) for name, value in net.items()}
    identity = _encoded(weights, rows).identity
    return Split(weights, *_last_step(identity, labels))


class _Last(NamedTuple):
    away: Matrix
    middle: Matrix


def _last_step(identity: Matrix, labels: NDArray[np.bool_]) -> _Last:
    """The oblique projection along the difference of the class means that changes codes least."""
    middle = identity.mean(axis=0)
    apart = identity[labels].mean(axis=0) - identity[~labels].mean(axis=0)
    inner = np.cov(identity.T) + 1e-3 * np.eye(len(middle))  # the start left out a direction
    along = np.linalg.solve(inner, apart)
    size = float(apart @ along)
    return _Last(np.stack([apart, along / size if size > 0.0 else along]), middle)


def _start(
    rows: Matrix, labels: NDArray[np.bool_], dims: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """The linear split, and hidden layers that say nothing yet of anything but the attribute."""
    dim = rows.shape[1]
    apart = rows[labels].mean(axis=0) - rows[~labels].mean(axis=0)
    unit = torch.tensor(apart / max(float(np.linalg.norm(apart)), 1e-12), dtype=torch.float32)

    def drawn(*shape: int, over: float) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).div(over**0.5)

    aside = torch.zeros(dims - 1, dim)
    head = torch.zeros(dims)
    head[0] = 1.0
    net = {
        "to_identity": torch.eye(dim) - torch.outer(unit, unit),
        "to_attribute": torch.cat([unit[None], aside]),
        "encoder_in": drawn(HIDDEN, dim, over=dim),
        "encoder_shift": drawn(HIDDEN, over=100.0),
        "encoder_identity": torch.zeros(dim, HIDDEN),
        "encoder_attribute": torch.cat(
            [torch.zeros(1, HIDDEN), drawn(dims - 1, HIDDEN, over=HIDDEN)]
        ),
        "from_identity": torch.eye(dim),
        "from_attribute": torch.cat([unit[None], aside]).T.contiguous(),
        "decoder_in": drawn(HIDDEN, dim + dims, over=dim + dims),
        "decoder_shift": drawn(HIDDEN, over=100.0),
        "decoder_out": torch.zeros(dim, HIDDEN),
        "head": head,
        "head_shift": torch.zeros(1),
    }
    return {name: value.requires_grad_() for name, value in net.items()}


def _descend(
    net: dict[str, torch.Tensor],
    rows: Matrix,
    labels: NDArray[np.bool_],
    importance: Matrix,
    steps: int,
    generator: torch.Generator,
) -> None:
    x = torch.tensor(rows, dtype=torch.float32)
    share = torch.tensor(importance / importance.sum(), dtype=torch.float32)
    classes = [torch.tensor(np.flatnonzero(labels == there)) for there in (True, False)]
    truth = (torch.arange(BATCH) < BATCH // 2).float()
    optimiser = torch.optim.Adam(list(net.values()), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps + 1)
    for _ in range(steps):
        drawn = [
            own[torch.randint(len(own), (BATCH // 2,), generator=generator)] for own in classes
        ]
        loss = _loss(net, x[torch.cat(drawn)], truth, share)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _loss(
    net: dict[str, torch.Tensor], x: torch.Tensor, truth: torch.Tensor, share: torch.Tensor
) -> torch.Tensor:
    hidden = torch.tanh(x @ net["encoder_in"].T + net["encoder_shift"])
    identity = x @ net["to_identity"].T + hidden @ net["encoder_identity"].T
    attribute = x @ net["to_attribute"].T + hidden @ net["encoder_attribute"].T

    def decoded(part: torch.Tensor) -> torch.Tensor:
        both = torch.cat([identity, part], dim=1)
        middle = torch.tanh(both @ net["decoder_in"].T + net["decoder_shift"])
        straight = identity @ net["from_identity"].T + part @ net["from_attribute"].T
        return straight + middle @ net["decoder_out"].T

    def cosines(some: torch.Tensor) -> torch.Tensor:
        unit = functional.normalize(some * share.sqrt(), dim=1)
        return unit @ unit.T

    back = ((decoded(attribute) - x) ** 2 * share).sum(dim=1).mean()
    told = functional.binary_cross_entropy_with_logits(
        attribute @ net["head"] + net["head_shift"], truth
    )
    average = attribute.mean(dim=0, keepdim=True).expand_as(attribute)
    alike = ((cosines(decoded(average)) - cosines(x)) ** 2).mean()
    return RECONSTRUCTION * back + ATTRIBUTE * told + IDENTITY * alike + MOMENTS * _apart(identity)


def _apart(identity: torch.Tensor) -> torch.Tensor:
    """Squared differences of means and of covariances of the first half of a batch and the second,
    without bias."""
    centre = identity.mean(dim=0)
    parts = (identity - centre).chunk(4)
    means = [part.mean(dim=0) for part in parts]
    spreads = [part.T @ part / len(part) for part in parts]
    return sum((((m[0] - m[2]) * (m[1] - m[3])).sum() for m in (means, spreads)), torch.zeros(()))
