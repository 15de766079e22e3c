"""The Adversarial Robustness Toolbox (ART) around our recogniser: crops in, crops with noise out.

ART is imported where it is used: it takes five seconds. Our own here are the thin estimator and
what makes a picture's noise independent of the pictures beside it, where ART draws at random or
follows a batch as a whole.

Crops are float32 [N, 3, 224, 224] in [0, 1]; ``people`` [N] are places in the gallery; a ``budget``
is the most that any value may change, in [0, 1].
"""

from __future__ import annotations

from typing import Any, Literal

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


def classifier(recogniser: Recogniser, objective: Objective) -> Any:
    """ART's estimator around a recogniser."""
    # Both are sums: the gradient of a picture does not depend on how many there are.
    loss = LogOdds() if objective == "softmax" else PersonSimilarity()
    return estimator_of(recogniser, loss, recogniser.people, recogniser)


def estimator_of(model: nn.Module, loss: nn.Module, classes: int, recogniser: Recogniser) -> Any:
    """ART's estimator around a model of crops with so many classes, on the recogniser's device."""
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
