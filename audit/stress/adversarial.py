"""Adversarial noise (Krizaj et al. 2024, 4.3.3): does it open a template's door, and does inverting
the template of an attacked picture undo it?

Rows without an attack tell what judges make of the attacked pictures themselves; rows with one, of
the faces that an inversion makes of their templates ("decoded"). ``perturbation`` is method,
objective and goal, such as ``pgd-similarity-impersonation``; strength is ε in 255ths, and 0 stands
for the clean pictures. ``tmr`` is the share of pictures that are still accepted as their own
person's, against pictures that the noise was not made for (1 - tmr of the clean row is the clean
FNMR); ``type2`` is the same of the decoded ones. Where the judge is not the target, the rows tell
how the noise transfers.

Measures; ``_at_FMR`` stands for one at each FMR of the configuration.

* ``impersonation_at_FMR``: share accepted as the goal, against pictures of the goal that the noise
  was not made for; ``impersonation_of_template_at_FMR``: against the very template that it was.
* ``evasion_at_FMR``: share refused as their own, against pictures that the noise was not made for;
  ``evasion_of_template_at_FMR``: against the template that it was made for.
* ``first_is_goal``, ``first_is_own``: share whose most likely identity in the softmax over the
  gallery is the goal's, or their own.
* ``probability_goal_before``, ``_after``, ``_decoded`` and ``probability_own_...``: mean
  probability in that softmax before the noise, after it, and after decoding.
* ``l2`` (pixel values in [0, 1]) and ``linf`` (in 255ths): size of the noise, over the pictures
  that have any. ``shift``: similarity of the attacked picture's template to the clean one's.
* ``decoded_impersonation_at_FMR``: share of decoded pictures accepted as the goal.
* ``recovered_at_FMR``: type2 minus tmr, paired: what decoding an attacked picture gives back.
* ``fall_difference_at_FMR``: the fall of the TMR by the noise less its fall among decoded pictures.
  Read beside ``recovered``: decoding alone costs acceptance, and who has less can lose less.
* ``scale``: of the softmax, fitted on other pictures of the gallery's people.

``roc`` stands on one row per target, of :data:`DRAWN` at the largest budget: Figure 13. As there
the noise is on one picture of each mated pair alone; non-mated pairs are of clean pictures, or of
decoded clean ones.
"""

from __future__ import annotations

from audit.stress.adversarial_decoded import Decoder
from audit.stress.adversarial_noise import attacked, known_people, plans
from audit.stress.adversarial_people import choose
from audit.stress.adversarial_rows import clean_rows, noise_rows
from audit.stress.adversarial_templates import flip_rows
from audit.stress.bench import Workbench
from audit.stress.rows import Condition, recognition_row
from reports.results import CLEAN, StressResult

FEW = "adversarial noise is not measured: fewer than three leaked people have two pictures"


def stress(bench: Workbench) -> list[StressResult]:
    """The family's rows for one target."""
    cast = choose(bench, bench.sizes.adversarial.subjects)
    if cast is None:
        return [_nothing(bench, FEW)]
    flips = flip_rows(bench, cast)
    if not bench.models.ready[bench.target].spec.differentiable:
        why = f"adversarial noise is not measured: gradients do not pass through {bench.target}"
        return [_nothing(bench, why), *flips]
    gallery = known_people(bench, cast)
    found = clean_rows(bench, cast, gallery)
    decoder = Decoder(bench, cast, gallery)
    found += decoder.clean_rows()
    for plan in plans(bench, cast, gallery):
        show = bench.shown(cast.handed[plan.who])
        seen = attacked(bench, cast, gallery, plan, show)
        found += noise_rows(bench, cast, gallery, plan, seen)
        found += decoder.rows(plan, seen, show)
    return [*found, *flips]


def _nothing(bench: Workbench, why: str) -> StressResult:
    condition = Condition("adversarial", CLEAN, label="clean", note=why)
    return recognition_row(bench, condition, bench.judge(bench.target), {})
