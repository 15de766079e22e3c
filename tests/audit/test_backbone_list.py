from __future__ import annotations

import pytest

from audit.backbone_list import BackboneLine, list_backbones
from biometrics.backbones.base import BACKBONES
from biometrics.backbones.state import environment_name


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> dict[str, BackboneLine]:
    for name in BACKBONES.names():
        monkeypatch.delenv(environment_name(name), raising=False)
    monkeypatch.setenv("FACELEAK_WEIGHTS_DIR", "/nowhere")
    return {line["name"]: line for line in list_backbones({})}


def test_what_needs_no_weights_is_ready(lines: dict[str, BackboneLine]) -> None:
    assert {name for name, line in lines.items() if line["ready"]} >= {"dlib", "lbp"}
    assert not lines["lbp"]["differentiable"]


@pytest.mark.parametrize(
    ("name", "dim", "similarity"),
    [
        ("facenet-casia", 512, "l2"),
        ("facenet-casia-pooled", 1792, "cosine"),
        ("facenet-vggface2", 512, "l2"),
        ("facenet-vggface2-pooled", 1792, "cosine"),
        ("mobilefacenet", 128, "cosine"),
        ("resnet50-vggface2", 2048, "cosine"),
        ("resnet50-vggface2-arcface", 2048, "cosine"),
        ("vggface", 4096, "cosine"),
        ("vggface-pooled", 512, "cosine"),
    ],
)
def test_what_lacks_its_weights_still_shows_its_record(
    lines: dict[str, BackboneLine], name: str, dim: int, similarity: str
) -> None:
    line = lines[name]
    assert (line["ready"], line["dim"], line["similarity"]) == (False, dim, similarity)
    assert environment_name(name.removesuffix("-pooled")) in str(line["missing"])
    pulled = str(line["missing"]).endswith(f"weights pull {name.removesuffix('-pooled')}")
    assert pulled != name.startswith("resnet50")
