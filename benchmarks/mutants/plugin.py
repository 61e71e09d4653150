"""A mutant in a module's place, and the tests of what it judges first."""

from __future__ import annotations

import importlib.abc
import importlib.util
import inspect
import sys
from collections.abc import Collection, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import pytest


class _Loader(importlib.abc.Loader):
    def __init__(self, source: str, origin: str) -> None:
        self._source, self._origin = source, origin

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._origin, "exec"), module.__dict__)  # noqa: S102


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module, and finds other source for it."""

    def __init__(self, module: str, source: str) -> None:
        self._module, self._source = module, source

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Return the mutant's spec for the module's name, and nothing for any other."""
        real = PathFinder.find_spec(name, path) if name == self._module else None
        if real is None or real.origin is None:
            return None
        loader = _Loader(self._source, real.origin)
        return importlib.util.spec_from_loader(name, loader, origin=real.origin)


class Telling:
    """Puts the tests that name one of these codes first: they are the likeliest to notice."""

    def __init__(self, codes: Collection[str]) -> None:
        self._codes = codes

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Sort the tests, and leave the order of the others as it is."""
        items.sort(key=lambda item: not self._names_one(item))

    def _names_one(self, item: Any) -> bool:
        source = inspect.getsource(item.function)
        return any(f'"{code}"' in source for code in self._codes)


def put(module: str, source: str) -> None:
    """Let the next import of the package find this source in the place of one of its modules."""
    for name in [known for known in sys.modules if known.split(".")[0] in ("investigate", "tests")]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(module, source))
