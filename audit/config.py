"""The configuration of an audit: what may be set, and where settings come from.

A setting is looked up in the file, then in the environment (``FACELEAK_CFG__KEY__SUB``), then among
``--set key.sub=value``; the last one wins. Every value that comes as text is read as YAML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from audit.about_settings import AboutSettings
from audit.config_sources import (
    Layer,
    check_keys,
    environment_layer,
    file_layer,
    merge,
    override_layer,
)
from audit.config_values import (
    AttackChoice,
    AttackEntry,
    Fmr,
    FmrEntry,
    Name,
    UserPath,
    listed,
    refuse_twice,
)
from audit.degraded import LeakSettings
from audit.own_models import name_by_file
from audit.search_settings import SearchSettings
from audit.training_settings import TrainingSettings
from biometrics.errors import ConfigError
from reports.formats import known_format


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class SynthSettings(_Group):
    """Generated people instead of photographs.

    Attributes:
        subjects: people whose templates leaked.
        pictures: pictures of each person.
        attacker_subjects: people whom the attacker has pictures of.
        threshold_subjects: people who set the acceptance thresholds.
    """

    subjects: int = Field(default=300, ge=2)
    pictures: int = Field(default=4, ge=1)
    attacker_subjects: int = Field(default=700, ge=2)
    threshold_subjects: int = Field(default=260, ge=2)


class FacesSettings(_Group):
    """Where the faces come from: exactly one of ``path``, ``attacker`` with ``leaked``, ``synth``.

    Attributes:
        path: folder with one folder of pictures a person, split by subject.
        attacker, leaked: two such folders.
        synth: generated people.
        pairs: file of verification pairs in the form of LFW's View 2, to print the accuracy on it.
        leak_most_pictured: so many of the people with the most pictures of ``path`` leaked,
            whatever the split says of them.
    """

    path: UserPath | None = None
    attacker: UserPath | None = None
    leaked: UserPath | None = None
    synth: SynthSettings | None = None
    pairs: UserPath | None = None
    leak_most_pictured: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.attacker is None) != (self.leaked is None):
            raise ValueError("attacker and leaked belong together; give both folders")
        ways = [name for name in ("path", "attacker", "synth") if getattr(self, name) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise ValueError(
                f"give exactly one of path, attacker with leaked, or synth; got {found}"
                + (f" (--set faces.{ways[-1]}=null drops one)" if ways else "")
            )
        if self.leak_most_pictured and self.path is None:
            raise ValueError("leak_most_pictured changes the split of one folder; give path")
        return self


class AppearanceSettings(_Group):
    """Sizes of the appearance model.

    Attributes:
        texture_size: side of the texture in pixels.
        texture_components, shape_components: principal components kept (fewer where the attacker
            has fewer pictures).
    """

    texture_size: int = Field(default=112, ge=16, le=224)
    texture_components: int = Field(default=600, ge=1)
    shape_components: int = Field(default=30, ge=1, le=136)


class OutputSettings(_Group):
    """What is written for people to read.

    Attributes:
        reveal: show photographed people unblurred.
        formats: what is rendered beside the run's own files; ``parquet`` and ``scores-csv`` also
            make an audit keep the score of every reconstruction.
        samples: pairs of original and reconstruction in the report's strip.
    """

    reveal: bool = False
    formats: Annotated[
        tuple[Annotated[str, AfterValidator(known_format)], ...],
        BeforeValidator(listed),
        Field(min_length=1),
    ] = ("html", "json")
    samples: int = Field(default=12, ge=0, le=200)


class AuditConfig(_Group):
    """Everything that an audit can be told.

    Attributes:
        title: heads the report.
        seed: makes splits, training and draws reproducible.
        quick: the same flow on a fraction of the data, and each attack at its quick settings.
        device: where attacks are trained: ``cpu``, or ``auto`` for a GPU where there is one.
        faces: where the faces come from.
        target: the backbone whose templates leaked.
        leak: what had happened to the pictures before their templates were computed.
        judges: backbones that decide acceptance; one without weights is reported as not measured.
        attacks: attacks with their settings; the controls always run.
        appearance: sizes of the appearance model.
        training: which of the attacker's pictures are trained on, and what is made besides.
        search: templates known by their scores alone, and fused ones; not run where absent.
        weights: weight files by backbone name.
        fmr: false match rates at which acceptance is reported.
        output: what is written for people to read.
        about: whose system it is, for the head of the report.
    """

    title: str = "Template inversion audit"
    seed: int = Field(default=7, ge=0, lt=2**32)
    quick: bool = False
    device: Literal["cpu", "auto"] = "cpu"
    faces: FacesSettings
    target: Name = "dlib"
    leak: LeakSettings = LeakSettings()
    judges: Annotated[tuple[Name, ...], BeforeValidator(listed), Field(min_length=1)] = (
        "dlib",
        "faceleak-mini",
    )
    attacks: Annotated[tuple[AttackEntry, ...], BeforeValidator(listed), Field(min_length=1)] = (
        AttackChoice("appearance", {}),
        AttackChoice("linear", {}),
    )
    appearance: AppearanceSettings = AppearanceSettings()
    training: TrainingSettings = TrainingSettings()
    search: SearchSettings | None = None
    weights: dict[str, UserPath] = Field(default_factory=dict)
    fmr: Annotated[tuple[FmrEntry, ...], BeforeValidator(listed), Field(min_length=1)] = (
        Fmr("1e-2", 1e-2),
        Fmr("1e-3", 1e-3),
        Fmr("1e-4", 1e-4),
    )
    output: OutputSettings = OutputSettings()
    about: AboutSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_by_file(cls, given: Any) -> Any:
        return name_by_file(given) if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        refuse_twice(self.judges)
        refuse_twice([attack.name for attack in self.attacks])
        refuse_twice([fmr.label for fmr in self.fmr])
        return self

    @model_validator(mode="after")
    def _searched_clean(self) -> Self:
        if self.search is not None and not self.leak.clean:
            raise ValueError("search works on clean leaked templates; drop search or leak")
        return self


_NOT_FOR_AUDITS = {
    "stress": "faceleak stress",
    "formats": "faceleak compare",
    "protect": "faceleak protect",
    "targets": "faceleak compare, faceleak stress or faceleak protect",
}
"""Keys of other commands, and which these are."""

C = TypeVar("C", bound=BaseModel)


def load_config(
    source: Path | str | Traversable | None = None,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> AuditConfig:
    """The effective configuration of an audit; see :func:`load_as`.

    Raises:
        ConfigError: also for one of a comparison or of a stress run.
    """
    if source is not None:
        layer = file_layer(source)
        for key, commands in _NOT_FOR_AUDITS.items():
            if key in layer.values:
                raise ConfigError(f"{layer.origin} has '{key}': it is for {commands}")
    return load_as(AuditConfig, source, overrides=overrides, environ=environ)


def load_as(
    kind: type[C],
    source: Path | str | Traversable | None = None,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> C:
    """The effective configuration of an audit, or of another kind of run.

    Args:
        kind: the model of its keys.
        source: a YAML file, or the name of a configuration that ships (``demo``); None for the
            defaults alone. Relative paths inside it are taken from the current folder.
        overrides: ``key.sub=value`` each, as given to ``--set``.
        environ: the environment to read ``FACELEAK_CFG__…`` from; none is read where it is None.

    Raises:
        ConfigError: an unreadable file, bad YAML (with its line), an unknown key (with the nearest
            known one) or a value out of range.
    """
    layers: list[Layer] = [] if source is None else [file_layer(source)]
    layers += environment_layer(environ or {})
    layers += [override_layer(text) for text in overrides]
    for layer in layers:
        check_keys(kind, layer)
    try:
        return kind.model_validate(merge(layers))
    except ValidationError as error:
        raise ConfigError(explain(error)) from error


def effective_yaml(config: BaseModel, *, nulls: bool = False) -> str:
    """The whole configuration as YAML; loading it gives the same configuration again. ``nulls``
    also writes what is null, for configurations in which that is not always the default."""
    values = config.model_dump(mode="json", exclude_none=not nulls)
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return text


def explain(error: ValidationError) -> str:
    """The first problem in one line: the dotted key, what is wrong, what was given."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        if key == "faces":
            return (
                "no faces are given: set faces.path to a folder with one folder of pictures a "
                "person (--set faces.path=DIR), or faces.attacker with faces.leaked, or faces.synth"
            )
        return f"{key} is missing"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{key}: {message}" if key else message
    message = _PLAIN.get(first["type"], message[:1].lower() + message[1:])
    return f"{key}: {message}; got {first['input']!r}"


_PLAIN = {
    "dict_type": "expected a group of settings",
    "model_type": "expected a group of settings",
    "path_type": "expected a path",
    "too_short": "needs at least one entry",
    "tuple_type": "expected a list",
}
"""Our words where pydantic speaks of Python types, by its error type."""
