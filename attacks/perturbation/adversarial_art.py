"""The Adversarial Robustness Toolbox (ART) around our recogniser: crops in, crops with noise out.

ART is imported where it is used: it takes five seconds. Our own here are the thin estimator and
what makes a picture's noise independent of the pictures beside it, where ART draws at random or
follows a batch as a whole.

Crops are float32 [N, 3, 224, 224] in [0, 1]; ``people`` [N] are places in the gallery; a ``budget``
is the most that any value may change, in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.perturbation.recogniser import CHUNK, Recogniser
from biometrics.faces.geometry import CROP_SIZE

Crops = NDArray[np.float32]
People = NDArray[np.intp]
Objective = Literal["softmax", "similarity"]

STEP = 1.0 / 255.0
"""One level of grey: the step of the iterative FGSM."""

REACH = 2.5
"""PGD may go so many times as far as the budget in all. Source: Madry et al. 2018."""

CONSTANT = 1.0
"""First weight of Carlini-Wagner's end against the squared distance."""

LINE_SEARCH = 2
"""Times that Carlini-Wagner halves or doubles a step in search of a better one; each is a pass."""

MARGIN = 0.02
"""By so much of a similarity Carlini-Wagner goes beyond a threshold: rounding moves it."""


class PersonSimilarity(nn.Module):
    """Minus the logit of one person: the similarity alone, however the others stand."""

    def forward(self, logits: Tensor, people: Tensor) -> Tensor:
        """Sum over logits [N, S] with ``people`` as 0 or 1 [N, S]."""
        return -(logits * people).sum()


class LogOdds(nn.Module):
    """Minus the logarithm of a person's odds in the softmax, p / (1 - p).

    Its gradient is that of the cross-entropy divided by 1 - p, so every step along a sign is the
    same; but 1 - p is zero in 32 bits for a face that is recognised with ease, and no noise at all
    would leave such a person.
    """

    def forward(self, logits: Tensor, people: Tensor) -> Tensor:
        """Sum over logits [N, S] with ``people`` as 0 or 1 [N, S]."""
        others = logits.masked_fill(people > 0, -torch.inf).logsumexp(dim=1)
        return (others - (logits * people).sum(dim=1)).sum()


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


def classifier(recogniser: Recogniser, objective: Objective) -> Any:
    """ART's estimator around a recogniser."""
    # Both are sums: the gradient of a picture does not depend on how many there are.
    loss = LogOdds() if objective == "softmax" else PersonSimilarity()
    return _estimator(recogniser, loss, recogniser.people, recogniser)


def _estimator(model: nn.Module, loss: nn.Module, classes: int, recogniser: Recogniser) -> Any:
    from art.estimators.classification import PyTorchClassifier

    return PyTorchClassifier(
        model=model,
        loss=loss,
        input_shape=(3, CROP_SIZE, CROP_SIZE),
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="cpu" if recogniser.templates.device.type == "cpu" else "gpu",
    )


def fgsm(estimator: Any, crops: Crops, people: People, budget: float, targeted: bool) -> Crops:
    """One step along the sign of the gradient."""
    from art.attacks.evasion import FastGradientMethod

    method = FastGradientMethod(
        estimator, eps=budget, eps_step=budget, targeted=targeted, batch_size=CHUNK
    )
    noisy: Crops = method.generate(crops, y=people)
    return noisy


def iterative_fgsm(
    estimator: Any, crops: Crops, people: People, budget: float, steps: int, targeted: bool
) -> Crops:
    """Steps of one level of grey within the budget."""
    from art.attacks.evasion import BasicIterativeMethod

    method = BasicIterativeMethod(
        estimator,
        eps=budget,
        eps_step=min(STEP, budget),
        max_iter=steps,
        targeted=targeted,
        batch_size=CHUNK,
        verbose=False,
    )
    noisy: Crops = method.generate(crops, y=people)
    return noisy


def pgd(
    estimator: Any,
    crops: Crops,
    people: People,
    seeds: NDArray[np.uint64],
    budget: float,
    steps: int,
    targeted: bool,
) -> Crops:
    """Projected gradient descent from a random place within the budget."""
    from art.attacks.evasion import ProjectedGradientDescentPyTorch

    class Seeded(ProjectedGradientDescentPyTorch):  # type: ignore[misc]
        """ART draws the first places of a whole batch at once from NumPy's global state; here
        every picture's comes from its own seed."""

        def _generate_batch(
            self, x: Tensor, targets: Tensor, mask: object, eps: float, eps_step: float
        ) -> Crops:
            inputs, targets = x.to(self.estimator.device), targets.to(self.estimator.device)
            begin = self._batch_id * self.batch_size
            some = seeds[begin : begin + len(x)].tolist()
            draws = [np.random.default_rng(seed).uniform(-eps, eps, x.shape[1:]) for seed in some]
            start = torch.from_numpy(np.stack(draws).astype(np.float32)).to(inputs.device)
            noisy, momentum = (inputs + start).clamp(0.0, 1.0), torch.zeros_like(inputs)
            for _ in range(self.max_iter):
                noisy = self._compute_pytorch(
                    noisy, inputs, targets, mask, eps, eps_step, False, momentum
                )
            made: Crops = noisy.cpu().detach().numpy()
            return made

    method = Seeded(
        estimator,
        eps=budget,
        eps_step=REACH * budget / steps,
        max_iter=steps,
        targeted=targeted,
        batch_size=CHUNK,
        verbose=False,
    )
    noisy: Crops = method.generate(crops, y=people)
    return noisy


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
    from art.attacks.evasion import CarliniL2Method

    alone = Recogniser(recogniser.backbone, recogniser.gallery, chunk=1)
    noisy = np.empty_like(crops)
    for i, person in enumerate(people.tolist()):
        model: nn.Module = alone
        classes, goal = recogniser.people, person
        if threshold is not None:
            beyond = MARGIN if targeted else -MARGIN
            model, classes, goal = Decision(alone, person, threshold + beyond), 2, 1
        method = CarliniL2Method(
            _estimator(model, nn.CrossEntropyLoss(), classes, recogniser),
            targeted=targeted,
            binary_search_steps=tries.searches,
            max_iter=tries.steps,
            initial_const=CONSTANT,
            max_halving=LINE_SEARCH,
            max_doubling=LINE_SEARCH,
            verbose=False,
        )
        noisy[i : i + 1] = method.generate(crops[i : i + 1], y=np.array([goal]))
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
    from art.attacks.evasion import SquareAttack

    alone = Recogniser(recogniser.backbone, recogniser.gallery, chunk=1)
    noisy = np.empty_like(crops)
    for i, (person, seed) in enumerate(zip(people.tolist(), seeds.tolist(), strict=True)):
        model = Remembered(alone)
        estimator = _estimator(model, nn.CrossEntropyLoss(), recogniser.people, recogniser)
        method = SquareAttack(
            estimator,
            adv_criterion=_reached(asked),
            loss=_left(estimator, asked),
            max_iter=asked.queries - 2,  # the clean picture and the first stripes are shown too
            eps=asked.budget,
            batch_size=1,
            verbose=False,
        )
        with _global_seed(seed):
            # A copy: ART writes into the picture that it is given.
            noisy[i : i + 1] = method.generate(crops[i : i + 1].copy(), y=np.array([person]))
    return noisy


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
