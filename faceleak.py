"""The public face of faceleak, for authors of plug-ins.

A plug-in lives in one file and registers itself by a decorator::

    from faceleak import AttackSettings, InversionAttack, register_attack

    @register_attack("mine")
    class Mine(InversionAttack): ...

Another package announces it by an entry point, of the group ``faceleak.backbones``,
``faceleak.attacks``, ``faceleak.stores``, ``faceleak.protections`` or ``faceleak.preimages``. What
is listed here keeps its name and meaning within a major version; everything else may move. The
names are looked up on first use, so importing this module, and asking it for its version, loads no
torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attacks.base import (
        AttackSettings,
        InversionAttack,
        Reconstruction,
        Resources,
        register_attack,
    )
    from attacks.preimage.base import Population, PreImage, register_preimage
    from biometrics.backbones.base import Backbone, BackboneSpec, register_backbone
    from biometrics.errors import FaceleakError
    from biometrics.faces.faceset import FaceSet
    from biometrics.protection.base import (
        Enrolled,
        ProtectionScheme,
        SchemeSettings,
        register_protection,
    )
    from biometrics.stores.base import Claim, Store, StoreFacts, StoreReader, register_store
    from biometrics.stores.batch import Collection, StoreBatch, make_batch
    from biometrics.templates import TemplateSet

__version__ = "0.1.0"

__all__ = [
    "AttackSettings",
    "Backbone",
    "BackboneSpec",
    "Claim",
    "Collection",
    "Enrolled",
    "FaceSet",
    "FaceleakError",
    "InversionAttack",
    "Population",
    "PreImage",
    "ProtectionScheme",
    "Reconstruction",
    "Resources",
    "SchemeSettings",
    "Store",
    "StoreBatch",
    "StoreFacts",
    "StoreReader",
    "TemplateSet",
    "__version__",
    "make_batch",
    "register_attack",
    "register_backbone",
    "register_preimage",
    "register_protection",
    "register_store",
]

_HOMES = {
    "attacks.base": (
        "AttackSettings",
        "InversionAttack",
        "Reconstruction",
        "Resources",
        "register_attack",
    ),
    "attacks.preimage.base": ("Population", "PreImage", "register_preimage"),
    "biometrics.backbones.base": ("Backbone", "BackboneSpec", "register_backbone"),
    "biometrics.errors": ("FaceleakError",),
    "biometrics.faces.faceset": ("FaceSet",),
    "biometrics.protection.base": (
        "Enrolled",
        "ProtectionScheme",
        "SchemeSettings",
        "register_protection",
    ),
    "biometrics.stores.base": ("Claim", "Store", "StoreFacts", "StoreReader", "register_store"),
    "biometrics.stores.batch": ("Collection", "StoreBatch", "make_batch"),
    "biometrics.templates": ("TemplateSet",),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'faceleak' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
