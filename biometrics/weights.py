"""Known weight files: what they are, where they lie, and whether they are sound.

They are kept in one folder, ``FACELEAK_WEIGHTS_DIR`` or ``~/.cache/faceleak/weights``; one that was
put there by hand may have any name. Only :mod:`biometrics.weights_pull` touches the network;
everything else reads that folder and says what is missing.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from biometrics.backbones.weight_file import WeightFile, read_weight_file
from biometrics.errors import UnknownNameError, WeightsError

FOLDER_VARIABLE = "FACELEAK_WEIGHTS_DIR"

State = Literal["ready", "missing", "damaged", "unverified"]
"""``unverified``: it is there, but nobody published its hash and the user accepted none."""


Commercial = Literal["yes", "no", "unclear"]
"""``unclear``: the file's own terms allow it or say nothing, but it was trained on pictures for
research only; whether that binds the weights is disputed."""


@dataclass(frozen=True)
class KnownWeights:
    """One weight file of a publisher.

    Attributes:
        name: by which it is asked for.
        file: its name in the folder, that of the publisher.
        url: where its publisher has it.
        sha256: of its content, in hexadecimal; or only its first digits, at least eight; or empty
            where nobody is known to state it: then the user has to accept one.
        published: the digits of the hash that the publisher states, here always in the file's name,
            or empty. The rest of ``sha256`` agrees among independent users of the file.
        size: bytes, or None where unknown.
        licence: of the weights, in words.
        commercial: whether they may be used commercially, as far as that can be told.
        purpose: what needs it.
    """

    name: str
    file: str
    url: str
    sha256: str
    published: str
    size: int | None
    licence: str
    commercial: Commercial
    purpose: str

    def matches(self, sha256: str) -> bool:
        """Whether content with this hash is the file."""
        return len(self.sha256) >= 8 and sha256.startswith(self.sha256)


_FACENET = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"
_IMAGENET = "BSD-3-Clause (torchvision); trained on ImageNet, whose pictures are for research"
_PYTORCH = "https://download.pytorch.org/models/"

KNOWN: tuple[KnownWeights, ...] = (
    KnownWeights(
        name="alexnet",
        file="alexnet-owt-7be5be79.pth",
        url=f"{_PYTORCH}alexnet-owt-7be5be79.pth",
        sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        published="7be5be79",
        size=244_408_911,
        licence=_IMAGENET,
        commercial="unclear",
        purpose="lpips_alex",
    ),
    KnownWeights(
        name="vgg16",
        file="vgg16-397923af.pth",
        url=f"{_PYTORCH}vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        published="397923af",
        size=553_433_881,
        licence=_IMAGENET,
        commercial="unclear",
        purpose="lpips_vgg",
    ),
    KnownWeights(
        name="squeezenet1_1",
        file="squeezenet1_1-b8a52dc0.pth",
        url=f"{_PYTORCH}squeezenet1_1-b8a52dc0.pth",
        sha256="b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
        published="b8a52dc0",
        size=4_958_839,
        licence=_IMAGENET,
        commercial="unclear",
        purpose="lpips_squeeze",
    ),
    KnownWeights(
        name="fid-inception",
        file="pt_inception-2015-12-05-6726825d.pth",
        url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth",
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        published="6726825d",
        size=95_628_359,
        licence="Apache-2.0 (TensorFlow, pytorch-fid); trained on ImageNet, for research",
        commercial="unclear",
        purpose="fid, kid",
    ),
    KnownWeights(
        name="facenet-vggface2",
        file="20180402-114759-vggface2.pt",
        url=f"{_FACENET}20180402-114759-vggface2.pt",
        sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        published="",
        size=111_898_327,
        licence="MIT (facenet-pytorch); trained on VGGFace2, for research",
        commercial="unclear",
        purpose="backbone",
    ),
    KnownWeights(
        name="facenet-casia",
        file="20180408-102900-casia-webface.pt",
        url=f"{_FACENET}20180408-102900-casia-webface.pt",
        sha256="",
        published="",
        size=None,
        licence="MIT (facenet-pytorch); trained on CASIA-WebFace, for research",
        commercial="unclear",
        purpose="backbone",
    ),
    KnownWeights(
        name="mobilefacenet",
        file="068.ckpt",
        url="https://github.com/Xiaoccer/MobileFaceNet_Pytorch/raw/"
        "9c6e162647edf1bdc1d194f305d2030c79bf4613/model/best/068.ckpt",
        sha256="e839247cdbdfc023fb7cadeaf53a4549d50c8fc24ad154c02e35920ea8910d99",
        published="",
        size=4_130_855,
        licence="none stated; trained on CASIA-WebFace, for research",
        commercial="unclear",
        purpose="backbone",
    ),
    KnownWeights(
        name="vggface",
        file="vgg_face_dag.pth",
        url="https://www.robots.ox.ac.uk/~albanie/models/pytorch-mcn/vgg_face_dag.pth",
        sha256="",
        published="",
        size=None,
        licence="non-commercial research (VGG, Oxford)",
        commercial="no",
        purpose="backbone",
    ),
)


def known(name: str) -> KnownWeights:
    """The record of a file.

    Raises:
        UnknownNameError: the message lists all names.
    """
    for record in KNOWN:
        if record.name == name:
            return record
    raise UnknownNameError("weights", name, [record.name for record in KNOWN])


def weights_folder() -> Path:
    """Where weight files are kept; it need not exist."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "faceleak" / "weights"


def weight_path(name: str) -> Path:
    """Where the file of that name lies, or would lie once it is pulled.

    Where there is none under its publisher's name, one with its content is taken, whatever it is
    called. Only files of the right size are hashed.
    """
    record = known(name)
    path = weights_folder() / record.file
    return path if path.is_file() else _renamed(record) or path


def _renamed(record: KnownWeights) -> Path | None:
    if record.size is None:
        return None
    try:
        for path in sorted(weights_folder().iterdir()):
            if not path.name.startswith(".") and path.is_file():
                found = path.stat()
                if found.st_size == record.size and record.matches(
                    _hash(path, found.st_size, found.st_mtime_ns)
                ):
                    return path
    except OSError:  # no such folder, or a file that goes away or cannot be read
        return None
    return None


@functools.lru_cache(maxsize=256)
def _hash(path: Path, _size: int, _mtime_ns: int) -> str:
    """SHA-256 of a file, computed once as long as its size and time of change stay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing_weight(name: str) -> str | None:
    """Why the file cannot be used, with the command that gets it; None where it is there. Its
    content is not looked at."""
    if weight_path(name).is_file():
        return None
    return f"weights {name} missing: faceleak weights pull {name}"


def find_weight(name: str) -> Path:
    """The file in the folder.

    Raises:
        WeightsError: where it is missing, with the command that gets it.
        UnknownNameError: there is no file of that name.
    """
    if (why := missing_weight(name)) is not None:
        raise WeightsError(why)
    return weight_path(name)


def read_weight(name: str) -> WeightFile:
    """The file's bytes, once its hash is found to be right.

    Raises:
        WeightsError: where it is missing, unreadable or not the file that it should be.
    """
    found = read_weight_file(find_weight(name))
    expected = expected_hash(name)
    if expected is None:
        raise WeightsError(unverified(name, str(weight_path(name)), found.sha256))
    if not found.sha256.startswith(expected):
        raise WeightsError(_damaged(name, found.sha256, expected))
    return found


def expected_hash(name: str) -> str | None:
    """The hash that the file's content must begin with: that of the record, or the one that the
    user accepted, or None where there is neither."""
    if record := known(name).sha256:
        return record
    try:
        words = accepted_path(name).read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return None
    return words[0] if words and re.fullmatch("[0-9a-f]{64}", words[0]) else None


def accepted_path(name: str) -> Path:
    """Where the hash that the user accepted is kept, in the form of ``sha256sum``."""
    path = weight_path(name)
    return path.with_name(f"{path.name}.sha256")


def verify(name: str) -> State:
    """Hash the file again and compare."""
    if not weight_path(name).is_file():
        return "missing"
    digest = hash_of(weight_path(name))
    if digest is None:
        return "damaged"
    expected = expected_hash(name)
    if expected is None:
        return "unverified"
    return "ready" if digest.startswith(expected) else "damaged"


def hash_of(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _damaged(name: str, sha256: str, expected: str) -> str:
    return (
        f"{weight_path(name)} is damaged or another file (sha256 {sha256[:16]}..., expected "
        f"{expected[:16]}...): faceleak weights pull {name}"
    )


def unverified(name: str, what: str, sha256: str) -> str:
    """What to say of content that nobody's hash speaks for; ``what`` is where it comes from."""
    return (
        f"weights {name}: nobody is known to state the hash of {known(name).file}; {what} has "
        f"sha256 {sha256} and is not used. Compare it with a source that you trust, then: "
        f"faceleak weights pull {name} --accept-hash {sha256}"
    )
