"""The record that stands beside a recognition model of the user's own.

A file of weights does not say how its input is cut, ordered and normalised, and a wrong guess gives
templates that look valid and match nobody. So nothing that matters has a default here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from biometrics.backbones.base import BackboneSpec, Crop, Similarity, crop_to_points
from biometrics.errors import WeightsError, did_you_mean
from biometrics.strict_yaml import YamlError, parse_yaml

ARCFACE_112 = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
"""Eye centres, nose tip and mouth corners in the 112x112 input of ArcFace and its successors."""

NamedTemplate = Literal["arcface-112"]
TEMPLATES: dict[NamedTemplate, NDArray[np.float64]] = {"arcface-112": ARCFACE_112}
SMALLEST_SCALE = 0.02
"""A crop that shrinks the face further is a mistake: 55 px between the eyes would become one."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Point = tuple[Number, Number]
Row = tuple[Number, Number, Number]


def _each_channel(given: object) -> object:
    """One number stands for all three channels."""
    return (given,) * 3 if isinstance(given, int | float) and not isinstance(given, bool) else given


PerChannel = Annotated[Row, BeforeValidator(_each_channel)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputRecord(_Part):
    """Size of the network's input in pixels."""

    height: int = Field(ge=8, le=1024)
    width: int = Field(ge=8, le=1024)


class CropRecord(_Part):
    """Where the input lies: one of three ways.

    Attributes:
        template: a known alignment.
        points: x and y of eye centres, nose tip and mouth corners in the input, in the picture's
            order from left to right, with pixel centres at whole numbers.
        affine: [2, 3] from pixels of the canonical crop to pixels of the input.
    """

    template: NamedTemplate | None = None
    points: tuple[Point, Point, Point, Point, Point] | None = None
    affine: tuple[Row, Row] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise ValueError(f"give exactly one of template, points or affine; got {found}")
        (a, b, _), (c, d, _) = self.as_crop()
        if not math.sqrt(abs(a * d - b * c)) > SMALLEST_SCALE:
            raise ValueError("it shrinks the face to nothing")
        return self

    def as_crop(self) -> Crop:
        """The affine from the canonical crop to the input."""
        if self.affine is not None:
            return self.affine
        points = TEMPLATES[self.template] if self.template else np.array(self.points)
        return crop_to_points(points)


def _named_crop(given: object) -> object:
    """``arcface-112`` alone is short for ``{template: arcface-112}``."""
    return {"template": given} if isinstance(given, str) else given


class OwnRecord(_Part):
    """What a file of weights does not say.

    Convention: the network gets ``(pixel * pixel_range - mean) / std`` with pixels in [0, 1];
    ``mean`` and ``std`` (one number, or one for each channel) are in the order of ``colour``.

    Attributes:
        dim: length of a template.
        input: height and width of the network's input.
        crop: where that input lies in a face.
        colour: order of the channels that the network takes.
        pixel_range: the value of white before mean and std: 1 or 255.
        mean, std: subtracted, then divided by.
        layout: ``nchw`` or ``nhwc``.
        similarity: ``cosine``, or ``l2`` for minus the distance.
        licence: terms of the weights, in words.
        threshold: the similarity at which its users accept.
        unit: bring templates to unit length, where the network itself does not.
    """

    dim: int = Field(ge=2, le=65536)
    input: InputRecord
    crop: Annotated[CropRecord, BeforeValidator(_named_crop)]
    colour: Literal["rgb", "bgr"]
    pixel_range: Literal[1, 255]
    mean: PerChannel
    std: PerChannel
    layout: Literal["nchw", "nhwc"]
    similarity: Similarity
    licence: str = Field(min_length=1)
    threshold: Number | None = None
    unit: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std must be positive; got {list(self.std)}")
        size = (self.input.height, self.input.width)
        if self.crop.template == "arcface-112" and size != (112, 112):
            raise ValueError(f"crop arcface-112 belongs to an input of 112x112; got {_by(size)}")
        return self

    def spec(self, name: str, *, origin: str, sha256: str, differentiable: bool) -> BackboneSpec:
        """The record of a backbone that is made by it."""
        return BackboneSpec(
            name=name,
            dim=self.dim,
            input_size=(self.input.height, self.input.width),
            crop=self.crop.as_crop(),
            similarity=self.similarity,
            licence=self.licence,
            origin=origin,
            sha256=sha256,
            differentiable=differentiable,
            may_be_unseen_judge=True,
            customary_threshold=self.threshold,
        )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def record_beside(path: Path) -> Path:
    """Where the record of a model file lies: the same name with the ending ``.yaml``."""
    return path.with_suffix(".yaml")


def read_record(path: Path) -> OwnRecord:
    """Read a record.

    Raises:
        WeightsError: one line with the path and what is missing, unknown or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WeightsError(
            f"the record {path} cannot be read: {why}; it holds {', '.join(required_keys())}"
        ) from error
    try:
        values = parse_yaml(text, str(path))
    except YamlError as error:
        raise WeightsError(str(error)) from error
    return check_record(values, str(path))


def check_record(values: object, origin: str) -> OwnRecord:
    """A record from parsed values; ``origin`` heads the messages.

    Raises:
        WeightsError: one line, as :func:`read_record`.
    """
    if isinstance(values, OwnRecord):
        return values
    if not isinstance(values, Mapping):
        raise WeightsError(
            f"{origin}: expected keys with values ({', '.join(required_keys())}), "
            f"got {type(values).__name__}"
        )
    try:
        return OwnRecord.model_validate(dict(values))
    except ValidationError as error:
        raise WeightsError(f"{origin}: {_explain(error)}") from error


def required_keys() -> list[str]:
    """The keys that every record has."""
    return [name for name, field in OwnRecord.model_fields.items() if field.is_required()]


def _explain(error: ValidationError) -> str:
    """Unknown keys first, for a misspelt key is also a missing one; then all that is missing."""
    problems = error.errors()
    for problem in problems:
        if problem["type"] == "extra_forbidden":
            return _unknown_key([str(part) for part in problem["loc"]])
    missing = [_dotted(p["loc"]) for p in problems if p["type"] == "missing"]
    if missing:
        return f"missing: {', '.join(missing)}"
    first = problems[0]
    message = first["msg"].removeprefix("Value error, ")
    where, what = _dotted(first["loc"]), message[:1].lower() + message[1:]
    if first["type"] == "value_error":
        return f"{where}: {what}" if where else what
    return f"{where}: {what}; got {first['input']!r}"


def _unknown_key(place: list[str]) -> str:
    groups: dict[str, type[BaseModel]] = {"input": InputRecord, "crop": CropRecord}
    model = groups[place[0]] if len(place) > 1 else OwnRecord
    known = list(model.model_fields)
    hint = did_you_mean(place[-1], known)
    return f"unknown key '{'.'.join(place)}'" + (hint or f"; known: {', '.join(known)}")


def _dotted(place: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in place)
