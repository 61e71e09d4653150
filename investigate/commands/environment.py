"""What is installed here, and whether it is what the package asks for."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from investigate.engine import open_engine
from investigate.errors import EngineError

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?P<bounds>[^;]*)")
_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9][0-9A-Za-z.]*)")
_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield what there is, its version, and what is needed in its place; empty if it fits."""
    yield "python", platform.python_version(), ""
    yield "investigate", version("investigate"), ""
    for name, bounds in required():
        yield name, *_installed(name, bounds)
    yield "engine", "duckdb", _engine()


def required() -> Iterator[tuple[str, str]]:
    """Yield each package that is always needed, and the versions of it that fit."""
    for text in requires("investigate") or []:
        match = _REQUIREMENT.match(text)
        if match and "extra ==" not in text:
            yield match["name"], match["bounds"].strip()


def fits(found: str, bounds: str) -> bool:
    """Return whether a version is within bounds such as `>=1.44,<2`."""
    return all(_COMPARE[sign](*_aligned(found, bound)) for sign, bound in _BOUND.findall(bounds))


def _aligned(*versions: str) -> tuple[tuple[int, ...], ...]:
    parts = [[int(digits) for digits in re.findall(r"(?:^|\.)(\d+)", text)] for text in versions]
    longest = max(len(numbers) for numbers in parts)
    return tuple(tuple(numbers + [0] * (longest - len(numbers))) for numbers in parts)


def _installed(name: str, bounds: str) -> tuple[str, str]:
    try:
        found = version(name)
    except PackageNotFoundError:
        return "not installed", bounds or "any version"
    return found, "" if fits(found, bounds) else bounds


def _engine() -> str:
    import ibis

    try:
        answer = open_engine().scalar(ibis.literal(20) + ibis.literal(22))
    except EngineError as error:
        return error.message
    return "" if answer == 42 else f"answers {answer} to 20 + 22"
