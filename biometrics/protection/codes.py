"""Codes as vectors in which the cosine is the code's own score.

A code of m bits becomes ±1/√m: the cosine is ``1 - 2h``, where h is the share of bits that differ
(the Hamming distance). A code of m winners, each one of q choices, becomes m rows of q numbers, of
which the winner's is 1/√m and the others zero: the cosine is the share of equal winners. Both have
length one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biometrics.protection.base import Vectors


def bits_as_vectors(bits: NDArray[np.bool_]) -> Vectors:
    """Codes of bits [N, m] as float32 [N, m]."""
    size = np.float32(1.0 / math.sqrt(bits.shape[1]))
    return np.where(bits, size, -size)


def vectors_as_signs(vectors: Vectors) -> Vectors:
    """The bits of :func:`bits_as_vectors` as -1 and 1, float32 of the same shape."""
    return np.where(vectors > 0.0, np.float32(1.0), np.float32(-1.0))


def winners_as_vectors(winners: NDArray[np.integer[Any]], choices: int) -> Vectors:
    """Codes of winners [N, m], from 0 and below ``choices``, as float32 [N, m * choices]."""
    count, hashes = winners.shape
    found = np.zeros(count * hashes * choices, dtype=np.float32)
    found[np.arange(count * hashes) * choices + winners.ravel()] = 1.0 / math.sqrt(hashes)
    return found.reshape(count, hashes * choices)


def vectors_as_winners(vectors: Vectors, choices: int) -> NDArray[np.intp]:
    """The winners [N, m] of :func:`winners_as_vectors`."""
    count, width = vectors.shape
    found: NDArray[np.intp] = vectors.reshape(count, width // choices, choices).argmax(axis=2)
    return found


def winner_bits(hashes: int, choices: int) -> int:
    """Bits that a code of winners takes when each is written by itself."""
    return hashes * math.ceil(math.log2(choices))
