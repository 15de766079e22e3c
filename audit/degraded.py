"""Templates that were computed from degraded pictures, as a stage of the run.

The pictures of an audit stay clean; only what leaked was computed from a covered or coarse copy.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from audit.run_folder import RunFolder
from biometrics.file_names import file_name
from biometrics.templates import TemplateSet

if TYPE_CHECKING:  # the configuration holds LeakSettings, and these know the configuration
    from audit.people import People
    from audit.watch import Watch
    from biometrics.backbones.base import Backbone


class LeakSettings(BaseModel):
    """What had happened to the pictures whose templates leaked.

    Attributes:
        occlude: the part of the face that lay under a grey block.
        resolution: side in pixels at which the crop was seen; null for all there is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    occlude: Literal["none", "eyes", "mouth"] = "none"
    resolution: int | None = Field(default=None, ge=4, lt=224)

    @property
    def clean(self) -> bool:
        """Whether nothing had happened to them."""
        return self.occlude == "none" and self.resolution is None

    def note(self) -> str:
        """What a report says of it; empty where the pictures were clean."""
        what = self._in_words()
        return what and (
            f"The templates leaked from degraded pictures ({what}). Type-I and the reference "
            "compare with the degraded picture, Type-II and likeness with clean ones; thresholds "
            "and what the attacks learnt from are clean."
        )

    def _in_words(self) -> str:
        covered = "" if self.occlude == "none" else f"a grey block over the {self.occlude}"
        coarse = "" if self.resolution is None else f"{self.resolution} px instead of 224"
        return " and ".join(part for part in (covered, coarse) if part)


@dataclass(frozen=True)
class Leaked:
    """Every backbone's templates of the leaked pictures as they leaked.

    Attributes:
        vectors: float32 [N, D] by backbone; row i is leaked picture i.
        keys: of what they depend on, by backbone; empty where the pictures were clean, since all
            keys that matter are then those of the clean templates.
    """

    vectors: dict[str, NDArray[np.float32]]
    keys: dict[str, str]


def leaked_templates(
    leak: LeakSettings,
    backbones: Mapping[str, Backbone],
    templates: Mapping[str, TemplateSet],
    template_keys: Mapping[str, str],
    people: People,
    run: RunFolder,
    watch: Watch,
) -> Leaked:
    """Embed the degraded copies of the leaked pictures with the target and all judges.

    For a judge, Type-I compares with its own template of the picture that leaked, which is the
    degraded one; its threshold, the other pictures and everything that is fitted stay clean.

    Args:
        backbones: the target and all judges by name, others are left alone.
        templates: their templates of all faces.
        template_keys: hashes of what these depend on.
    """
    rows = people.split.leaked
    if leak.clean:
        return Leaked({name: found.vectors[rows] for name, found in templates.items()}, {})
    vectors, keys = {}, {}
    for name in templates:
        backbone = backbones[name]
        inputs: dict[str, Any] = {
            "templates": template_keys[name],
            "people": people.key,
            **leak.model_dump(mode="json"),
        }
        build = functools.partial(_embed, leak, backbone, people, watch)
        stage = run.stage(f"degraded/{file_name(name)}", inputs, build)
        keys[name] = stage.key
        vectors[name] = TemplateSet.load(stage.folder / "templates.parquet").vectors
    return Leaked(vectors, keys)


def _embed(leak: LeakSettings, backbone: Backbone, people: People, watch: Watch, out: Path) -> None:
    # Here, not above: reading a configuration should not wait for torch.
    from biometrics.backbones.embed import embed_faces
    from biometrics.faces.degrade import degrade
    from biometrics.faces.faceset import FaceSet

    faces = people.faces.take(people.split.leaked)
    crops = degrade(faces.crops, faces.landmarks, occlude=leak.occlude, resolution=leak.resolution)
    degraded = FaceSet(crops, faces.landmarks, faces.table)
    what = f"embed {len(faces):,} degraded faces with {backbone.spec.name}"
    with watch.task(what, len(faces)) as advance:
        templates = embed_faces(backbone, degraded, advance=advance)
    templates.save(out / "templates.parquet")
