from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.backbones.mobilefacenet import MobileFaceNet, load_mobilefacenet
from biometrics.backbones.state import read_state
from biometrics.errors import WeightsError

State = dict[str, torch.Tensor]
FIRST = "conv1.conv.weight"


@pytest.fixture
def save(tmp_path: Path) -> Callable[[object], Path]:
    def write(content: object) -> Path:
        path = tmp_path / "model.ckpt"
        torch.save(content, path)
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as raised:
        load_mobilefacenet(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_folding_the_batch_normalisation_changes_nothing(
    weights: dict[str, str], random_state: State, crops: NDArray[np.uint8]
) -> None:
    plain = MobileFaceNet()
    plain.load_state_dict(random_state)
    with torch.inference_mode():
        expected = plain.eval()(to_tensor(crops[:4])).numpy()
    folded = load_backbone("mobilefacenet", weights)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert np.ptp(expected, axis=0).max() > 0.1
    assert embed(folded, crops[:4]) == pytest.approx(expected, abs=1e-4)


def test_table_1_of_the_paper() -> None:
    """Sizes behind each stage for an input of 112x96, and the parameter count."""
    network = MobileFaceNet().eval()
    sizes: list[tuple[int, ...]] = []
    for number in (0, 4, 5, 11, 12, 14):
        network.blocks[number].register_forward_hook(
            lambda _module, _input, output: sizes.append(tuple(output.shape[1:]))
        )
    with torch.inference_mode():
        network.embed_input(torch.zeros(1, 3, 112, 96))
    assert sizes == [
        (64, 28, 24),
        (64, 28, 24),
        (128, 14, 12),
        (128, 14, 12),
        (128, 7, 6),
        (128, 7, 6),
    ]
    # "0.99 million parameters" for 112x112, whose global depthwise kernel is 7x7, not 7x6
    count = sum(parameter.numel() for parameter in network.parameters())
    assert 0.97e6 < count < 1.02e6


def test_a_file_of_the_users_own_loses_the_published_terms(weights: dict[str, str]) -> None:
    spec = load_backbone("mobilefacenet", weights).spec
    assert spec.licence == "not known"
    assert spec.sha256 is not None
    assert "mobilefacenet.ckpt" in spec.origin


def test_the_environment_names_the_checkpoint(
    weights: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match=r"weights\.mobilefacenet or in FACELEAK_MOBILEFACENET"):
        load_backbone("mobilefacenet")
    monkeypatch.setenv("FACELEAK_MOBILEFACENET", weights["mobilefacenet"])
    assert load_backbone("mobilefacenet").spec.name == "mobilefacenet"


def test_missing_unknown_and_misshapen_keys_are_listed(
    save: Callable[[object], Path], random_state: State
) -> None:
    state = {key: value for key, value in random_state.items() if not key.startswith("linear1.bn")}
    state |= {"extra.weight": torch.zeros(1), FIRST: torch.zeros(64, 1, 3, 3)}
    message = refusal(save({"net_state_dict": state}))
    assert "missing: linear1.bn.bias, linear1.bn.num_batches_tracked" in message
    assert "and 2 more" in message
    assert "unknown: extra.weight" in message
    assert f"wrong shape: {FIRST} [64, 1, 3, 3] for [64, 3, 3, 3]" in message


@pytest.mark.parametrize("key", [FIRST, "linear1.bn.running_var"])
def test_a_single_missing_key_is_refused(
    key: str, save: Callable[[object], Path], random_state: State
) -> None:
    state = {name: value for name, value in random_state.items() if name != key}
    assert f"missing: {key}" in refusal(save({"net_state_dict": state}))


@pytest.mark.parametrize(
    "values",
    [
        torch.full((64, 3, 3, 3), float("nan")),
        torch.zeros(64, 3, 3, 3, dtype=torch.complex64),
        torch.zeros(64, 3, 3, 3).to_sparse(),
    ],
    ids=["nan", "complex", "sparse"],
)
def test_values_that_are_no_plain_numbers_are_refused(
    values: torch.Tensor, save: Callable[[object], Path], random_state: State
) -> None:
    message = refusal(save({"net_state_dict": {**random_state, FIRST: values}}))
    assert f"not plain finite numbers: {FIRST}" in message


@pytest.mark.parametrize(
    "content",
    [{"state_dict": {}}, [1, 2], {"net_state_dict": [1]}, {"net_state_dict": {"a": 1}}],
)
def test_a_checkpoint_of_another_layout_is_refused(
    content: object, save: Callable[[object], Path]
) -> None:
    assert "has no tensors under 'net_state_dict'" in refusal(save(content))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x80"])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    assert "is no PyTorch checkpoint" in refusal(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "nothing.ckpt")


class Payload:
    """Writes a file when unpickled without restriction."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.target,)  # type: ignore[return-value]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_pickle_is_refused_and_not_executed(zipped: bool, tmp_path: Path) -> None:
    target, path = tmp_path / "executed", tmp_path / "model.ckpt"
    content = {"net_state_dict": {"a": Payload(target)}}
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    assert "is no PyTorch checkpoint of plain tensors" in refusal(path)
    assert not target.exists()
    with path.open("rb") as file:  # the payload works: only the restriction stood in its way
        torch.load(file, weights_only=False) if zipped else pickle.load(file)
    assert target.exists()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255), keep=st.integers(1, 10_000))
def test_damaged_checkpoints_never_raise_anything_else(position: int, flip: int, keep: int) -> None:
    buffer = io.BytesIO()
    torch.save({"net_state_dict": {"a": torch.zeros(2)}}, buffer)
    data = bytearray(buffer.getvalue())
    data[position % len(data)] ^= flip
    for damaged in (bytes(data), bytes(data[: keep % len(data)])):
        try:
            assert read_state(damaged, Path("x"), under="net_state_dict")["a"].shape == (2,)
        except WeightsError:
            continue


def test_the_inner_stages_halve_the_side_each_time(weights: dict[str, str]) -> None:
    with torch.inference_mode():
        stages = load_backbone("mobilefacenet", weights).features(torch.rand(2, 3, 224, 224))
    shapes = [tuple(stage.shape) for stage in stages]
    assert shapes == [(2, 64, 56, 48), (2, 64, 28, 24), (2, 128, 14, 12), (2, 128, 7, 6)]


def test_a_file_that_was_pulled_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACELEAK_MOBILEFACENET", raising=False)
    monkeypatch.setenv("FACELEAK_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(WeightsError, match="or faceleak weights pull mobilefacenet"):
        load_backbone("mobilefacenet")
    (tmp_path / "068.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match=r"068\.ckpt is no PyTorch checkpoint"):
        load_backbone("mobilefacenet")
