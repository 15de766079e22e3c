"""Which pre-image attack an attacker takes: the one that did best on the attacker's own people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from attacks.preimage.base import PreImage, preimages_of
from audit.protect.decoders import own_keys
from audit.protect.system import System
from biometrics.file_names import file_name


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
    where none is. A stage of the run."""
    kinds = preimages_of(system.choice.name)
    if not kinds:
        return None
    bench = system.bench

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
    place = f"{bench.STAGES}/{file_name(system.choice.name)}/tried-{records}"
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
