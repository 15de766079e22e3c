"""What was done to pictures and templates of the made-up stress run."""

from __future__ import annotations

import math

# Of what is kept of the attack and of recognition under each condition.
Done = tuple[str, float | None, str, str, float, float]
OCCLUSION: tuple[Done, ...] = (
    ("block-eyes", None, "", "block over the eyes", 0.45, 0.5),
    ("block-mouth", None, "", "block over the mouth", 0.8, 0.9),
    ("sunglasses", None, "", "sunglasses", 0.55, 0.6),
    ("surgical-mask", None, "", "surgical mask", 0.7, 0.75),
    ("half-left", None, "", "left half covered", 0.3, 0.4),
    *(
        (
            "random-block",
            area,
            "share of the face",
            f"random block, {area:g} of the face",
            1 - 1.6 * area,
            1 - area,
        )
        for area in (0.05, 0.1, 0.2, 0.4)
    ),
)
GEOMETRY: tuple[Done, ...] = (
    *(
        (
            "rotation",
            float(angle),
            "degrees",
            f"turned by {angle}\u00b0",
            max(0.0, 1 - abs(angle) / 70),
            max(0.01, 1 - abs(angle) / 60),
        )
        for angle in (-60, -30, 30, 60, 90, 180)
    ),
    ("translate-left", 0.2, "share of the crop", "shifted left by 20 %", 0.4, 0.5),
    ("translate-right", 0.2, "share of the crop", "shifted right by 20 %", 0.4, 0.5),
    ("scale", 0.5, "times the size", "scaled to 0.5", 0.2, 0.3),
    ("scale", 1.5, "times the size", "scaled to 1.5", 0.5, 0.6),
)
AVERAGES = (1, 2, 3, 5, 10, 20)
DAMAGE: tuple[Done, ...] = (
    *(
        (
            name,
            share,
            "share of dimensions",
            f"{share:.0%} of the dimensions{words}",
            share**power,
            share,
        )
        for name, words, power in (
            ("dimensions", "", 0.3),
            ("dimensions-unknown", ", positions unknown", 0.9),
        )
        for share in (0.5, 0.3, 0.1)
    ),
    ("rounded", 2.0, "decimals", "rounded to 2 decimals", 0.99, 1.0),
    ("float16", None, "", "float16", 1.0, 1.0),
    ("bits", 8.0, "bits", "8 bits a value", 1.0, 1.0),
    ("bits", 1.0, "bits", "1 bit a value", 0.6, 0.9),
    ("shuffled", None, "", "dimensions shuffled", 0.02, 1.0),
    *(
        ("noise", snr, "dB", f"noise at {snr:g} dB", 1 / (1 + math.exp(-(snr - 3) / 3)), 0.9)
        for snr in (20.0, 10.0, 3.0, 0.0)
    ),
)
QUALITY: tuple[Done, ...] = (
    ("grey", None, "", "without colour", 0.9, 0.95),
    ("blur", 2.0, "px", "blur, sigma 2 px", 0.95, 0.98),
    ("blur", 6.0, "px", "blur, sigma 6 px", 0.4, 0.5),
    ("jpeg", 10.0, "quality", "JPEG, quality 10", 0.7, 0.9),
    ("noise", 25.0, "grey levels", "noise, deviation 25", 0.8, 0.9),
    ("low-resolution", 24.0, "pixels", "24 x 24 px", 0.3, 0.4),
)
GOALS = ("impersonation", "evasion")
NOISES = (
    ("fgsm-softmax", "FGSM", "impersonation", 6.0),
    ("pgd-similarity", "PGD", "impersonation", 2.0),
    ("square-similarity", "square attack", "impersonation", 12.0),
    ("fgsm-softmax", "FGSM", "evasion", 5.0),
    ("pgd-similarity", "PGD", "evasion", 1.5),
)
