"""Templates that an attacker gets back, by the pre-image attack that did best on the attacker's own
people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from attacks.preimage.base import PreImage, preimages_of
from audit.protect.decoders import own_keys
from audit.protect.system import System
from biometrics.faces.images import digest
from biometrics.file_names import file_name
from biometrics.protection.base import Vectors


class Choice(NamedTuple):
    """A pre-image attack, how it works, and the mean cosine of every one that was tried, between
    what it got back and the templates, both less the mean."""

    name: str
    method: str
    tried: dict[str, float]


def pre_image(system: System, name: str) -> PreImage:
    """A pre-image attack on a system, with what the attacker's people say of templates."""
    kind = preimages_of(system.choice.name)[name]
    bench = system.bench
    return kind(system.scheme, bench.population, seed=bench.seed_of("pre-image"))


def strongest(system: System, records: int) -> Choice | None:
    """The best of those that are known for the scheme, with so many records of each person; None
    where none is, or nobody to try them on. A stage of the run."""
    kinds, bench = preimages_of(system.choice.name), system.bench
    if not kinds or not len(bench.sample):
        return None

    def build(out: Path) -> None:
        with bench.watch.task(f"{system.choice.name}: choose a pre-image attack"):
            tried = {name: _tried(system, name, records) for name in sorted(kinds)}
        (out / "tried.json").write_text(json.dumps(tried), encoding="utf-8")

    inputs = {
        **system.record(),
        "kinds": sorted(kinds),
        "target": bench.models.target_key,
        "people": bench.people.key,
        "sample": [bench.sizes.sample, bench.config.seed],
    }
    place = f"{bench.STAGES}/{slug_of(system, f'tried-{records}')}"
    stage = bench.run.stage(place, inputs, build)
    tried: dict[str, float] = json.loads((stage.folder / "tried.json").read_text(encoding="utf-8"))
    name = max(sorted(tried), key=lambda n: tried[n])
    return Choice(name, kinds[name].method, tried)


def _tried(system: System, name: str, records: int) -> float:
    """On templates of the attacker's own people, under keys of the attacker's own."""
    bench = system.bench
    own = bench.clean(bench.target, bench.sample)
    dealt = [own_keys(system, len(own), f"tried {record}") for record in range(records)]
    protected = [system.scheme.protect_each(own, keys) for keys in dealt]
    found = pre_image(system, name).recover(np.stack(protected, axis=1), np.stack(dealt, axis=1))
    return float(bench.centred_cosine(found, own).mean())


def got_back(system: System, choice: Choice, records: int) -> Vectors:
    """The stored templates [N, D] by the chosen attack, from so many records of each."""
    rows = system.bench.rows

    def build() -> Vectors:
        places = range(records)
        protected = np.stack([system.again(place) for place in places], axis=1)
        keys = np.stack([system.keys(rows, place) for place in places], axis=1)
        return pre_image(system, choice.name).recover(protected, keys)

    return kept(system, f"pre-image-{records}", {"records": records, **choice._asdict()}, build)


def kept(
    system: System, slug: str, inputs: dict[str, Any], build: Callable[[], Vectors]
) -> Vectors:
    """Templates that were got back, as a stage of the run."""
    bench = system.bench

    def make(out: Path) -> None:
        with bench.watch.task(f"{system.choice.name}: {slug}"):
            np.save(out / "vectors.npy", build(), allow_pickle=False)

    held = {"templates": digest(system.stored.templates.tobytes())}
    place = f"{bench.STAGES}/{slug_of(system, slug)}/templates"
    stage = bench.run.stage(place, {**record_of(system, inputs), **held}, make)
    vectors: Vectors = np.load(stage.folder / "vectors.npy", allow_pickle=False)
    return vectors


def slug_of(system: System, slug: str) -> str:
    """Names what is done to a scheme among what is done to all."""
    return f"{file_name(system.choice.name)}/{slug}"


def record_of(system: System, more: dict[str, Any]) -> dict[str, Any]:
    """What an attack on a system depends on besides the templates, as JSON."""
    bench = system.bench
    return {
        **system.record(),
        "target": bench.models.target_key,
        "people": bench.people.key,
        "seed": bench.config.seed,
        "sample": bench.sizes.sample,
        "pairs": [bench.sizes.pairs, bench.sizes.wide],
        **more,
    }
