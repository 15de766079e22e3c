"""How many pairs the map between two backbones needs.

    python -m benchmarks.lfw.adapter_pairs RUN SOURCE TARGET

RUN is a finished audit of LFW with both backbones among its judges. The map is fitted on pictures
of the attacker's subjects, as an adapter does it, and applied to SOURCE's templates of the leaked
pictures. What comes out is compared with TARGET's own templates: of the same picture (Type-I), of
other pictures of the person (Type-II) and of other people (FMR), at TARGET's threshold for FMR
1e-3. No picture is rebuilt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.lfw._run import LfwRun
from biometrics.backbones.adapter import SEED
from biometrics.backbones.base import load_backbone
from biometrics.metrics.intervals import Interval
from biometrics.metrics.success import Attempts, acceptance
from biometrics.template_map import draw_pairs, fit_template_map

COUNTS = (100, 300, 500, 1000, 3222)
"""The last is one picture of every attacker subject."""

FMR = 1e-3


def main() -> None:
    """Print one row for each number of pairs."""
    run, source, target = LfwRun.read(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
    mine, theirs = run.templates(source), run.templates(target)
    kinds = [load_backbone(name).spec.similarity for name in (source, target)]
    attacker, leaked = run.rows("attacker"), run.rows("leaked")
    cut = run.threshold(theirs, kinds[1], FMR)
    names = run.faces.subject_ids
    print(f"{source} to {target}, FMR {FMR:g}; {len(leaked):,} leaked pictures")
    print(
        "pairs  penalty  explained  Type-I               Type-II              FMR of the mapped, %"
    )
    for count in COUNTS:
        rows = attacker[draw_pairs(names[attacker], count, SEED)]
        found = fit_template_map(
            mine.vectors[rows], theirs.vectors[rows], unit=kinds[0] == "cosine"
        )
        rates = acceptance(
            Attempts(
                reconstructed=found.apply(mine.vectors[leaked]),
                leaked=theirs.vectors[leaked],
                own=theirs.vectors[leaked],
                subjects=names[leaked],
                detected=np.ones(len(leaked), dtype=bool),
                kind=kinds[1],
            ),
            cut,
            seed=0,
        )
        shown = [_text(rate) for rate in (rates.type1, rates.type2, rates.reconstruction_fmr)]
        print(
            f"{count:5}  {found.ridge:7.1e}  {found.explained:9.2f}  {shown[0]:19}  {shown[1]:19}"
            f"  {shown[2]}"
        )
    print(f"photographs: Type-II {_text(rates.type2_reference)}")


def _text(rate: object) -> str:
    if not isinstance(rate, Interval):
        return "not measured"
    return f"{100 * rate.value:.1f} [{100 * rate.low:.1f}-{100 * rate.high:.1f}]"


if __name__ == "__main__":
    main()
