"""One registry for every kind of plug-in: built-in modules first, then entry points."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from biometrics.errors import FaceleakError, UnknownNameError

T = TypeVar("T")


class DuplicateNameError(FaceleakError):
    """Two plug-ins claim one name."""


class Registry(Generic[T]):
    """Named plug-ins of one kind.

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
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files a plug-in under ``name``; a name taken twice raises."""

        def file(entry: T) -> T:
            if self._entries.get(name, entry) is not entry:
                raise DuplicateNameError(f"{self.kind} '{name}' is registered twice")
            self._entries[name] = entry
            return entry

        return file

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """The plug-in of that name.

        Raises:
            UnknownNameError: listing the known names.
        """
        self._load()
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self._entries)
        return self._entries[name]

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
