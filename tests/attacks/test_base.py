"""The surface for authors of attacks: reconstructions, public names, and an attack from outside."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import faceleak
from attacks.base import (
    ATTACKS,
    AttackSettings,
    InversionAttack,
    Reconstruction,
    attack_class,
    make_settings,
    registered_name,
)
from attacks.inversion.appearance import Appearance, AppearanceSettings
from attacks.inversion.linear import Linear, LinearSettings
from biometrics.errors import ConfigError, UnknownNameError
from biometrics.registry import DuplicateNameError
from tests.attacks.world import World, fit
from tests.strangers import install

STRANGER = '''
import numpy as np
from pydantic import Field

from faceleak import (
    AttackSettings, FaceSet, InversionAttack, Reconstruction, Resources, TemplateSet,
    register_attack,
)


class GreySettings(AttackSettings):
    level: float = Field(default=0.5, ge=0, le=1)


@register_attack("grey")
class Grey(InversionAttack):
    """A grey square for everybody."""

    Settings = GreySettings
    knowledge = "nothing"

    def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
        self.seen = len(faces)

    def invert(self, vectors) -> Reconstruction:
        return Reconstruction(np.full((len(vectors), 3, 8, 8), self.settings.level, np.float32))

    def save(self, folder) -> None:
        (folder / "seen").write_text(str(self.seen))

    def restore(self, folder) -> None:
        self.seen = int((folder / "seen").read_text())
'''


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package, installed, that announces an attack."""
    install(monkeypatch, tmp_path, ATTACKS, STRANGER)


@pytest.mark.usefixtures("stranger")
def test_an_attack_of_another_package_works(world: World, tmp_path: Path) -> None:
    assert "grey" in ATTACKS.names()
    assert "linear" in ATTACKS.names()
    attack = fit("grey", world, level=0.25)
    made = attack.invert(world.leaked)
    assert len(made) == len(world.leaked)
    assert made.landmarks is None
    assert np.unique(made.rounded()).tolist() == [64]
    with pytest.raises(ConfigError, match=r"'grey' has no setting 'levle' .did you mean 'level'"):
        make_settings("grey", {"levle": 1})
    with pytest.raises(ConfigError, match="'grey', setting 'level': Input should be less"):
        make_settings("grey", {"level": 2})
    folder = tmp_path / "saved"
    folder.mkdir()
    attack.save(folder)
    loaded = ATTACKS.get("grey").load(folder, attack.settings, attack.resources)
    assert np.array_equal(loaded.invert(world.leaked).crops, made.crops)


def test_the_attack_of_another_package_is_gone_without_it() -> None:
    assert "grey" not in ATTACKS.names()


def test_a_name_is_given_once() -> None:
    with pytest.raises(DuplicateNameError, match="attack 'linear' is registered twice"):
        faceleak.register_attack("linear")(ATTACKS.get("control:mean"))


def test_rounding_is_to_the_nearest_level_ties_to_even_and_clips() -> None:
    levels = np.array([0, 0.49, 0.5, 0.51, 1.5, 2.5, 254.4, 254.6, 255, -3, 300], dtype=np.float32)
    crops = np.broadcast_to(levels / np.float32(255), (1, 3, 1, len(levels)))
    rounded = Reconstruction(crops.astype(np.float32)).rounded()
    assert rounded.dtype == np.uint8
    # 0.5/255, 1.5/255 and 2.5/255 times 255 are exact in float32.
    assert rounded[0, 0, :, 0].tolist() == [0, 0, 0, 1, 2, 2, 254, 255, 255, 0, 255]


def test_rounding_gives_back_every_level_and_moves_the_colours_last() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    pixels[0, :, :, 0] = np.arange(256).reshape(16, 16)
    crops = pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255
    assert np.array_equal(Reconstruction(crops).rounded(), pixels)


def test_a_reconstruction_counts_its_faces() -> None:
    assert len(Reconstruction(np.zeros((4, 3, 8, 8), dtype=np.float32))) == 4


@pytest.mark.parametrize("name", sorted(set(faceleak.__all__) - {"__version__"}))
def test_every_public_name_is_found_in_its_home(name: str) -> None:
    found = getattr(faceleak, name)
    homes = [home for home, names in faceleak._HOMES.items() if name in names]
    assert len(homes) == 1
    assert found is getattr(importlib.import_module(homes[0]), name)


def test_the_public_names_are_those_that_are_listed() -> None:
    homes = {name for names in faceleak._HOMES.values() for name in names}
    assert homes | {"__version__"} == set(faceleak.__all__)
    assert dir(faceleak) == sorted(faceleak.__all__)
    with pytest.raises(AttributeError, match="'faceleak' has no attribute 'nothing'"):
        _ = faceleak.nothing


def test_the_version_is_had_without_torch() -> None:
    code = (
        "import sys, faceleak; faceleak.__version__; dir(faceleak); print('torch' in sys.modules)"
    )
    root = Path(faceleak.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# --- names and variants


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("linear", "linear"),
        ("linear:strong", "linear"),
        ("linear:a:b", "linear"),
        ("control:mean", "control:mean"),
        ("control:mean:twice", "control"),
        ("nothing:here", "nothing"),
    ],
)
def test_a_variant_is_named_after_a_colon(name: str, registered: str) -> None:
    assert registered_name(name) == registered


def test_a_variant_is_its_attack_with_settings_of_its_own() -> None:
    assert attack_class("linear:strong") is attack_class("linear") is Linear
    assert make_settings("linear:strong", {"ridge": 0.5}) == LinearSettings(ridge=0.5)
    assert attack_class("control:mean").control
    with pytest.raises(
        ConfigError, match=r"attack 'linear:strong' has no setting 'rigde' .did you"
    ):
        make_settings("linear:strong", {"rigde": 1})


@pytest.mark.parametrize("name", ["linaer", "linaer:x", "control", "control:meen", ""])
def test_an_unknown_attack_names_those_that_there_are(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown attack .*known: .*linear"):
        attack_class(name)


# --- quick settings


class Long(AttackSettings):
    epochs: int = 7
    landmark_epochs: int = 1
    epochs_of_rest: int = 8
    rate: float = 0.5


def test_a_quick_run_halves_every_number_of_epochs() -> None:
    quick = Long(rate=0.25).quick()
    assert quick == Long(epochs=4, landmark_epochs=1, epochs_of_rest=8, rate=0.25)
    assert Long(epochs=1).quick().epochs == 1
    assert Long(epochs=5).quick().epochs == 2  # ties go to the even number
    assert AttackSettings().quick() == AttackSettings()


@pytest.mark.parametrize("name", ATTACKS.names())
def test_quick_settings_are_valid_and_never_longer(name: str) -> None:
    settings = make_settings(name, {})
    quick = settings.quick()
    assert type(quick) is type(settings)
    assert make_settings(name, quick.model_dump()) == quick
    for key, value in settings.model_dump().items():
        if key.endswith("epochs"):
            assert 1 <= getattr(quick, key) <= value


# --- judges that are not unseen


class Borrower(InversionAttack):
    tuned_for = frozenset({"tuner"})

    @classmethod
    def borrowed(cls, settings: AttackSettings) -> frozenset[str]:
        return frozenset({"lender"}) if settings.model_dump()["rate"] else frozenset()


def test_consulted_are_those_it_was_tuned_for_and_those_it_borrows() -> None:
    assert Borrower.consulted(Long(), "dlib") == {"tuner", "lender"}
    assert Borrower.consulted(Long(rate=0), "dlib") == {"tuner"}
    assert InversionAttack.consulted(Long(), "dlib") == frozenset()
    assert InversionAttack.borrowed(Long()) == frozenset()


def test_the_default_attack_consulted_its_own_target_alone() -> None:
    """Its defaults were chosen once for each of two targets, by that target's verdict alone."""
    settings = AppearanceSettings()
    assert Appearance.tuned_for == {"dlib", "mobilefacenet"}
    assert Appearance.consulted(settings, "dlib") == {"dlib"}
    assert Appearance.consulted(settings, "mobilefacenet") == {"mobilefacenet"}
    assert Appearance.consulted(settings, "eigenfaces") == Appearance.tuned_for
    assert Appearance.consulted(AppearanceSettings(epochs=6), "dlib") == Appearance.tuned_for
