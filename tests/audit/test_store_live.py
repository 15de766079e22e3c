"""A database that is running, audited from the command line with its stock password."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.authorisation import FORM, PLACEHOLDERS
from tests.audit.conftest import Faceleak
from tests.audit.tiny import read
from tests.biometrics.stores.containers import identifying
from tests.biometrics.stores.live import fill_postgres
from tests.biometrics.stores.products import PRODUCTS
from tests.biometrics.stores.servers import RunningServer, postgres  # noqa: F401


def test_compreface_with_the_password_that_it_comes_with(
    postgres: RunningServer,  # noqa: F811
    faceleak: Faceleak,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, run = PRODUCTS["compreface"], tmp_path / "run"
    with postgres.connect("postgres") as connection:
        connection.execute("CREATE DATABASE frs")
        connection.execute("ALTER USER postgres PASSWORD 'postgres'")
    with postgres.connect("frs") as connection:
        fill_postgres(connection, made.tables)
    address = f"postgresql://postgres:postgres@127.0.0.1:{postgres.port}/frs"
    monkeypatch.setenv("LEAKED_STORE", address)
    command = ("audit", "--store", "env:LEAKED_STORE", "--out", run, "--set", "judges=[dlib]")
    refused = faceleak(*command)
    assert (refused.code, refused.error.count(FORM)) == (5, 1)
    assert "img.content" in refused.out  # what may be said of a store that nobody signed for
    answers = ("--owner", "Us", "--purpose", "tests", "--legal-basis", "ours")
    assert faceleak("authorize", "env:LEAKED_STORE", *answers).code == 0
    form = Path(FORM).read_text().replace("signed: no", "signed: yes")
    Path(FORM).write_text(form.replace(PLACEHOLDERS["authorised_by"], "A. Body"))
    ended = faceleak(*command)
    assert ended.code == 0, ended.err
    results = read(run)
    store = results["store"]
    assert (store["kind"], store["name"], store["n_templates"]) == ("compreface", "frs", made.rows)
    assert store["form"].startswith("PostgreSQL 1")
    assert {finding["id"] for finding in results["findings"]} == {
        *("store.stock-password", "store.pictures", "store.names", "store.plain")
    }
    secrets = [secret.encode() for secret in (*identifying(made.tables), "postgres:postgres")]
    for path in (p for p in run.rglob("*") if p.is_file()):
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret in content], path.name
