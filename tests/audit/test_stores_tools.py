"""``faceleak stores inspect``, on stores in memory."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from audit.failures import clean
from audit.stores_console import show_store
from audit.stores_tools import inspect_store, look_into
from audit.watch import Watch
from biometrics.errors import CoverageError, UnknownNameError
from biometrics.stores.base import StoreFacts
from biometrics.stores.batch import Tally
from biometrics.stores.fingerprint import learn
from biometrics.stores.known_backbones import shipped_fingerprints
from tests.audit.conftest import Faceleak
from tests.biometrics.stores.made import dlib_people, drawn_people
from tests.biometrics.stores.memory import MemoryStore, one_batch

FACTS = StoreFacts(
    product="compreface",
    form="PostgreSQL dump, gzip",
    family="since 0.6",
    evidence=("table embedding with a column calculator",),
    rows={"embedding": 36},
    pictures={"img.content": 36},
    encrypted=False,
    stock_password=True,
    model="InsightFace",
)


def leaked(
    facts: StoreFacts = FACTS, lost: int = 0, model: str = "", broken: str = ""
) -> MemoryStore:
    """36 templates of 12 generated people."""
    made = dlib_people()
    people = [f"uuid-{person}" for person in made.person]
    names = [made.names[person] for person in made.person]
    tally = Tally()
    if lost:
        tally.skip("embedding row 3", "not a list of numbers", lost)
    batch = one_batch(made.vectors, people, names, model=model)
    return MemoryStore([batch], facts, tally, broken, name="frs.sql.gz")


def shown(store: MemoryStore, location: str = "frs.sql.gz", width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show_store(look_into(store, location, shipped_fingerprints(), Watch.quiet()), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def flat(text: str) -> str:
    """Without line breaks in between."""
    return re.sub(r"\s+", " ", text)


def test_a_dlib_store_is_told_in_full_at_80_columns() -> None:
    text = shown(leaked())
    assert max(map(len, text.splitlines())) <= 80
    said = flat(text)
    for words in (
        "product compreface, since 0.6",
        "pictures 36 kept beside the templates (img.content)",
        "names of 12 people",
        "plain: not encrypted; the product's standard password opens it",
        "rows all sound, all different",
        "subjects 12 with several (up to 3)",
        "backbone dlib, raw covariances agree",
        "128-D, norms 1.4",
        "claimed compreface uses InsightFace",
        "but InsightFace gives lengths over 2; these have 1.4",
        "coverage 36 of 36 rows read",
        "next faceleak audit --store frs.sql.gz --backbone dlib",
    ):
        assert words in said, f"{words!r} not in:\n{text}"


def test_neither_names_nor_identifiers_are_shown() -> None:
    found = look_into(leaked(), "x", shipped_fingerprints(), Watch.quiet())
    for text in (shown(leaked()), json.dumps(found.as_record())):
        assert "Person" not in text
        assert "O'Neil" not in text
        assert "uuid-" not in text


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    evil = "a\x1b[31m\x9b2J\x07\u202eb\rc"
    assert clean(evil) == "a?[31m?2J??b?c"
    facts = StoreFacts(evil, evil, evil, (evil,), {evil: 1}, {evil: 2}, model=evil, notes=(evil,))
    rows = np.random.default_rng(0).normal(size=(5, 20))
    tally = Tally()
    tally.skip(evil, evil)
    store = MemoryStore([one_batch(rows, name=evil, model=evil)], facts, tally, evil, name=evil)
    text = shown(store, location=evil)
    assert not set(text) & set("\x1b\x9b\x07\r\u202e")


@pytest.mark.parametrize("form", ["sample", "nothing fits", "too few", "no sound row", "pictures"])
def test_every_kind_of_store_says_what_to_do_next(form: str) -> None:
    random = np.random.default_rng(0)
    stores: dict[str, tuple[MemoryStore, str]] = {
        "sample": (leaked(), "faceleak audit --store frs.sql.gz --backbone dlib"),
        "nothing fits": (
            MemoryStore([one_batch(drawn_people(512, 60).vectors)]),
            "faceleak stores inspect frs.sql.gz --backbone NAME",
        ),
        "too few": (
            MemoryStore([one_batch(random.normal(size=(4, 128)))]),
            "if you know the model",
        ),
        "no sound row": (MemoryStore([one_batch(np.zeros((4, 128)))]), "nothing to invert"),
        "pictures": (
            MemoryStore([], StoreFacts("pictures-only", "folder", pictures={"clips": 9})),
            "the pictures themselves are what leaks",
        ),
    }
    store, words = stores[form]
    text = shown(store)
    assert words in flat(text)
    assert max(map(len, text.splitlines())) <= 80


def test_a_recognised_backbone_that_the_product_does_not_use_is_told() -> None:
    facts = StoreFacts("digikam8", "SQLite database", backbones=("sface",))
    found = look_into(leaked(facts), "x", shipped_fingerprints(), Watch.quiet())
    assert found.backbone == "dlib"
    assert found.contradictions(0) == [
        "the store should hold templates of sface; these are of dlib"
    ]
    dlib, *_ = shipped_fingerprints()
    mine = replace(dlib, name="onnx:mine.onnx")  # may well be the product's own
    found = look_into(leaked(facts), "x", (mine,), Watch.quiet())
    assert found.backbone == "onnx:mine.onnx"
    assert found.contradictions(0) == []
    right = look_into(
        leaked(StoreFacts("digikam6", "x", backbones=("dlib",))),
        "x",
        shipped_fingerprints(),
        Watch.quiet(),
    )
    assert right.contradictions(0) == []


def test_the_record_holds_family_claims_and_candidates() -> None:
    found = look_into(leaked(model="dlib"), "x", shipped_fingerprints(), Watch.quiet())
    record = json.loads(json.dumps(found.as_record()))
    assert record["backbone"] == "dlib"
    (line,) = record["collections"]
    assert line["family"]["name"] == "dlib"
    assert line["claims"] == ["the store says dlib", "compreface uses InsightFace"]
    assert line["recognition"]["backbone"] == "dlib"
    best = line["recognition"]["candidates"][0]
    assert (best["backbone"], best["fits"], best["form"]) == ("dlib", True, "raw")
    unknown = look_into(
        MemoryStore([one_batch(drawn_people(64, 40).vectors)]), "x", (), Watch.quiet()
    ).as_record()
    assert unknown["backbone"] is None
    assert unknown["collections"][0]["recognition"]["answer"] == "unknown"


def test_only_the_largest_collections_are_recognised() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 16))
    parts = [one_batch(rows[: 5 + at], name=f"c{at}") for at in range(10)]
    marks = [learn(np.random.default_rng(1).normal(size=(200, 16)), "x")]
    found = look_into(MemoryStore(parts), "x", marks, Watch.quiet())
    assert [one is None for one in found.recognitions] == [True, True, *[False] * 8]
    text = shown(MemoryStore([one_batch(rows, name=f"c{at}") for at in range(14)]))
    assert "2 more; --json has all of them" in text


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[MemoryStore], None]:
    """What ``open_store`` gives."""

    def use(store: MemoryStore) -> None:
        monkeypatch.setattr("audit.stores_tools.open_store", lambda location: store)

    return use


Opened = Callable[[MemoryStore], None]


def test_from_the_command_line(faceleak: Faceleak, opened: Opened) -> None:
    opened(leaked())
    done = faceleak("stores", "inspect", "frs.sql.gz")
    assert done.code == 0
    assert "backbone   dlib, raw" in flat(done.out).replace("backbone ", "backbone   ")
    opened(leaked())
    done = faceleak("stores", "inspect", "frs.sql.gz", "--json")
    assert json.loads(done.out)["backbone"] == "dlib"


@pytest.mark.parametrize("json_too", [False, True])
def test_too_little_read_ends_with_4_after_printing(
    json_too: bool, faceleak: Faceleak, opened: Opened
) -> None:
    opened(leaked(lost=4))
    options = ["--json"] if json_too else []
    done = faceleak("stores", "inspect", "frs.sql.gz", *options)
    assert done.code == 4
    assert "compreface" in done.out
    assert done.error == (
        "faceleak: error: 4 of 40 rows of frs.sql.gz cannot be read: coverage 0.900, below 0.95; "
        "embedding row 3: not a list of numbers"
    )
    opened(leaked(lost=4))
    assert faceleak("stores", "inspect", "frs.sql.gz", "--min-coverage", "0.9").code == 0


def test_a_store_read_in_part_ends_with_4(faceleak: Faceleak, opened: Opened) -> None:
    opened(leaked(broken="page 7 is damaged"))
    done = faceleak("stores", "inspect", "frs.sql.gz", "--min-coverage", "0")
    assert done.code == 4
    assert "broken page 7 is damaged" in flat(done.out)
    assert "read in part: page 7 is damaged" in done.error


def test_coverage_is_exact_at_the_limit() -> None:
    found = look_into(leaked(lost=4), "x", (), Watch.quiet())
    found.check_coverage(0.9)
    with pytest.raises(CoverageError, match=r"below 0\.901"):
        found.check_coverage(0.901)


def test_a_further_candidate_is_learnt_on_the_spot(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.stores_tools.shipped_fingerprints", lambda: ())
    monkeypatch.setattr("audit.stores_tools.FACES", 200)
    opened(leaked())
    assert inspect_store("x", Watch.quiet()).backbone is None
    opened(leaked())
    assert inspect_store("x", Watch.quiet(), backbones=["dlib"]).backbone == "dlib"
    with pytest.raises(UnknownNameError, match="no-such"):
        inspect_store("x", Watch.quiet(), backbones=["no-such"])


def test_nothing_there(faceleak: Faceleak) -> None:
    done = faceleak("stores", "inspect", "nowhere.npy")
    assert done.code == 2
    assert "nowhere.npy" in done.error
