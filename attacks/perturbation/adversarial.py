"""Noise that makes a recogniser take a face for another's (impersonation), or no longer for its
own (evasion): targeted FGSM, its iteration, PGD, Carlini-Wagner and the square attack.

The methods are those of the Adversarial Robustness Toolbox (ART); see
:mod:`attacks.perturbation.adversarial_art`. Two objectives: ``softmax``, the cross-entropy of a
classifier over the gallery, and ``similarity``, the similarity to one person's template alone, as a
matcher sees it. What comes out is rounded to 8 bits, as a picture that is handed in, and stays
within the budget after that.

Sources: I. Goodfellow et al., "Explaining and harnessing adversarial examples", 2015 (FGSM); A.
Kurakin et al., "Adversarial examples in the physical world", 2017 (its iteration and the number of
its steps); A. Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018
(PGD); N. Carlini, D. Wagner, "Towards evaluating the robustness of neural networks", 2017; M.
Andriushchenko et al., "Square Attack", 2020. Studied on templates by Krizaj et al. 2024, 4.3.3.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation import adversarial_art as art
from attacks.perturbation import adversarial_single as single
from attacks.perturbation.base import Perturbation, Perturbed, Pictures
from attacks.perturbation.recogniser import Recogniser
from biometrics.faces.resize import from_pixels, to_pixels

Objective = Literal["softmax", "similarity"]
Goal = Literal["impersonation", "evasion"]


@dataclass(frozen=True)
class Effort:
    """How hard a method tries.

    Attributes:
        steps: of PGD.
        searches, search_steps: of Carlini-Wagner: values of its constant, and steps for each.
        queries: pictures that the square attack may show to the recogniser.
        threshold: of the matcher whose decision Carlini-Wagner on similarity is to turn.
    """

    steps: int = 10
    searches: int = 3
    search_steps: int = 10
    queries: int = 200
    threshold: float | None = None


WORDS: dict[Goal, str] = {
    "impersonation": "towards another person",
    "evasion": "away from the own person",
}


class AdversarialNoise(Perturbation):
    """Base of the methods. The strength is the budget: the most that any value of any pixel may
    change, in 255ths.

    Not in the registry: what they do depends on a recogniser and on who is to be met or left.

    Args:
        strength: the budget; 0 leaves every picture as it is.
        recogniser: what is attacked.
        aims: for each picture, by its seed, the place in the gallery of the person to come near to
            (impersonation) or to go away from (evasion).
        objective: what the noise climbs or descends.
        goal: which of the two.
        effort: how hard it is tried.
    """

    unit: ClassVar[str] = "/255"
    identity: ClassVar[float | None] = 0.0
    most: ClassVar[float] = 255.0
    words: ClassVar[str]

    def __init__(
        self,
        strength: float | None,
        recogniser: Recogniser,
        aims: Mapping[int, int],
        *,
        objective: Objective,
        goal: Goal,
        effort: Effort | None = None,
    ) -> None:
        super().__init__(strength)
        self.recogniser, self.aims = recogniser, aims
        self.objective, self.goal = objective, goal
        self.effort = effort or Effort()

    @property
    def title(self) -> str:
        """Method, objective and goal as one name, such as ``fgsm-softmax-evasion``."""
        return f"{self.name}-{self.objective}-{self.goal}"

    @property
    def label(self) -> str:
        """In words, with the budget."""
        budget = "" if self.strength is None else f", ε = {self.strength:g}/255"
        return f"{self.words} on {self.objective}, {WORDS[self.goal]}{budget}"

    @property
    def slug(self) -> str:
        """Name, objective, goal and budget as a part of a file's name."""
        return self.title if self.strength is None else f"{self.title}-{self.strength:g}"

    @property
    def targeted(self) -> bool:
        """Whether the noise leads towards a person, and not away from one."""
        return self.goal == "impersonation"

    def apply(self, pictures: Pictures) -> Perturbed:
        """The pictures with noise.

        Raises:
            ValueError: a picture without an aim.
        """
        unknown = [seed for seed in pictures.seeds.tolist() if seed not in self.aims]
        if unknown:
            raise ValueError(f"{len(unknown)} of {len(pictures)} pictures have no aim")
        if self.strength == 0.0 or not len(pictures):
            return Perturbed(pictures.crops.copy(), pictures.landmarks.copy())
        people = np.array([self.aims[seed] for seed in pictures.seeds.tolist()])
        noisy = self._noisy(from_pixels(pictures.crops).numpy(), people, pictures.seeds)
        return Perturbed(self._rounded(noisy, pictures.crops), pictures.landmarks.copy())

    @abstractmethod
    def _noisy(
        self, crops: NDArray[np.float32], people: NDArray[np.intp], seeds: NDArray[np.uint64]
    ) -> NDArray[np.float32]:
        """Crops [N, 3, 224, 224] in [0, 1] with noise, N of them with their people and seeds."""

    def _rounded(self, noisy: NDArray[np.float32], clean: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """As 8 bits [N, 224, 224, 3], not farther from the clean ones than the budget allows."""
        levels = to_pixels(noisy).astype(np.int16)
        budget = 255 if self.strength is None else math.floor(self.strength)
        middle = clean.astype(np.int16)
        levels = np.clip(levels, middle - budget, middle + budget)
        return np.ascontiguousarray(np.clip(levels, 0, 255).astype(np.uint8))

    @property
    def _budget(self) -> float:
        assert self.strength is not None
        return self.strength / 255.0


class Fgsm(AdversarialNoise):
    """One step along the sign of the gradient, as long as the budget."""

    name = "fgsm"
    words = "FGSM"

    def _noisy(
        self, crops: NDArray[np.float32], people: NDArray[np.intp], seeds: NDArray[np.uint64]
    ) -> NDArray[np.float32]:
        classifier = art.classifier(self.recogniser, self.objective)
        return art.fgsm(classifier, crops, people, self._budget, self.targeted)


class IterativeFgsm(AdversarialNoise):
    """Steps of one level of grey, min(ε + 4, 1.25 ε) of them as Kurakin et al. have it."""

    name = "iterative-fgsm"
    words = "iterative FGSM"

    def _noisy(
        self, crops: NDArray[np.float32], people: NDArray[np.intp], seeds: NDArray[np.uint64]
    ) -> NDArray[np.float32]:
        assert self.strength is not None
        steps = math.ceil(min(self.strength + 4.0, 1.25 * self.strength))
        classifier = art.classifier(self.recogniser, self.objective)
        return art.iterative_fgsm(classifier, crops, people, self._budget, steps, self.targeted)


class Pgd(AdversarialNoise):
    """Steps of 2.5 ε / ``steps`` from a random place within the budget, drawn by the picture's own
    seed, each brought back into the budget."""

    name = "pgd"
    words = "PGD"

    def _noisy(
        self, crops: NDArray[np.float32], people: NDArray[np.intp], seeds: NDArray[np.uint64]
    ) -> NDArray[np.float32]:
        classifier = art.classifier(self.recogniser, self.objective)
        steps = self.effort.steps
        return art.pgd(classifier, crops, people, seeds, self._budget, steps, self.targeted)


class CarliniWagner(AdversarialNoise):
    """The smallest noise in L2 that reaches its end, and no noise where none was found; it has no
    budget.

    On ``softmax`` the end is that the person is (or no longer is) the most likely one of the
    gallery. On ``similarity`` it is the decision of a matcher at ``threshold``.
    """

    name = "carlini-wagner"
    words = "Carlini-Wagner"
    unit = ""
    identity = None

    def _noisy(
        self, crops: NDArray[np.float32], people: NDArray[np.intp], seeds: NDArray[np.uint64]
    ) -> NDArray[np.float32]:
        threshold = self.effort.threshold
        if (self.objective == "similarity") != (threshold is not None):
            raise ValueError("Carlini-Wagner takes a threshold on similarity, and none on softmax")
        tries = single.Tries(self.effort.searches, self.effort.search_steps)
        return single.carlini_wagner(
            self.recogniser, crops, people, threshold, tries, self.targeted
        )


class Square(AdversarialNoise):
    """A search by random squares that sees scores and no gradient, and few of them."""

    name = "square"
    words = "square attack"

    def _noisy(
        self, crops: NDArray[np.float32], people: NDArray[np.intp], seeds: NDArray[np.uint64]
    ) -> NDArray[np.float32]:
        asked = single.Asked(self._budget, self.effort.queries, self.objective, self.targeted)
        return single.square(self.recogniser, crops, people, seeds, asked)
