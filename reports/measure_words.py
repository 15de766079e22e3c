"""What the measures of likeness are called, which way is better, and what each one says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from reports.results import Estimate
from reports.words import Kind

FRECHET = "frechet_"  # and the name of a judge


@dataclass(frozen=True)
class Measure:
    """One measure in words.

    ``better`` says which way lies the closer likeness; ``kind`` how its values are printed.
    """

    name: str
    says: str
    unit: str = ""
    better: Literal["higher", "lower", ""] = ""
    kind: Kind = "number"

    @property
    def direction(self) -> str:
        """``dB, higher is better``."""
        better = f"{self.better} is better" if self.better else ""
        return ", ".join(part for part in (self.unit, better) if part)


_INSIDE = "inside the face, the hull of its landmarks"
PIXELS = {
    "ssim_crop": Measure(
        "SSIM, whole crop",
        "How alike two pictures are in brightness, contrast and structure; 1 is the same picture.",
        better="higher",
    ),
    "ssim_face": Measure("SSIM, inside the face", f"SSIM {_INSIDE}.", better="higher"),
    "ms_ssim": Measure(
        "MS-SSIM",
        "SSIM over several scales at once, which forgives small shifts; 1 is the same picture.",
        better="higher",
    ),
    "psnr_crop": Measure(
        "PSNR, whole crop",
        "The error pixel by pixel on a logarithmic scale; 6 dB more is half the error.",
        "dB",
        "higher",
    ),
    "psnr_face": Measure("PSNR, inside the face", f"PSNR {_INSIDE}.", "dB", "higher"),
}
_LPIPS = "How far apart two pictures are to a network whose features people's judgement has tuned; "
PERCEIVED = {
    "lpips_alex": Measure("LPIPS, AlexNet", f"{_LPIPS}0 is the same picture.", better="lower"),
    "lpips_vgg": Measure("LPIPS, VGG", "LPIPS with the features of VGG-16.", better="lower"),
    "lpips_squeeze": Measure(
        "LPIPS, SqueezeNet", "LPIPS with the features of SqueezeNet.", better="lower"
    ),
    "fid": Measure(
        "FID",
        "How far all reconstructions are from all photographs as two clouds of Inception features; "
        "too high where pictures are few. n counts pictures.",
        better="lower",
    ),
    "kid": Measure(
        "KID",
        "As FID, but right on average for any number of pictures; around 0 is no difference.",
        better="lower",
    ),
}
MARKS = {
    "mse_predicted": Measure(
        "Landmark MSE, predicted",
        "The mean squared error of the 68 landmarks that the attack itself read from a template.",
        "px²",
        "lower",
    ),
    "mse_redetected": Measure(
        "Landmark MSE, found again",
        "The same of the landmarks found in the finished picture, where a face is found.",
        "px²",
        "lower",
    ),
    "share_near": Measure(
        "Below 30 px²",
        "The share of all attempts whose landmarks, found again, err by less than 30 px²; a "
        "picture without a face counts as missed.",
        better="higher",
        kind="rate",
    ),
}


def distance_of(name: str) -> Measure:
    """The words of ``frechet_JUDGE``."""
    return Measure(
        f"Space of {name.removeprefix(FRECHET)}",
        "The Fréchet distance of reconstructions and photographs as two clouds of templates of one "
        "judge. It is no FID, and compares attacks only within one judge. n counts pictures.",
        better="lower",
    )


def measure_of(name: str) -> Measure:
    """The words of any measure; one that is not known keeps its name and gets no direction."""
    if name.startswith(FRECHET):
        return distance_of(name)
    return {**PIXELS, **PERCEIVED, **MARKS}.get(name) or Measure(name, "")


class Pictured(Protocol):
    """Anything whose pictures were measured."""

    @property
    def image(self) -> Mapping[str, Estimate]:
        """Measures of likeness by name."""
        ...


def image_names(rows: Iterable[Pictured]) -> list[str]:
    """Every image measure of the rows, in the order of the report."""
    names = dict.fromkeys(name for row in rows for name in row.image)
    order = {name: place for place, name in enumerate((*PIXELS, *PERCEIVED))}
    return sorted(names, key=lambda name: order.get(name, len(order)))
