"""Which designs of pipelines there are on this machine, by name, and what a case records of one.

A design comes from this package, from an installed one (entry points of the group
`investigate.pipelines`), or from the environment variable `INVESTIGATE_PIPELINES`, which lists
them as `module:name`, separated by commas. A case only ever names a design: what it names is looked
up here, and nothing is loaded from where the case is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from investigate.errors import CaseDamagedError, DesignError, quoted
from investigate.pipeline import REFERENCE, Design

GROUP = "investigate.pipelines"
VARIABLE = "INVESTIGATE_PIPELINES"
# Those of this package; imported when one is asked for.
_OWN = {"meter-readings": "investigate.sandbox.meter_readings:METER_READINGS"}
_HOW = f"install the package that has it, or set {VARIABLE}=module:name; docs/another-pipeline.md"


def known_designs() -> tuple[str, ...]:
    """Return the names of the designs that can be used here, the reference pipeline first.

    Raises `DesignError` for an entry of the environment variable that names no design.
    """
    return (REFERENCE.name, *sorted(_places(os.environ.get(VARIABLE, ""))))


def design_named(name: str) -> Design:
    """Return a design; raise `DesignError` naming those there are, or what is wrong with it."""
    if name == REFERENCE.name:
        return REFERENCE
    places = _places(os.environ.get(VARIABLE, ""))
    if name not in places:
        known = ", ".join(known_designs())
        raise DesignError(
            f"there is no design of a pipeline {quoted(name)} here (known: {known})",
            hint=_HOW,
        )
    found = _loaded(places[name])
    if found.name != name:
        raise DesignError(
            f"{places[name]} calls itself {found.name!r}, not {name!r}",
            hint="give the entry point the name of its design",
        )
    return found


def recorded(design: Design) -> dict[str, Any]:
    """Return what a case records of a design: its name, and all that it says of the pipeline."""
    facts = asdict(design)
    del facts["name"]
    return {"name": design.name, "facts": facts}


def recorded_design(told: Mapping[str, Any] | None) -> Design:
    """Return the design that a case was captured with (None: that of the reference pipeline).

    Raises `DesignError` if it is not installed, or is installed and says something else: the rows
    of the case were made by what it said then.
    """
    if told is None:
        return REFERENCE
    name, facts = told["name"], told["facts"]
    if not isinstance(name, str) or not isinstance(facts, Mapping):
        raise CaseDamagedError("its design is no name with facts")
    design = design_named(name)
    # A fact that a later version of this package has, and the case not, had its default then.
    now = recorded(design)["facts"]
    then = {**{one: _plain(value) for one, value in _defaults().items()}, **facts}
    changed = sorted(one for one in {*now, *then} if _plain(now.get(one)) != then.get(one))
    if changed:
        raise DesignError(
            f"the design {name!r} that is installed is not the one of the case: it differs in "
            + (", ".join(one for one in changed if one in now) or "facts that are unknown here"),
            hint="install the version that the case was captured with, or capture it again",
        )
    return design


def _defaults() -> dict[str, Any]:
    return {one.name: one.default for one in fields(Design) if one.default is not MISSING}


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _places(variable: str) -> dict[str, str]:
    """Return where each design is, by its name; what the person names comes first."""
    installed = {one.name: one.value for one in entry_points(group=GROUP)}
    named = (text.strip() for text in variable.split(","))
    given = {_loaded(text).name: text for text in named if text}
    return {**_OWN, **installed, **given}


@cache
def _loaded(place: str) -> Design:
    entry = EntryPoint(place, place, GROUP)
    if not entry.pattern.match(place) or not entry.attr:
        raise DesignError(
            f"{place!r} names no design of a pipeline", hint=f"write {VARIABLE}=module:name"
        )
    try:
        found = entry.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise DesignError(
            f"the design of a pipeline {place} cannot be loaded: {error}", hint=_HOW
        ) from error
    except (TypeError, ValueError) as error:
        raise DesignError(
            f"{place} describes no pipeline: {error}", hint="see docs/another-pipeline.md"
        ) from error
    if not isinstance(found, Design):
        raise DesignError(
            f"{place} is a {type(found).__name__}, not a Design of a pipeline",
            hint="see docs/another-pipeline.md",
        )
    return found
