from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sklearn.decomposition import PCA

from biometrics.backbones.base import BACKBONES, Fittable, load_backbone
from biometrics.backbones.eigenfaces import EigenfacesFactory, fit_components
from biometrics.backbones.embed import embed
from biometrics.errors import InputError, OutputError, WeightsError
from tests.biometrics.backbones.pictures import smooth_pictures


@pytest.fixture(scope="module")
def faces() -> NDArray[np.uint8]:
    return smooth_pictures(60, seed=11)


@pytest.fixture
def fitted(faces: NDArray[np.uint8], tmp_path: Path) -> Path:
    path = tmp_path / "eigenfaces.safetensors"
    EigenfacesFactory().fit(faces, path)
    return path


def grey_by_hand(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The central 128x128 as grey means of 2x2 pixels: what the backbone's record amounts to."""
    window = crops[:, 66:194, 48:176].astype(np.float64) / 255 @ np.array([0.299, 0.587, 0.114])
    halved: NDArray[np.float64] = window.reshape(len(crops), 64, 2, 64, 2).mean(axis=(2, 4))
    return halved.reshape(len(crops), -1)


def test_templates_equal_whitened_pca(faces: NDArray[np.uint8], fitted: Path) -> None:
    backbone = load_backbone("eigenfaces", {"eigenfaces": str(fitted)})
    oracle = PCA(n_components=59, whiten=True, svd_solver="full").fit(grey_by_hand(faces))
    others = smooth_pictures(8, seed=12)
    ours, theirs = embed(backbone, others), oracle.transform(grey_by_hand(others))
    signs = np.sign((ours * theirs).sum(axis=0))  # the sign of a component is arbitrary
    assert ours.shape == (8, 59)
    assert ours * signs == pytest.approx(theirs, abs=0.02)


def test_fitted_faces_are_centred_and_white(faces: NDArray[np.uint8], fitted: Path) -> None:
    templates = embed(load_backbone("eigenfaces", {"eigenfaces": str(fitted)}), faces)
    assert templates.mean(axis=0) == pytest.approx(np.zeros(59), abs=1e-2)
    assert np.cov(templates.T) == pytest.approx(np.eye(59), abs=1e-2)


def test_the_same_faces_give_the_same_file(
    faces: NDArray[np.uint8], fitted: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.safetensors"
    EigenfacesFactory().fit(faces, again)
    assert again.read_bytes() == fitted.read_bytes()


def test_the_registered_factory_is_fittable_and_the_others_are_not() -> None:
    fittable = {name for name in BACKBONES.names() if isinstance(BACKBONES.get(name), Fittable)}
    assert "eigenfaces" in fittable
    assert not fittable & {"dlib", "mobilefacenet"}


def test_dimensions_stop_at_the_maximum_and_at_the_number_of_faces(
    faces: NDArray[np.uint8],
) -> None:
    assert fit_components(faces, max_dim=10).directions.shape == (10, 4096)
    assert fit_components(faces[:5]).directions.shape == (4, 4096)


def test_many_faces_take_the_approximate_solver_to_the_same_components() -> None:
    many = smooth_pictures(50, seed=13)
    exact = fit_components(many, max_dim=13)
    approximate = fit_components(many, max_dim=12)  # 50 > 4 x 12
    # each direction of one lies along the same direction of the other, whatever its sign
    overlap = (approximate.directions @ exact.directions.T).abs()
    assert overlap[:10].argmax(dim=1).tolist() == list(range(10))
    assert approximate.scale[:10].numpy() == pytest.approx(exact.scale[:10].numpy(), rel=0.01)


def test_repeated_faces_do_not_blow_up(faces: NDArray[np.uint8]) -> None:
    components = fit_components(np.repeat(faces[:4], 10, axis=0))
    assert len(components.scale) == 3
    assert bool((components.scale > 0).all())


def test_too_few_faces_are_refused(faces: NDArray[np.uint8], tmp_path: Path) -> None:
    factory = EigenfacesFactory()
    with pytest.raises(InputError, match="at least two faces, got 1"):
        factory.fit(faces[:1], tmp_path / "x")
    with pytest.raises(InputError, match="different faces, got 3 equal ones"):
        factory.fit(np.repeat(faces[:1], 3, axis=0), tmp_path / "x")
    with pytest.raises(InputError, match="crops must be uint8"):
        factory.fit(faces[:, :100], tmp_path / "x")


def test_an_unwritable_path_is_named(faces: NDArray[np.uint8], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        EigenfacesFactory().fit(faces[:3], tmp_path / "absent" / "x.safetensors")


def test_without_weights_it_says_where_they_come_from() -> None:
    with pytest.raises(WeightsError, match="fitted on an audit's faces"):
        load_backbone("eigenfaces")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": None}, "holds no eigenfaces"),
        ({"scale": torch.ones(3)}, "expected"),
        ({"mean": torch.ones(4095)}, "expected"),
        ({"directions": torch.zeros(0, 4096), "scale": torch.zeros(0)}, "expected"),
        ({"directions": torch.tensor(1.0)}, "expected"),
        ({"scale": torch.zeros(59)}, "must be positive"),
        ({"mean": torch.full((4096,), float("nan"))}, "finite float32"),
        ({"mean": torch.zeros(4096, dtype=torch.int32)}, "finite float32"),
    ],
)
def test_a_file_of_other_content_is_refused(
    change: dict[str, torch.Tensor | None], message: str, fitted: Path
) -> None:
    tensors = {**load_file(fitted), **change}
    save_file({key: value for key, value in tensors.items() if value is not None}, fitted)
    with pytest.raises(WeightsError, match=message):
        load_backbone("eigenfaces", {"eigenfaces": str(fitted)})


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 64])
def test_a_foreign_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="no readable safetensors file"):
        load_backbone("eigenfaces", {"eigenfaces": str(path)})
    with pytest.raises(WeightsError, match="no readable safetensors file"):
        load_backbone("eigenfaces", {"eigenfaces": str(tmp_path / "absent")})
