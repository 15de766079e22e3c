"""Seconds for a Fréchet distance: ours against pytorch-fid's on the same moments.

Both get the same means and covariances of 2048-D features, once of more pictures than dimensions
and once of fewer (singular covariances). They run in turns on the same cores and the best turn of
each counts. Exits with 1 where the values differ by more than 1e-6 of themselves, or where ours is
less than three times as fast on either.

    python benchmarks/frechet.py --dim 2048 --threads 1
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

FLOOR = 3.0
TOLERANCE = 1e-6


def main() -> int:
    args = parse_arguments()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(args.threads)  # read when numpy is imported
    sets = {"more pictures": 2 * args.dim, "fewer pictures": args.dim // 2}
    print(f"{args.dim}-D features, {args.threads} threads, best of {args.rounds}")
    print(f"{'set':<18}{'pytorch-fid s':>14}{'faceleak s':>12}{'factor':>8}{'difference':>12}")
    good = [compare(name, n, args.dim, args.rounds) for name, n in sets.items()]
    print(f"floor {FLOOR:.0f}x and {TOLERANCE:.0e}: {'met' if all(good) else 'MISSED'}")
    return 0 if all(good) else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


def compare(name: str, pictures: int, dim: int, rounds: int) -> bool:
    """Time both on one pair of sets and print the row."""
    import numpy as np
    from _timing import best_times
    from numpy.typing import NDArray

    import biometrics  # noqa: F401  pytorch-fid imports torchvision
    from biometrics.metrics.frechet import Gaussian, frechet_distance, gaussian_of

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from pytorch_fid.fid_score import calculate_frechet_distance

    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(dim, dim)) * np.logspace(0, -2, dim) / np.sqrt(dim)

    def features(shift: float, scale: float) -> NDArray[np.floating]:
        """Spread over four orders of magnitude, as Inception's are."""
        return scale * rng.normal(size=(pictures, dim)) @ mixing + shift

    a, b = gaussian_of(features(0.0, 1.0)), gaussian_of(features(0.05, 1.2))
    found: dict[str, float] = {}

    def theirs(x: Gaussian, y: Gaussian) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of scipy, about its sqrtm
            return float(calculate_frechet_distance(x.mean, x.covariance, y.mean, y.covariance))

    def keep(way: str, value: Callable[[Gaussian, Gaussian], float]) -> Callable[[], None]:
        return lambda: found.__setitem__(way, value(a, b))

    ways = {"theirs": keep("theirs", theirs), "ours": keep("ours", frechet_distance)}
    seconds = best_times(ways, rounds)
    factor = seconds["theirs"] / seconds["ours"]
    difference = abs(found["ours"] / found["theirs"] - 1.0)
    times = f"{seconds['theirs']:>14.2f}{seconds['ours']:>12.2f}{factor:>8.1f}"
    print(f"{name:<18}{times}{difference:>12.1e}")
    return factor >= FLOOR and difference <= TOLERANCE


if __name__ == "__main__":
    sys.exit(main())
