"""Arrays under keys, as ``.npz`` and safetensors hold them: which are templates, which say whose
they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from biometrics.stores.arrays import ArrayForm
from biometrics.stores.limits import Limits
from biometrics.stores.loose import LEAST, roles_of

_OUR_WORDS = re.compile(
    r"arr_\d+|x|[xy]_?(train|test|val)|(train|test|val)_?[xy]?|data|.*(embed|encod|vector|feature|"
    r"templat|descript|matri|tensor|array|gallery|probe|mean|centroid|centre|center|face).*",
    re.IGNORECASE,
)
"""Keys that say what an array is; others are taken for the name of the person it belongs to where
several arrays are templates."""


@dataclass(frozen=True)
class KeyedArrays:
    """What lies under which key.

    Attributes:
        templates: keys of arrays of templates, in order.
        people: whether each key is the name of a person.
        ids, subjects, names: key of the array that says it, by the key of templates.
    """

    templates: tuple[str, ...]
    people: bool
    ids: Mapping[str, str]
    subjects: Mapping[str, str]
    names: Mapping[str, str]

    @classmethod
    def of(cls, forms: Mapping[str, ArrayForm], limits: Limits) -> KeyedArrays:
        """By shapes, types and keys: floats [N, D] are templates, floats [D] too where there are
        none of these, text and whole numbers [N] belong to the templates of that length."""
        tables = [key for key, form in forms.items() if _is_table(form, limits, rows=2)]
        singles = [key for key, form in forms.items() if _is_table(form, limits, rows=1)]
        lists = {
            key: form.shape[0]
            for key, form in forms.items()
            if len(form.shape) == 1 and form.dtype.kind in "USiu"
        }
        found = tables or [key for key in singles if key not in lists]
        if tables and not lists:
            same = {forms[key].shape[-1] for key in (*tables, *singles)}
            found = [*tables, *singles] if len(same) == 1 else tables
        found = [key for key in forms if key in found]
        people = len(found) > 1 and not lists and not any(map(_OUR_WORDS.fullmatch, found))
        ids: dict[str, str] = {}
        subjects: dict[str, str] = {}
        names: dict[str, str] = {}
        for key in found:
            table = forms[key].table
            near = [name for name, count in lists.items() if table and count == table[0]]
            roles = roles_of([_role(name) for name in near])
            by_role = {_role(name): name for name in reversed(near)}
            for target, role in ((ids, roles.id), (subjects, roles.subject), (names, roles.name)):
                if role is not None:
                    target[key] = by_role[role]
            said = subjects.get(key)
            texts = said is not None and forms[said].dtype.kind in "US"
            if said and texts and not said.lower().endswith("id"):
                names.setdefault(key, said)  # labels in words
            if not {key} & (ids.keys() | subjects.keys() | names.keys()):
                _by_position(key, near, forms, subjects, names)
        return cls(tuple(found), people, ids, subjects, names)

    def collection(self, key: str) -> str:
        """A name for the templates under a key that names nobody."""
        return "arrays" if self.people else key[:80]


def _by_position(
    key: str,
    near: list[str],
    forms: Mapping[str, ArrayForm],
    subjects: dict[str, str],
    names: dict[str, str],
) -> None:
    """The array after the templates, as ``np.savez(path, X, y)`` and (trainX, trainy) have it."""
    order = list(forms)
    after = [name for name in near if order.index(name) > order.index(key)]
    if after:
        subjects[key] = after[0]
        if forms[after[0]].dtype.kind in "US":
            names[key] = after[0]


def _role(key: str) -> str:
    """``train_labels`` and ``face_names`` are labels and names."""
    last = re.split(r"[^A-Za-z]+", key.strip())[-1] or key
    return key if roles_of([key]) != roles_of([]) else last


def _is_table(form: ArrayForm, limits: Limits, *, rows: int) -> bool:
    """Whether floats with as many axes as that many rows take."""
    table = form.table
    if table is None or form.dtype.kind != "f" or not LEAST <= table[1] <= limits.dim:
        return False
    return (len(form.shape) >= 2) == (rows > 1)
