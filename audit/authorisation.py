"""``authorization.yaml``: somebody answers for what is done with a store.

It is a form and not a lock: it makes whoever inverts a store write down whose it is, what for, on
what legal basis and until when, and who allowed it. Nothing here can tell whether that is true.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biometrics.errors import InputError, NotAuthorisedError
from biometrics.stores.source import FORM, FileSource, FolderSource, Source
from biometrics.strict_yaml import YamlError, parse_yaml
from biometrics.templates import GENERATOR
from reports.files import write_private

LARGEST = 64 << 10
"""Bytes of a form."""

DAYS = 90
"""How long a form is valid where nobody says."""

PLACEHOLDERS = {
    "owner": "<who owns the store>",
    "purpose": "<what it is audited for>",
    "legal_basis": "<on what legal basis, such as a contract or the owner's consent>",
    "authorised_by": "<name and position of the person who signs>",
}
"""What only a person can say, and what stands there until somebody does."""

DATES = ("valid_from", "valid_until")
FIELDS = ("store", "sha256", *PLACEHOLDERS, *DATES, "signed")

_HEAD = """\
# Authorisation to invert a store of face templates. Fill in what stands in <...>, check the rest,
# and let the person who answers for it change "signed: no" to "signed: yes".
# It holds for the store with this sha256 alone: a store that changes needs a new one.
"""


@dataclass(frozen=True)
class Authorisation:
    """A form as it stands in a file.

    Attributes:
        store, sha256: name and hash of the store that it was made for.
        owner, purpose, legal_basis, authorised_by: text; may still be a placeholder.
        valid_from, valid_until: first and last day.
        signed: whether a person signed.
    """

    store: str
    sha256: str
    owner: str
    purpose: str
    legal_basis: str
    authorised_by: str
    valid_from: datetime.date
    valid_until: datetime.date
    signed: bool

    @property
    def missing(self) -> list[str]:
        """The fields that nobody filled in."""
        return [name for name in PLACEHOLDERS if not _filled(getattr(self, name))]

    @property
    def touched(self) -> bool:
        """Whether somebody filled in anything, or signed."""
        return self.signed or len(self.missing) < len(PLACEHOLDERS)


def needs_authorisation(store: Source) -> bool:
    """Whether a store may be inverted with a form only.

    Exempt are Parquet files whose metadata say that faceleak made the templates, from pictures: by
    ``faceleak embed`` or in an audit of faces. What an audit of a store keeps of that store is not
    among them. Anybody can write these metadata; this keeps the honest from
    filling in forms for their own pictures, and stops nobody else.
    """
    if not isinstance(store, FileSource) or store.form != "parquet" or store.gzip:
        return True
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(store.path).metadata or {}
        about = json.loads(metadata.get(b"faceleak", b"null"))
    except (OSError, ValueError, RecursionError, pa.ArrowException):
        return True
    return not (isinstance(about, dict) and about.get("generator") == GENERATOR)


def write_form(
    store: Source,
    out: Path | None = None,
    *,
    today: datetime.date | None = None,
    owner: str = "",
    purpose: str = "",
    legal_basis: str = "",
    until: datetime.date | None = None,
) -> Path:
    """Write a form for a store, ready to be filled in and signed; its path.

    Args:
        store: reads all of it, for the hash.
        out: the file; :data:`FORM` beside the store where None, or in the current folder for a
            database.
        today: the first day.
        owner, purpose, legal_basis: what is known already.
        until: the last day; :data:`DAYS` days from the first where None.

    Raises:
        InputError: there is a form in which somebody filled in something, or another file.
    """
    path = out or _beside(store)
    first = today or datetime.date.today()
    last = until or first + datetime.timedelta(days=DAYS)
    if last < first:
        raise InputError(f"the last day {last} lies before the first, {first}; change --until")
    _keep_what_is_filled_in(path)
    given = {"owner": owner, "purpose": purpose, "legal_basis": legal_basis, "authorised_by": ""}
    values = {
        "store": _shown(store.name),
        "sha256": store.sha256(),
        **{name: _shown(text) or PLACEHOLDERS[name] for name, text in given.items()},
    }
    lines = [f"{name}: {json.dumps(text, ensure_ascii=False)}" for name, text in values.items()]
    lines += [f"valid_from: {first}", f"valid_until: {last}", "signed: no"]
    content = _HEAD + "\n".join(lines) + "\n"
    try:
        write_private(path, content.encode())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; -o names another file") from error
    return path


def check_authorisation(
    store: Source, *, path: Path | None = None, today: datetime.date | None = None
) -> Authorisation:
    """The form that allows to invert a store.

    Args:
        store: reads all of it, for the hash.
        path: the form; where None it is looked for beside the store, in it where it is a folder,
            then in the current folder.
        today: the day that counts.

    Raises:
        NotAuthorisedError: there is none, it is not filled in or not signed, or it holds for
            another store or other days.
    """
    inside = [store.path / FORM] if isinstance(store, FolderSource) else []
    places = [_beside(store), *inside, Path(FORM)]
    found = path or next((p for p in places if p.is_file()), None)
    if found is None:
        raise NotAuthorisedError(
            f"{store.name}: no {FORM} beside it or in this folder; 'faceleak authorize' writes one "
            "to fill in and sign, --authorization names another"
        )
    form = read_form(found)
    if form.missing:
        raise NotAuthorisedError(f"{found}: '{form.missing[0]}' is not filled in")
    if not form.signed:
        raise NotAuthorisedError(
            f"{found}: not signed; the person who answers for it changes 'signed: no' to "
            "'signed: yes'"
        )
    day = today or datetime.date.today()
    if day < form.valid_from:
        raise NotAuthorisedError(f"{found}: not valid before {form.valid_from}; today is {day}")
    if day > form.valid_until:
        raise NotAuthorisedError(f"{found}: no longer valid since {form.valid_until} has passed")
    if form.sha256.lower() != store.sha256():
        raise NotAuthorisedError(
            f"{found}: made for another store, or {store.name} has changed since (sha256 differs); "
            "'faceleak authorize' writes a form for this one"
        )
    return form


def check_one_of(store: Source, forms: Sequence[Path]) -> Authorisation | None:
    """The same where one of several forms may be the store's own, told by its hash; None for a
    store that needs none.

    Args:
        store: reads all of it, for the hash.
        forms: of several stores; where none is of this one, its own is looked for as above.

    Raises:
        NotAuthorisedError: as above.
    """
    if not needs_authorisation(store):
        return None
    own = [path for path in forms if read_form(path).sha256.lower() == store.sha256()]
    beside = _beside(store).is_file() or not forms
    return check_authorisation(store, path=own[0] if own else None if beside else forms[-1])


def read_form(path: Path) -> Authorisation:
    """A form as it stands there.

    Raises:
        NotAuthorisedError: no such file, or no form: unknown or missing keys, values of another
            kind.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise NotAuthorisedError(f"{path}: larger than {LARGEST >> 10} KiB; that is no form")
        found = parse_yaml(content.decode("utf-8"), str(path))
    except OSError as error:
        raise NotAuthorisedError(f"{path}: cannot be read: {error.strerror}") from error
    except YamlError as error:
        raise NotAuthorisedError(str(error)) from error
    except (ValueError, RecursionError, TypeError) as error:
        raise NotAuthorisedError(f"{path}: not readable as YAML in UTF-8") from error
    return Authorisation(**_checked(found, path))


def _checked(found: Any, path: Path) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise NotAuthorisedError(f"{path}: no form; 'faceleak authorize' writes one")
    unknown = [str(name) for name in found if name not in FIELDS]
    if unknown:
        raise NotAuthorisedError(f"{path}: unknown key '{unknown[0]}'; known: {', '.join(FIELDS)}")
    for name in FIELDS:
        if name not in found:
            raise NotAuthorisedError(f"{path}: '{name}' is missing")
        kind: type = {"signed": bool, **dict.fromkeys(DATES, datetime.date)}.get(name, str)
        value = found[name]
        if value is None and kind is str:
            found[name] = ""
        elif not isinstance(value, kind) or isinstance(value, datetime.datetime):
            wanted = {bool: "yes or no", str: "text in quotes"}.get(kind, "a day, as 2026-12-31")
            raise NotAuthorisedError(f"{path}: '{name}' must be {wanted}")
    return found


def _shown(text: str) -> str:
    """On one line, without what YAML or a screen cannot show."""
    return " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())


def _filled(text: str) -> bool:
    words = text.strip()
    return bool(words) and not (words.startswith("<") and words.endswith(">"))


def _beside(store: Source) -> Path:
    """Also of a folder: what reads its files next need not know about the form."""
    if isinstance(store, FileSource | FolderSource):
        return store.path.absolute().parent / FORM
    return Path(FORM)


def _keep_what_is_filled_in(path: Path) -> None:
    if not path.exists():
        return
    try:
        touched = read_form(path).touched
    except NotAuthorisedError:
        touched = True
    if touched:
        raise InputError(f"{path} is there and is no untouched form; -o names another file")
