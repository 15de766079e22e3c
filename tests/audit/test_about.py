"""Whose system a report is about: what the configuration takes, and what goes into the run."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.about import LOGO, MAX_LOGO, SIDE, about_key, check_about, kept_about
from audit.about_settings import AboutSettings
from audit.compare_config import CompareConfig
from audit.config import AuditConfig, effective_yaml, load_as
from audit.purge import KEPT
from audit.run_folder import RunFolder
from audit.store_config import StoreAuditConfig
from audit.stress.config import StressConfig
from biometrics.errors import ConfigError
from reports.results import About

HOSTILE = '"><script>alert(1)</script>'


def logo(folder: Path, kind: str = "PNG", side: int = 64, mode: str = "RGB") -> Path:
    path = folder / f"logo.{kind.lower()}"
    Image.new(mode, (side, side // 2), "navy").save(path, kind)
    return path


@pytest.mark.parametrize("kind", [AuditConfig, CompareConfig, StressConfig, StoreAuditConfig])
def test_every_configuration_takes_the_section(kind: type, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    faces = "store: x.npy" if kind is StoreAuditConfig else "faces: {path: photos}"
    path.write_text(f"{faces}\nabout: {{organisation: Harbour Office, contact: 112}}\n")
    config = load_as(kind, path)
    assert config.about == AboutSettings(organisation="Harbour Office", contact="112")
    path.write_text(effective_yaml(config))
    assert load_as(kind, path) == config
    if hasattr(config, "audits"):
        audits = config.audits()
        each = audits.values() if isinstance(audits, dict) else audits
        assert all(audit.about == config.about for audit in each)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("about: {organization: x}", "organisation"),
        (f"about: {{system: {'x' * 201}}}", "about.system: 201 characters, at most 200"),
        ('about: {contact: "a\\nb"}', "about.contact: expected one line"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"faces: {{path: photos}}\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        load_as(AuditConfig, path)


def test_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    settings = AboutSettings(organisation=HOSTILE, system="x" * 200, contact=" a@b.org ")
    with RunFolder(tmp_path / "run") as run:
        assert kept_about(settings, run) == About(
            organisation=HOSTILE, system="x" * 200, contact="a@b.org"
        )
        assert kept_about(None, run) == About()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_logo_is_kept_as_its_pixels_alone(tmp_path: Path, kind: str) -> None:
    given = logo(tmp_path, kind, side=2 * SIDE)
    with RunFolder(tmp_path / "run") as run:
        about = kept_about(AboutSettings(logo=given), run)
        assert about.logo == LOGO
        path = run.path / LOGO
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with Image.open(path) as image:
            assert (image.format, image.size, image.info) == ("PNG", (SIDE, SIDE // 2), {})
        assert kept_about(AboutSettings(organisation="x"), run).logo is None
        assert not path.exists()


def test_a_transparent_logo_lies_on_white(tmp_path: Path) -> None:
    path = tmp_path / "l.png"
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(path)
    with RunFolder(tmp_path / "run") as run:
        kept_about(AboutSettings(logo=path), run)
        with Image.open(run.path / LOGO) as image:
            assert (np.asarray(image) == 255).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no PNG, JPEG or WebP"),
        (b"\x89PNG\r\n\x1a\n cut", "no PNG, JPEG or WebP"),
        (b"", "no PNG, JPEG or WebP"),
        (b"GIF89a", "no PNG, JPEG or WebP"),
        (b"x" * (MAX_LOGO + 1), "larger than 200 kB"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_logo_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "logo.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as error:
        check_about(AboutSettings(logo=path))
    assert str(error.value).startswith("about.logo: ")
    assert "\n" not in str(error.value)


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (5000, 5000)).save(path)
    assert path.stat().st_size < MAX_LOGO
    with pytest.raises(ConfigError, match="16,000,000 pixels"):
        check_about(AboutSettings(logo=path))


def test_results_depend_on_the_texts_and_on_the_pixels(tmp_path: Path) -> None:
    assert about_key(None) is None
    first = about_key(AboutSettings(organisation="a", logo=logo(tmp_path)))
    assert first == about_key(AboutSettings(organisation="a", logo=logo(tmp_path)))
    assert first != about_key(AboutSettings(organisation="b", logo=logo(tmp_path)))
    assert first != about_key(AboutSettings(organisation="a", logo=logo(tmp_path, side=32)))


def test_a_purge_keeps_the_logo() -> None:
    assert LOGO in KEPT
