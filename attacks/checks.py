"""What every attack refuses, in the same words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet, check_finite


def check_pairs(faces: FaceSet, templates: TemplateSet) -> None:
    """Refuse faces and templates that cannot be row-by-row pairs.

    Raises:
        InputError: different numbers, or fewer than two pairs.
    """
    if len(faces) != len(templates) or len(faces) < 2:
        raise InputError(
            f"an attack needs two or more pairs, got {len(faces)} faces and "
            f"{len(templates)} templates"
        )


def check_dimension(vectors: NDArray[np.float32], expected: int) -> None:
    """Refuse templates that an attack was not fitted for.

    Args:
        vectors: [N, D].
        expected: the D of the fit; 0 where there was none.

    Raises:
        InputError: not fitted, another dimension, or NaN or infinite values.
    """
    if expected == 0:
        raise InputError("the attack knows no templates yet: fit it, or load a fitted one, first")
    if vectors.ndim != 2 or vectors.shape[1] != expected:
        raise InputError(
            f"the attack was fitted on templates of {expected} values, got {list(vectors.shape)}"
        )
    check_finite(vectors)
