"""The settings of the filter, apart from its code: reading a configuration needs no torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

RULES = ("monochrome", "blurred", "expression", "eyeglasses", "headwear", "yaw", "pitch", "roll")


class FilterSettings(BaseModel):
    """The rules, each with its switch, and their thresholds (see quality.py for the units).

    The defaults were set by looking at faces of LFW on both sides of each threshold.

    Attributes:
        monochrome, blurred, expression, eyeglasses, headwear, yaw, pitch, roll: the switches.
        min_colour: less colour is monochrome.
        min_sharpness: less is blurred.
        max_mouth_opening: a wider gap between the lips is an expression.
        max_mouth_width: so is a mouth wider than this times the median of the set,
        max_mouth_lift: corners of the mouth lifted this much more than the median's,
        min_eye_opening, max_eye_opening: and eyes less or more open than this times the median.
        max_bridge_edge: a stronger line across the bridge of the nose is a pair of glasses.
        max_forehead: a forehead further from the cheeks' colour is covered.
        max_angle: largest yaw, pitch and roll in degrees, either way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    monochrome: bool = True
    blurred: bool = True
    expression: bool = True
    eyeglasses: bool = True
    headwear: bool = True
    yaw: bool = True
    pitch: bool = True
    roll: bool = True
    min_colour: float = Field(default=5.0, ge=0)
    min_sharpness: float = Field(default=16.0, ge=0)
    max_mouth_opening: float = Field(default=0.2, gt=0)
    max_mouth_width: float = Field(default=1.18, gt=0)
    max_mouth_lift: float = 0.12
    min_eye_opening: float = Field(default=0.5, ge=0)
    max_eye_opening: float = Field(default=1.5, gt=0)
    max_bridge_edge: float = Field(default=0.36, gt=0)
    max_forehead: float = Field(default=90.0, gt=0)
    max_angle: float = Field(default=5.0, gt=0)
