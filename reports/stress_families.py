"""What the report says and draws of every stress family: data, no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reports.results import StressFamily

Side = Literal["inverted", "recognised", "itself"]
"""Which rows a line is drawn from, as in :mod:`reports.stress_select`."""


@dataclass(frozen=True)
class Line:
    """One line a backbone of a panel: a number against the strength of a perturbation.

    Attributes:
        words: in the legend.
        measure: as :func:`reports.stress_select.value_of` takes it.
        perturbation: whose strengths.
        side: which rows.
        repaired: whether templates went through the learnt map first.
        dash: how it is drawn, as matplotlib takes it.
    """

    words: str
    measure: str
    perturbation: str
    side: Side = "inverted"
    repaired: bool = False
    dash: str = "-"


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: above it.
        axis: what the strength is.
        lines: what is drawn, each for every backbone.
        clean: the strength at which a picture or template is clean; None where the clean row is
            drawn as a level line.
        scale: what a strength is multiplied with, for the axis.
        log: whether strengths are on a logarithmic scale.
        apart: whether every backbone has a panel of its own, and a colour each line.
        ylabel: of values that are no rates.
    """

    title: str
    axis: str
    lines: tuple[Line, ...]
    clean: float | None = None
    scale: float = 1.0
    log: bool = False
    apart: bool = False
    ylabel: str = ""


@dataclass(frozen=True)
class Family:
    """One section of the page.

    Attributes:
        title: its heading.
        tried: what was done, in one sentence.
        curve: the title of the main figure.
        panels: the main figure; bars of all conditions where none of its lines has two points.
        bars: whether the bars of conditions without a strength stand beside the curve.
        roc: whether ROC curves are drawn, of the first row of each backbone that has any.
        measures: numbers of one scale that are drawn where there is neither curve nor bars.
        columns: perturbations in the strip of pictures, each with a strength (null for any, the
            strongest); others follow where these are missing.
    """

    title: str
    tried: str
    curve: str
    panels: tuple[Panel, ...] = ()
    bars: bool = False
    roc: bool = False
    measures: tuple[str, ...] = ()
    columns: tuple[tuple[str, float | None], ...] = ()


def _sar_tmr(perturbation: str, *, repaired: bool = False) -> tuple[Line, ...]:
    return (
        Line("rebuilt", "type1", perturbation, repaired=repaired),
        Line("TMR", "tmr", perturbation, "recognised", repaired, ":"),
    )


def _noise(words: str, method: str, goal: str) -> Line:
    return Line(words, f"measures.{goal}_at_{{fmr}}", f"{method}-{goal}", "recognised")


FAMILIES: dict[StressFamily, Family] = {
    "occlusion": Family(
        "Covered faces",
        "Parts of the enrolled picture were covered, its template computed and inverted, and the "
        "rebuilt face compared with what is under the cover.",
        "Random blocks of growing area",
        (Panel("", "covered share of the face's box, %", _sar_tmr("random-block"), 0.0, 100),),
        bars=True,
        columns=(
            ("block-eyes", None),
            ("block-mouth", None),
            ("sunglasses", None),
            ("surgical-mask", None),
            ("random-block", None),
        ),
    ),
    "adversarial": Family(
        "Adversarial noise",
        "Small noise was put into the enrolled picture so that its template becomes "
        "that of somebody else (impersonation) or stops being that of its person (evasion), and "
        "such templates were inverted.",
        "Success of the noise against its size",
        (
            Panel(
                "Taken for somebody else,",
                "\u03b5, in 255ths of the range of a pixel",
                (
                    _noise("FGSM, softmax", "fgsm-softmax", "impersonation"),
                    _noise("PGD, similarity", "pgd-similarity", "impersonation"),
                    _noise("iterative FGSM", "iterative-fgsm-softmax", "impersonation"),
                    _noise("square, black-box", "square-similarity", "impersonation"),
                ),
                0.0,
                apart=True,
            ),
            Panel(
                "No longer taken for themselves,",
                "\u03b5, in 255ths of the range of a pixel",
                (
                    _noise("FGSM, softmax", "fgsm-softmax", "evasion"),
                    _noise("PGD, similarity", "pgd-similarity", "evasion"),
                ),
                0.0,
                apart=True,
            ),
        ),
        roc=True,
        columns=(
            ("fgsm-softmax-impersonation", None),
            ("pgd-similarity-impersonation", None),
            ("carlini-wagner-softmax-impersonation", None),
            ("square-similarity-impersonation", None),
            ("fgsm-softmax-evasion", None),
        ),
    ),
    "geometry": Family(
        "Turned, shifted and scaled faces",
        "The face was turned, shifted and scaled within its crop, and a linear map learnt on the "
        "attacker's people tried to undo that in template space.",
        "Recognition against the angle",
        (
            Panel(
                "",
                "degrees",
                (
                    Line("as it is", "tmr", "rotation", "recognised"),
                    Line("mapped", "tmr", "rotation", "recognised", True, "--"),
                ),
                0.0,
            ),
        ),
        columns=(
            ("rotation", 30.0),
            ("rotation", 90.0),
            ("rotation", 180.0),
            ("translate-right", None),
            ("scale", 0.5),
        ),
    ),
    "aggregation": Family(
        "Templates made of several pictures",
        "Templates of several pictures of one person were averaged or grouped into clusters before "
        "they leaked.",
        "Number of pictures in a template",
        (Panel("", "pictures in the average", _sar_tmr("average"), log=True),),
        columns=(("average", None),),
    ),
    "damage": Family(
        "Partial and damaged templates",
        "Only a part of every template leaked, or one coarser, noisier or in another order than "
        "the system keeps it.",
        "Noise, and dimensions that are missing",
        (
            Panel(
                "Noise in the template: rebuilt faces accepted",
                "signal to noise, dB",
                (
                    Line("as it leaked", "type1", "noise"),
                    Line("repaired first", "type1", "noise", repaired=True, dash="--"),
                ),
            ),
            Panel(
                "Part of the dimensions, repaired: rebuilt faces accepted",
                "dimensions that leaked, %",
                (
                    Line("positions known", "type1", "dimensions", repaired=True),
                    Line("unknown", "type1", "dimensions-unknown", repaired=True, dash="--"),
                ),
                1.0,
                100,
            ),
        ),
        columns=(
            ("dimensions", None),
            ("dimensions-unknown", None),
            ("bits", None),
            ("shuffled", None),
            ("noise", None),
        ),
    ),
    "quality": Family(
        "Poor pictures",
        "The enrolled picture was made grey, blurred, compressed, noisy or small before its "
        "template was computed and inverted.",
        "What poor pictures leave",
    ),
    "invariance": Family(
        "Several pictures of one person",
        "Templates of several pictures of one person, which differ in pose, light and expression, "
        "were inverted each, to see whether the rebuilt faces are more alike than the pictures.",
        "Is a rebuilt face normalised?",
        measures=(
            "normalised",
            "normalised_pose",
            "normalised_light",
            "normalised_expression",
            "normalised_templates",
        ),
    ),
}
