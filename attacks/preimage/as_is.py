"""What protects no single number is a template as it is, and is attacked as one."""

from __future__ import annotations

from typing import ClassVar

from attacks.preimage.base import register_preimage
from attacks.preimage.plain import Plain


@register_preimage("average:as-is")
class AverageAsIs(Plain):
    """An average is a template, and a better one: nothing of the person is hidden in it."""

    scheme_name: ClassVar[str] = "average"
    method: ClassVar[str] = "as it is"


@register_preimage("ckks:decrypted")
class CkksDecrypted(Plain):
    """Whoever has the secret key decrypts. Without it nothing is to be had from a ciphertext, and
    this attack is not for such an attacker: scores are what is left to him."""

    scheme_name: ClassVar[str] = "ckks"
    method: ClassVar[str] = "decryption with the secret key"


@register_preimage("disentangle:as-is")
class DisentangleAsIs(Plain):
    """A template without its attribute is a template: the identity is kept on purpose."""

    scheme_name: ClassVar[str] = "disentangle"
    method: ClassVar[str] = "as it is"
