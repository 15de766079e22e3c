"""Encrypted templates, compared without decrypting them (CKKS, by TenSEAL).

Whoever compares holds ciphertexts and public keys; only the scores are decrypted, by whoever holds
the secret key. The scores are those of plain templates but for rounding, so recognition costs
nothing, and a database that leaks without the secret key tells nothing. What remains:

* Scores leak templates. Whoever may ask for scores of templates of his own choice, or merely sees
  them, finds the template behind them, encrypted or not (the score search is run against it).
* With the secret key every template is there again, as it was.

Encryption is by the packages of the extra ``faceleak[he]``; measuring everything else needs none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import ConfigError, InputError
from biometrics.metrics.scores import Similarity, paired_similarity
from biometrics.protection.base import Family, ProtectionScheme, Vectors, register_protection
from biometrics.templates import check_finite

DEGREE = 8192
MODULUS = (60, 56, 60)
SCALE = 2.0**56
"""Degree of the polynomials, bits of the primes, and what numbers are multiplied by: room for the
one product that a score takes. 128-bit security allows 218 bits at this degree (M. Albrecht and
others, "Homomorphic encryption standard", 2018, table 1); these are 176."""

SLOTS = DEGREE // 2
"""Numbers in one ciphertext."""


@register_protection("ckks")
class Ckks(ProtectionScheme):
    """Templates that are stored encrypted and compared encrypted.

    :meth:`protect` gives what decryption would give, the numbers themselves: every comparison comes
    out as the plain one. What encryption costs, :func:`encrypted_scores` measures.
    """

    family: ClassVar[Family] = "encryption"
    keyed: ClassVar[bool] = False
    source: ClassVar[str] = "J. H. Cheon and others 2017, CKKS, by TenSEAL"

    @property
    def stored_bits(self) -> int:
        """Of a fresh ciphertext: two polynomials with coefficients modulo all primes but the last,
        which belongs to the keys."""
        return 2 * DEGREE * sum(MODULUS[:-1])

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        return vectors.copy()


@dataclass(frozen=True)
class EncryptedScores:
    """Scores that were computed on ciphertexts, and what that took.

    Attributes:
        scores: decrypted, float64 [N].
        largest_error: the largest difference from the scores of the plain templates.
        seconds_per_comparison: of two ciphertexts, without encryption and decryption.
        seconds_per_encryption: of one template.
        ciphertext_bytes: of one encrypted template as it is stored.
        public_key_bytes: of all that comparing needs besides, once for a database.
    """

    scores: NDArray[np.float64]
    largest_error: float
    seconds_per_comparison: float
    seconds_per_encryption: float
    ciphertext_bytes: int
    public_key_bytes: int


def encrypted_scores(a: Vectors, b: Vectors, kind: Similarity) -> EncryptedScores:
    """Scores of row i of ``a`` [N, D] against row i of ``b`` [N, D], both encrypted, on one thread.

    For the cosine templates are brought to length one before they are encrypted, and a score is
    their product. Of the distance, the square is computed encrypted and the root taken afterwards;
    templates are divided by the length of the longest first, a public number, so that all fit. In
    such units the square is off by some 1e-11, so a distance near zero by up to 1e-5.
    The keys are fresh. One pair takes some hundredths of a second.

    Raises:
        ConfigError: TenSEAL is not installed.
        InputError: no rows, rows that do not pair, too long or not finite.
    """
    if a.ndim != 2 or a.shape != b.shape or not 0 < a.shape[1] <= SLOTS or not len(a):
        raise InputError(
            f"expected pairs of templates of 1 to {SLOTS} values, got {list(a.shape)} and "
            f"{list(b.shape)}"
        )
    check_finite(a)
    check_finite(b)
    parties, unit = _Parties(), _unit(a, b, kind)
    scores = np.empty(len(a))
    # One by one, as the library takes them: a ciphertext holds one template.
    for place, (left, right) in enumerate(zip(a / unit[0], b / unit[1], strict=True)):
        scores[place] = parties.compared(left, right, kind)
    if kind == "l2":
        scores = -np.sqrt(np.maximum(scores, 0.0)) * unit[0].item()
    plain = paired_similarity(a, b, kind)
    return EncryptedScores(
        scores=scores,
        largest_error=float(np.abs(scores - plain).max()),
        seconds_per_comparison=parties.comparing / len(a),
        seconds_per_encryption=parties.encrypting / (2 * len(a)),
        ciphertext_bytes=parties.ciphertext_bytes,
        public_key_bytes=len(parties.public),
    )


def _unit(a: Vectors, b: Vectors, kind: Similarity) -> tuple[NDArray[np.float64], ...]:
    """What the rows of each side are divided by, float64 [N, 1] or [1, 1] for both."""
    lengths = [np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True) for rows in (a, b)]
    if kind == "l2":
        lengths = [np.maximum(*lengths).max(keepdims=True)] * 2
    return tuple(np.where(length > 0.0, length, 1.0) for length in lengths)


class _Parties:
    """One holds the secret key, the other compares and has but the public ones."""

    def __init__(self) -> None:
        self.tenseal = _tenseal()
        self.holder = self.tenseal.context(
            self.tenseal.SCHEME_TYPE.CKKS,
            poly_modulus_degree=DEGREE,
            coeff_mod_bit_sizes=list(MODULUS),
            n_threads=1,
        )
        self.holder.global_scale = SCALE
        self.holder.generate_galois_keys()
        self.public: bytes = self.holder.serialize(save_secret_key=False)
        self.comparer = self.tenseal.context_from(self.public, n_threads=1)
        self.encrypting = self.comparing = 0.0
        self.ciphertext_bytes = 0

    def compared(
        self, left: NDArray[np.float64], right: NDArray[np.float64], kind: Similarity
    ) -> float:
        """Their product, or the square of their distance, as decrypted."""
        stored, probe = (self._encrypted(row) for row in (left, right))
        start = time.perf_counter()
        if kind == "cosine":
            found = stored.dot(probe)
        else:
            apart = stored - probe
            found = apart.dot(apart)
        self.comparing += time.perf_counter() - start
        answer = self.tenseal.ckks_vector_from(self.holder, found.serialize())
        return float(answer.decrypt()[0])

    def _encrypted(self, row: NDArray[np.float64]) -> Any:
        """As whoever compares receives it."""
        start = time.perf_counter()
        sent = self.tenseal.ckks_vector(self.holder, row.tolist())
        self.encrypting += time.perf_counter() - start
        packed = sent.serialize()
        self.ciphertext_bytes = max(self.ciphertext_bytes, len(packed))
        return self.tenseal.ckks_vector_from(self.comparer, packed)


def _tenseal() -> Any:
    """The library.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import tenseal
    except ImportError as error:
        raise ConfigError(
            "scores under encryption need TenSEAL: pip install 'faceleak[he]'"
        ) from error
    return tenseal
