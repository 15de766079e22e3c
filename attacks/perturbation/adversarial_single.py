"""The attacks of the Adversarial Robustness Toolbox (ART) that take one picture at a time: the
square attack and Carlini-Wagner. Arrays are those of :mod:`attacks.perturbation.adversarial_art`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.perturbation.adversarial_art import Crops, Objective, People, estimator_of
from attacks.perturbation.recogniser import Recogniser
from biometrics.parallel import ordered_map

CONSTANT = 1.0
"""First weight of Carlini-Wagner's end against the squared distance."""

LINE_SEARCH = 2
"""Times that Carlini-Wagner halves or doubles a step in search of a better one; each is a pass."""

FEW = 16
"""Up to so many pictures of the slow methods are not worth the processes' start."""

MARGIN = 0.02
"""By so much of a similarity Carlini-Wagner goes beyond a threshold: rounding moves it."""


class Decision(nn.Module):
    """Two classes for one person: refused and accepted at a threshold, as a matcher decides."""

    def __init__(self, recogniser: Recogniser, person: int, threshold: float) -> None:
        super().__init__()
        self.recogniser, self.person = recogniser, person
        self.cut = recogniser.gallery.scale * threshold

    def forward(self, crops: Tensor) -> Tensor:
        """Logits [N, 2] of crops [N, 3, 224, 224]; the second is higher where accepted."""
        beyond = self.recogniser(crops)[:, self.person] - self.cut
        return torch.stack([-beyond, beyond], dim=1) / 2.0


class Remembered(nn.Module):
    """A model that is asked once for each picture; ``asked`` counts."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.asked = model, 0
        self._answers: dict[bytes, Tensor] = {}

    def forward(self, crops: Tensor) -> Tensor:
        """What the model says of a single crop [1, 3, 224, 224]."""
        key = crops.numpy().tobytes()
        if key not in self._answers:
            self.asked += 1
            # The picture that is best so far and the one that is tried: no more are asked again.
            kept = list(self._answers.items())[-1:]
            self._answers = {**dict(kept), key: self.model(crops)}
        answer = self._answers.pop(key)
        self._answers[key] = answer  # the last one used comes last
        return answer


class Tries(NamedTuple):
    """Values of Carlini-Wagner's constant, and steps for each."""

    searches: int
    steps: int


def carlini_wagner(
    recogniser: Recogniser,
    crops: Crops,
    people: People,
    threshold: float | None,
    tries: Tries,
    targeted: bool,
) -> Crops:
    """The smallest noise in L2 after which a person is the most likely one, or with ``threshold``
    after which the similarity reaches it; or no longer, where not ``targeted``.

    One picture at a time: a decision belongs to one person, and ART's line search goes on with
    those of a batch that still improve, in batches of other sizes.
    """
    make = functools.partial(_carlini_wagner, recogniser, threshold, tries, targeted)
    return _one_by_one(make, crops, people.tolist(), recogniser)


def _carlini_wagner(
    recogniser: Recogniser,
    threshold: float | None,
    tries: Tries,
    targeted: bool,
    given: tuple[Crops, int],
) -> Crops:
    from art.attacks.evasion import CarliniL2Method

    crop, person = given
    alone = Recogniser(recogniser.backbone, recogniser.gallery, chunk=1)
    model: nn.Module = alone
    classes, goal = recogniser.people, person
    if threshold is not None:
        beyond = MARGIN if targeted else -MARGIN
        model, classes, goal = Decision(alone, person, threshold + beyond), 2, 1
    method = CarliniL2Method(
        estimator_of(model, nn.CrossEntropyLoss(), classes, recogniser),
        targeted=targeted,
        binary_search_steps=tries.searches,
        max_iter=tries.steps,
        initial_const=CONSTANT,
        max_halving=LINE_SEARCH,
        max_doubling=LINE_SEARCH,
        verbose=False,
    )
    with _one_thread():
        noisy: Crops = method.generate(crop, y=np.array([goal]))
    return noisy


class Asked(NamedTuple):
    """What the square attack is given."""

    budget: float
    queries: int
    objective: Objective
    targeted: bool


def square(
    recogniser: Recogniser,
    crops: Crops,
    people: People,
    seeds: NDArray[np.uint64],
    asked: Asked,
) -> Crops:
    """Random squares that are kept where they help, for as many pictures shown as are allowed.

    One picture at a time: ART draws one square for a whole batch, from NumPy's global state.
    """
    make = functools.partial(_square, recogniser, asked)
    given = list(zip(people.tolist(), seeds.tolist(), strict=True))
    return _one_by_one(make, crops, given, recogniser)


def _square(recogniser: Recogniser, asked: Asked, given: tuple[Crops, tuple[int, int]]) -> Crops:
    from art.attacks.evasion import SquareAttack

    crop, (person, seed) = given
    model = Remembered(Recogniser(recogniser.backbone, recogniser.gallery, chunk=1))
    estimator = estimator_of(model, nn.CrossEntropyLoss(), recogniser.people, recogniser)
    method = SquareAttack(
        estimator,
        adv_criterion=_reached(asked),
        loss=_left(estimator, asked),
        max_iter=asked.queries - 2,  # the clean picture and the first stripes are shown too
        eps=asked.budget,
        batch_size=1,
        verbose=False,
    )
    with _one_thread(), _global_seed(seed):
        # A copy: ART writes into the picture that it is given.
        noisy: Crops = method.generate(crop.copy(), y=np.array([person]))
    return noisy


def _one_by_one(
    make: Callable[[tuple[Crops, Any]], Crops],
    crops: Crops,
    given: Sequence[Any],
    recogniser: Recogniser,
) -> Crops:
    """What is made of every crop alone with what is given for it, side by side where there are
    many. One thread each: a pass of a single picture gains little from a second, and the last bit
    of what a network gives depends on how many there are."""
    items = [(crops[i : i + 1], what) for i, what in enumerate(given)]
    on_cpu = recogniser.templates.device.type == "cpu"
    made = ordered_map(make, items, workers=None if on_cpu else 1, small=FEW, chunk=2)
    return np.concatenate([crops[:0], *made])


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for every operation of torch within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _left(estimator: Any, asked: Asked) -> Callable[[Any, Any], NDArray[np.floating]]:
    """What the square attack lowers."""

    def loss(crops: Any, people: Any) -> NDArray[np.floating]:
        logits = estimator.predict(crops, batch_size=1)
        own = (logits * people).sum(axis=1)
        others = np.where(people > 0, -np.inf, logits).max(axis=1)
        rest = others if asked.objective == "softmax" else 0.0
        return np.asarray((rest - own) if asked.targeted else (own - rest))

    return loss


def _reached(asked: Asked) -> Callable[[Any, Any], NDArray[np.bool_]]:
    """Where the square attack stops: at the most likely person. A similarity has no end."""

    def reached(logits: Any, people: Any) -> NDArray[np.bool_]:
        if asked.objective == "similarity":
            return np.zeros(len(logits), dtype=bool)
        first = logits.argmax(axis=1) == people.argmax(axis=1)
        return np.asarray(first if asked.targeted else ~first)

    return reached


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """NumPy's global state from a seed within the block, and as it was behind it."""
    before = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(before)
