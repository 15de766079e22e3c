"""Every kind of store in a running database server: recognised, read and inspected, and compared
with what its generator knows."""

from __future__ import annotations

import pytest

from biometrics.stores.base import open_store
from tests.biometrics.stores.live import fill_mysql, fill_postgres
from tests.biometrics.stores.products import PRODUCTS
from tests.biometrics.stores.servers import RunningServer
from tests.biometrics.stores.truths import check_product


def of_engine(engine: str) -> list[str]:
    return [product for product, made in PRODUCTS.items() if engine in made.engines]


@pytest.mark.parametrize("product", of_engine("postgresql"))
def test_postgresql(product: str, postgres: RunningServer) -> None:
    made = PRODUCTS[product]
    base = "every_" + product.replace("-", "_")
    with postgres.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {base}")
    with postgres.connect(base) as connection:
        fill_postgres(connection, made.tables_for("postgresql"))
    address = f"postgresql://postgres@/{base}?host={postgres.sockets}&port={postgres.port}"
    with open_store(address) as store:
        assert store.facts.form.startswith("PostgreSQL 1")
        check_product(store, made)


@pytest.mark.parametrize("product", of_engine("mysql"))
def test_mariadb(product: str, mariadb: RunningServer) -> None:
    made = PRODUCTS[product]
    base = "every_" + product.replace("-", "_")
    with mariadb.connect("mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {base} CHARACTER SET utf8mb4")
    with mariadb.connect(base) as connection:
        fill_mysql(connection, made.tables_for("mysql"))
    with open_store(f"mysql://root@localhost/{base}?unix_socket={mariadb.sockets}") as store:
        assert store.facts.form.startswith("MariaDB 1")
        check_product(store, made)
