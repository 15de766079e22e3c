"""All relational kinds of store that the tests make, by the product's id."""

from __future__ import annotations

from tests.biometrics.stores import made_albums, made_servers
from tests.biometrics.stores.made_product import PRODUCTS, MadeStore, MadeTruth, write_sqlite

__all__ = ["PRODUCTS", "MadeStore", "MadeTruth", "made_albums", "made_servers", "write_sqlite"]
