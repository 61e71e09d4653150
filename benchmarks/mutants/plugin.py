"""A pytest plugin that puts a mutant in a module's place: `INVESTIGATE_MUTANT=module:number`."""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.mutants.mutate import mutants

NAMED = "INVESTIGATE_MUTANT"


class _Loader(importlib.abc.Loader):
    def __init__(self, source: str, origin: str) -> None:
        self._source, self._origin = source, origin

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._origin, "exec"), module.__dict__)  # noqa: S102


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module, and finds a mutant of it."""

    def __init__(self, module: str, number: int) -> None:
        self._module, self._number = module, number

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Return the mutant's spec for the module's name, and nothing for any other."""
        if name != self._module:
            return None
        real = PathFinder.find_spec(name, path)
        if real is None or real.origin is None:
            return None
        written = Path(real.origin).read_text(encoding="utf-8")
        source = mutants(written)[self._number].source
        return importlib.util.spec_from_loader(
            name, _Loader(source, real.origin), origin=real.origin
        )


if NAMED in os.environ:
    module, _, number = os.environ[NAMED].partition(":")
    sys.meta_path.insert(0, Finder(module, int(number)))
