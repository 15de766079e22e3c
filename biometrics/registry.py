"""One registry for every kind of plug-in: built-in modules first, then entry points."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, NamedTuple, TypeVar

from biometrics.errors import ConfigError, FaceleakError, UnknownNameError

T = TypeVar("T")


class DuplicateNameError(FaceleakError):
    """Two plug-ins claim one name."""


class Family(NamedTuple, Generic[T]):
    """Plug-ins made on demand from what stands behind a prefix, such as a file's name.

    Attributes:
        make: the plug-in for what stands behind ``prefix:``; it looks at no file yet.
        rest: what belongs there, in a word, such as ``FILE``.
        packages: importable names that it does not work without.
    """

    make: Callable[[str], T]
    rest: str
    packages: tuple[str, ...] = ()


class Registry(Generic[T]):
    """Named plug-ins of one kind.

    A name is looked up among the registered ones first; a name ``prefix:rest`` that is not there
    goes to the family of that prefix.

    Nothing is imported until the first look-up: then every module of the ``builtin`` package,
    and after it what other packages announce under the entry-point ``group``, is imported once,
    and each registers itself by the decorator.

    Args:
        kind: the word used in messages, such as ``backbone``.
        group: the entry-point group, such as ``faceleak.backbones``.
        builtin: the package whose modules hold the plug-ins that ship.
    """

    def __init__(self, kind: str, *, group: str, builtin: str) -> None:
        self.kind, self.group, self.builtin = kind, group, builtin
        self._entries: dict[str, T] = {}
        self._families: dict[str, Family[T]] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files a plug-in under ``name``; a name taken twice raises."""

        def file(entry: T) -> T:
            if self._entries.get(name, entry) is not entry:
                raise DuplicateNameError(f"{self.kind} '{name}' is registered twice")
            self._entries[name] = entry
            return entry

        return file

    def register_family(
        self, prefix: str, rest: str, *, packages: tuple[str, ...] = ()
    ) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
        """Decorator that files a function under ``prefix``: it gets what stands behind
        ``prefix:`` and gives the plug-in; a prefix taken twice raises.

        Args:
            prefix: without the colon.
            rest: what belongs behind it, for messages, such as ``FILE``.
            packages: importable names that it does not work without.
        """

        def file(make: Callable[[str], T]) -> Callable[[str], T]:
            if prefix in self._families and self._families[prefix].make is not make:
                raise DuplicateNameError(f"{self.kind} '{prefix}:' is registered twice")
            self._families[prefix] = Family(make, rest, packages)
            return make

        return file

    def families(self) -> dict[str, Family[T]]:
        """The families by how their names are written, such as ``onnx:FILE``, sorted."""
        self._load()
        return {f"{prefix}:{f.rest}": f for prefix, f in sorted(self._families.items())}

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """The plug-in of that name, or of the family of its prefix.

        Raises:
            UnknownNameError: listing the known names.
            ConfigError: nothing stands behind a known prefix.
        """
        self._load()
        if name in self._entries:
            return self._entries[name]
        prefix, colon, rest = name.partition(":")
        family = self._families.get(prefix) if colon else None
        if family is None:
            # What stands behind the colon is the user's: only the prefix can be misspelt.
            near = [f"{known}:{rest}" for known in self._families] if colon else ()
            raise UnknownNameError(self.kind, name, [*self._entries, *self.families()], near)
        if not rest:
            raise ConfigError(f"{self.kind} '{name}' names nothing: write {prefix}:{family.rest}")
        return family.make(rest)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True  # set first: a plug-in's module may ask for another plug-in
        try:
            package = importlib.import_module(self.builtin)
            for module in pkgutil.iter_modules(package.__path__, f"{self.builtin}."):
                importlib.import_module(module.name)
            for point in entry_points(group=self.group):
                self._load_point(point)
        except BaseException:
            self._loaded = False  # the next look-up must not find half a registry without a word
            raise

    def _load_point(self, point: EntryPoint) -> None:
        try:
            point.load()
        except FaceleakError:
            raise
        except Exception as error:  # somebody else's module: it may raise anything
            raise FaceleakError(
                f"the {self.kind} plug-in '{point.name}' ({point.value}) cannot be loaded: {error}"
            ) from error
