from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import biometrics  # noqa: F401  pytorch-fid imports torchvision
from biometrics.errors import WeightsError
from biometrics.metrics.inception import load_inception
from tests.biometrics.metrics.test_image import pictures
from tests.seeded_weights import WeightsFolder, inception_state


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return inception_state(seed=1)


def test_features_are_those_of_pytorch_fid(
    weights_folder: WeightsFolder, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytorch_fid import inception

    weights_folder.add("fid-inception", state)
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: state)
    theirs = inception.InceptionV3([inception.InceptionV3.DEFAULT_BLOCK_INDEX]).eval()
    shown, _ = pictures(0, 3, 96)
    with torch.no_grad():
        inputs = torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255
        expected = theirs(inputs)[0].flatten(1).numpy()
    network, seen = load_inception(), []
    found = network.features(shown, batch=2, advance=seen.append)
    assert found.shape == (3, 2048)
    assert seen == [2, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())
    assert expected.std(axis=0).max() > 0.05  # pictures differ by more than the tolerance
    assert network.origin.endswith("pt_inception-2015-12-05-6726825d.pth")


def test_a_file_without_batch_counters_is_the_same(
    weights_folder: WeightsFolder, state: dict[str, Tensor]
) -> None:
    def change(copy: dict[str, Tensor]) -> None:
        for key in [key for key in copy if key.endswith("num_batches_tracked")]:
            del copy[key]

    weights_folder.add("fid-inception", state, change)
    assert not any(p.is_meta for p in load_inception().network.parameters())


def test_keys_that_do_not_fit_are_listed(
    weights_folder: WeightsFolder, state: dict[str, Tensor]
) -> None:
    def change(copy: dict[str, Tensor]) -> None:
        del copy["Mixed_6b.branch1x1.conv.weight"]
        copy["AuxLogits.fc.bias"] = torch.zeros(1008)

    with pytest.raises(WeightsError, match="weights fid-inception missing: faceleak weights pull"):
        load_inception()
    weights_folder.add("fid-inception", state, change)
    expected = r"missing: Mixed_6b\.branch1x1\.conv\.weight; unknown: AuxLogits\.fc\.bias"
    with pytest.raises(WeightsError, match=expected):
        load_inception()


def test_pictures_in_zero_to_one_are_refused(
    weights_folder: WeightsFolder, state: dict[str, Tensor]
) -> None:
    weights_folder.add("fid-inception", state)
    with pytest.raises(ValueError, match=r"expected uint8 \[N, S, S, 3\], got float32"):
        load_inception().features(np.zeros((1, 96, 96, 3), dtype=np.float32))  # type: ignore[arg-type]
