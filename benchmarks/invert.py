"""Templates inverted a second by the attack that ships, beside its floor.

python benchmarks/invert.py [--templates 2000]
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from _timing import best_times

from attacks.trained import load_trained, shipped_attack

FLOOR = 500.0
"""Templates a second, two cores."""


def main() -> None:
    """Print the rate; end with 1 below the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    attack = load_trained(shipped_attack("dlib")).attack
    rng = np.random.default_rng(0)
    vectors = 0.1 * rng.standard_normal((given.templates, 128)).astype(np.float32)
    size = attack.invert(vectors[:1]).crops.shape[-1]
    seconds = best_times({"invert": lambda: attack.invert(vectors)}, given.rounds)["invert"]
    rate = given.templates / seconds
    print(f"{rate:,.0f} templates a second at {size}x{size}, {torch.get_num_threads()} threads")
    print(f"floor {FLOOR:,.0f}: {'met' if rate >= FLOOR else 'missed'}")
    raise SystemExit(rate < FLOOR)


if __name__ == "__main__":
    main()
