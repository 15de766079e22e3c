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
