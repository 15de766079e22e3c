"""The statistical appearance model: shape and texture by principal components, joined by the warp.

Sources: Cootes et al. 1998 (active appearance models), as used by Cole et al. 2017, section 2.2.
A face is a vector of standardised coefficients, the shape's first, then the texture's; its texture
is drawn on the mean face and warped to its landmarks. The covariance of the coefficients is split
into a part between and a part within subjects, so that people can be sampled with several pictures
each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from biometrics.errors import WeightsError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.resize import from_pixels, resize
from biometrics.faces.warp import scale_points, warp
from biometrics.progress import Advance, silent

BATCH = 64
WARP_STRIDE = 4
"""The flow is evaluated at every fourth pixel: six times faster, differences below a grey level."""

HALVED = ("mean_texture", "pixel_weights", "between", "within")
"""What a compact file holds at half precision."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Decoded:
    """Faces before the warp: textures [N, 3, T, T] in [0, 1], landmarks [N, 68, 2] (224 crop)."""

    textures: Tensor
    landmarks: Tensor


@dataclass(frozen=True)
class SampledPeople:
    """Sampled faces: coefficients float32 [N, K] and the number of the person of each, int [N]."""

    coefficients: Floats
    person: NDArray[np.int64]


@dataclass(frozen=True)
class AppearanceModel:
    """Shape and texture of faces.

    Attributes:
        mean_shape: float32 [68, 2] in pixels of the 224 crop.
        shape_basis: float32 [Ks, 136]; row k is one standard deviation of component k in pixels.
        mean_texture: float32 [3, T, T], RGB in [0, 1], on the mean shape.
        texture_basis: float32 [Kt, 3, T, T]; row k is one standard deviation of component k.
        pixel_weights: float32 [3, T, T], square roots of the weights under which the texture's
            components are orthogonal.
        between, within: float32 [K, K], K = Ks + Kt: covariance of the standardised coefficients
            between and within subjects.
        explained: share of the weighted variance of the texture that the components hold.
    """

    mean_shape: Floats
    shape_basis: Floats
    mean_texture: Floats
    texture_basis: Floats
    pixel_weights: Floats
    between: Floats
    within: Floats
    explained: float

    @property
    def texture_size(self) -> int:
        """Side T of the texture in pixels."""
        return int(self.mean_texture.shape[-1])

    @property
    def n_shape(self) -> int:
        """Number Ks of shape components."""
        return len(self.shape_basis)

    @property
    def n_coefficients(self) -> int:
        """Number K = Ks + Kt of coefficients."""
        return len(self.shape_basis) + len(self.texture_basis)

    def decode(self, coefficients: Tensor) -> Decoded:
        """Texture and landmarks of standardised coefficients [N, K]; differentiable."""
        shape, texture = coefficients.split([self.n_shape, self.n_coefficients - self.n_shape], 1)
        size = self.texture_size
        flat = texture @ as_tensor(self.texture_basis).reshape(len(self.texture_basis), -1)
        textures = (flat + as_tensor(self.mean_texture).reshape(1, -1)).reshape(-1, 3, size, size)
        offsets = (shape @ as_tensor(self.shape_basis)).reshape(-1, 68, 2)
        return Decoded(textures.clamp(0, 1), as_tensor(self.mean_shape) + offsets)

    def render(self, coefficients: Tensor) -> Tensor:
        """Faces [N, 3, T, T] in [0, 1] of standardised coefficients [N, K]; differentiable."""
        decoded = self.decode(coefficients)
        return self.compose(decoded.textures, decoded.landmarks)

    def compose(self, textures: Tensor, landmarks: Tensor) -> Tensor:
        """Warp textures [N, 3, T, T] on the mean face to landmarks [N, 68, 2] of the 224 crop."""
        target = scale_points(landmarks, size=CROP_SIZE, to=textures.shape[-1])
        mean = scale_points(as_tensor(self.mean_shape), size=CROP_SIZE, to=textures.shape[-1])
        return warp(textures, target, mean - target, stride=WARP_STRIDE)

    def encode(self, faces: FaceSet, *, advance: Advance = silent) -> Floats:
        """Standardised coefficients float32 [N, K] of faces."""
        shape_rows = (faces.landmarks - self.mean_shape).reshape(len(faces), -1)
        shape = project(shape_rows, self.shape_basis)
        basis = (self.texture_basis * self.pixel_weights).reshape(len(self.texture_basis), -1)
        inverse = _inverse(basis)
        parts = []
        for textures in normalised_textures(faces, self.mean_shape, self.texture_size):
            deviations = (textures - self.mean_texture) * self.pixel_weights
            parts.append(deviations.reshape(len(textures), -1) @ inverse)
            advance(len(textures))
        return np.concatenate([shape, np.concatenate(parts)], axis=1).astype(np.float32)

    def sample(
        self, people: int, pictures: int, seed: int, *, variation: float = 1.0
    ) -> SampledPeople:
        """Draw people, with several pictures each.

        A person's mean is normal with the covariance between subjects, a picture's deviation from
        it normal with the covariance within subjects, times ``variation``.
        """
        rng = np.random.default_rng(seed)
        k = self.n_coefficients
        means = rng.standard_normal((people, k)) @ _root(self.between)
        person = np.repeat(np.arange(people), pictures)
        deviations = rng.standard_normal((len(person), k)) @ _root(self.within)
        coefficients = means[person] + variation * deviations
        return SampledPeople(coefficients.astype(np.float32), person)

    def save(self, path: Path, *, compact: bool = False) -> None:
        """Write one safetensors file.

        ``compact`` stores the texture basis as 8-bit integers with a scale for each component, and
        the mean texture, the pixel weights and the covariances at half precision.
        """
        arrays: dict[str, NDArray[np.generic]] = {
            "mean_shape": self.mean_shape,
            "shape_basis": self.shape_basis,
            "texture_basis": self.texture_basis,
            "explained": np.array([self.explained], dtype=np.float32),
        }
        for name in HALVED:
            arrays[name] = getattr(self, name).astype(np.float16 if compact else np.float32)
        if compact:
            scale = np.abs(self.texture_basis).max(axis=(1, 2, 3), keepdims=True) / 127
            scale = np.maximum(scale, np.finfo(np.float32).tiny)
            arrays["texture_scale"] = scale.astype(np.float32)
            arrays["texture_basis"] = np.rint(self.texture_basis / scale).astype(np.int8)
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)

    @classmethod
    def load(cls, path: Path) -> AppearanceModel:
        """Read what :meth:`save` wrote.

        Raises:
            WeightsError: absent, damaged, or not an appearance model.
        """
        try:
            # Copies, since safetensors hands out read-only memory, which torch refuses.
            arrays = {name: array.astype(np.float32) for name, array in load_file(path).items()}
            model = cls(
                mean_shape=arrays["mean_shape"],
                shape_basis=arrays["shape_basis"],
                mean_texture=arrays["mean_texture"],
                texture_basis=arrays["texture_basis"] * arrays.get("texture_scale", np.float32(1)),
                pixel_weights=arrays["pixel_weights"],
                between=arrays["between"],
                within=arrays["within"],
                explained=float(arrays["explained"].reshape(())),
            )
            model._check()
        except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
            raise WeightsError(f"{path} is not a readable appearance model: {error}") from error
        return model

    def _check(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ValueError: naming the first one.
        """
        size, k = self.texture_size, self.n_coefficients
        expected = {
            "mean_shape": (68, 2),
            "shape_basis": (self.n_shape, 136),
            "mean_texture": (3, size, size),
            "texture_basis": (k - self.n_shape, 3, size, size),
            "pixel_weights": (3, size, size),
            "between": (k, k),
            "within": (k, k),
        }
        for name, shape in expected.items():
            array: Floats = getattr(self, name)
            if array.shape != shape:
                raise ValueError(f"{name} must be {list(shape)}, got {list(array.shape)}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds NaN or infinite values")


def normalised_textures(faces: FaceSet, mean_shape: Floats, size: int) -> Iterator[Floats]:
    """Batches float32 [B, 3, size, size] in [0, 1] of faces warped to the mean shape."""
    mean = scale_points(as_tensor(mean_shape), size=CROP_SIZE, to=size)
    for start in range(0, len(faces), BATCH):
        crops = resize(from_pixels(faces.crops[start : start + BATCH]), size)
        points = as_tensor(np.asarray(faces.landmarks[start : start + BATCH]))
        points = scale_points(points, size=CROP_SIZE, to=size)
        target = mean.expand(len(points), -1, -1)
        with torch.inference_mode():
            yield warp(crops, target, points - target, stride=WARP_STRIDE).numpy()


def project(rows: Floats, basis: Floats) -> Floats:
    """Standardised coefficients of centred rows [N, P] on orthogonal scaled components [K, P]."""
    coefficients: Floats = rows @ _inverse(basis)
    return coefficients


def _inverse(basis: Floats) -> Floats:
    """Pseudo-inverse [P, K] of orthogonal components [K, P]."""
    found: Floats = (basis / np.maximum((basis**2).sum(axis=1)[:, None], 1e-12)).T
    return found


def _root(covariance: Floats) -> NDArray[np.float64]:
    """A symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def as_tensor(array: NDArray[np.floating]) -> Tensor:
    """The array as a float32 tensor on the CPU; shares its memory where it can."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
