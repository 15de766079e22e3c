"""Fitting the appearance model on the attacker's faces."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt
from scipy.spatial import ConvexHull

from biometrics.errors import InputError
from biometrics.faces.appearance import AppearanceModel, Floats, normalised_textures, project
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE, REGIONS
from biometrics.progress import Advance, silent

FOREHEAD = 38.0
"""The face reaches this far above the brows, in pixels of the 224 crop."""

FALL_OFF = 15.0
"""Width in pixels of the 224 crop of the band in which a pixel's weight falls outside the face."""

BACKGROUND_WEIGHT = 0.02
"""Weight of a pixel far from the face. Hair and background vary more than faces do: with equal
weights they take most of the components, and the attack that uses the model loses half its
success."""


def fit_appearance(
    faces: FaceSet,
    *,
    texture_size: int,
    texture_components: int,
    shape_components: int,
    seed: int,
    advance: Advance = silent,
) -> AppearanceModel:
    """Fit the model on faces of known subjects.

    The texture's components are those of weighted pixels (see :func:`texture_weights`).

    Args:
        faces: at least 20; the covariance within subjects needs some subjects with two pictures.
        texture_size: side T of the texture in pixels.
        texture_components, shape_components: how many at most; fewer where there are fewer faces.
        seed: of the randomised decomposition.
        advance: told about every warped face.

    Raises:
        InputError: fewer than 20 faces, or no subject with two pictures.
    """
    if len(faces) < 20:
        raise InputError(f"an appearance model needs at least 20 faces, got {len(faces)}")
    mean_shape = faces.landmarks.mean(axis=0).astype(np.float32)
    parts = []
    for textures in normalised_textures(faces, mean_shape, texture_size):
        parts.append(textures.reshape(len(textures), -1))
        advance(len(textures))
    rows = np.concatenate(parts)
    del parts
    mean_texture = rows.mean(axis=0)
    rows -= mean_texture
    weights = np.sqrt(texture_weights(mean_shape, texture_size))
    weights = np.broadcast_to(weights, (3, texture_size, texture_size)).reshape(-1)
    rows *= weights
    shape_rows = (faces.landmarks - mean_shape).reshape(len(faces), -1)
    shape_basis = principal(shape_rows, shape_components, seed)
    texture_basis = principal(rows, texture_components, seed)
    coefficients = np.concatenate(
        [project(shape_rows, shape_basis), project(rows, texture_basis)], axis=1
    )
    between, within = split_covariance(coefficients, faces.subject_ids)
    total = float(np.einsum("ij,ij->", rows, rows, dtype=np.float64)) / (len(rows) - 1)
    held = float((texture_basis.astype(np.float64) ** 2).sum())
    shape = (3, texture_size, texture_size)
    return AppearanceModel(
        mean_shape,
        shape_basis,
        mean_texture.reshape(shape),
        (texture_basis / weights).reshape(-1, *shape),
        weights.reshape(shape),
        between,
        within,
        held / total,
    )


def texture_weights(mean_shape: Floats, size: int) -> Floats:
    """How much each pixel of a texture counts, float32 [size, size]: 1 inside the face (forehead
    included), falling to ``BACKGROUND_WEIGHT`` outside it."""
    brows = mean_shape[REGIONS["brows"]] - np.array([0, FOREHEAD], dtype=np.float32)
    points = np.concatenate([mean_shape, brows])
    hull = points[ConvexHull(points).vertices]
    face = Image.new("L", (CROP_SIZE, CROP_SIZE))
    ImageDraw.Draw(face).polygon([(float(x), float(y)) for x, y in hull], fill=1)
    outside = distance_transform_edt(np.asarray(face) == 0) / FALL_OFF
    weights = BACKGROUND_WEIGHT + (1 - BACKGROUND_WEIGHT) * np.exp(-(outside**2))
    picture = Image.fromarray(weights.astype(np.float32)).resize((size, size), Image.Resampling.BOX)
    return np.asarray(picture)


def split_covariance(coefficients: Floats, subjects: NDArray[np.str_]) -> tuple[Floats, Floats]:
    """Covariance between and within subjects, each [K, K] and positive semi-definite.

    Within: pooled over subjects with two or more pictures. Between: the total minus the within,
    eigenvalues below zero set to zero.

    Raises:
        InputError: no subject has two pictures.
    """
    _, index, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    if not (counts > 1).any():
        raise InputError("the covariance within subjects needs a subject with two pictures")
    sums = np.zeros((len(counts), coefficients.shape[1]))
    np.add.at(sums, index, coefficients)
    deviations = (coefficients - (sums / counts[:, None])[index])[counts[index] > 1]
    freedom = int((counts[counts > 1] - 1).sum())
    within = deviations.T @ deviations / freedom
    total = np.cov(coefficients, rowvar=False)
    values, vectors = np.linalg.eigh(total - within)
    between = (vectors * np.maximum(values, 0)) @ vectors.T
    return between.astype(np.float32), within.astype(np.float32)


def principal(rows: Floats, components: int, seed: int) -> Floats:
    """Principal components of centred rows [N, P], each scaled to one standard deviation [K, P]."""
    count = min(components, len(rows) - 1, rows.shape[1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _, values, vectors = torch.svd_lowrank(
            torch.from_numpy(rows), q=min(count + 20, *rows.shape), niter=4
        )
    scales = values[:count] / np.sqrt(len(rows) - 1)
    basis: Floats = (vectors[:, :count] * scales).T.contiguous().numpy()
    return basis
