"""Who may invoke a function, by the statements of its own policy and those of its aliases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from investigate.capture.qualifiers import qualifiers
from investigate.capture.source import Row, Source, coverage_of_error
from investigate.capture.values import json_object
from investigate.case import Coverage
from investigate.errors import AccessError

_SOURCE_ARN = "aws:sourcearn"  # the name of a condition key has no case


@dataclass
class Invokers:
    """Who may invoke a function, as far as it is known, and what could not be asked."""

    rows: list[Row] = field(default_factory=list)
    gaps: list[Coverage] = field(default_factory=list)


def invokers(source: Source, name: str) -> Invokers:
    """Return who may invoke a function, each with `principal` and `source_arn`, and with the
    `qualifier` if only a version or alias may be invoked so; asked for once.

    A function without a policy has none: only roles and users of its account may invoke it. A
    policy that may not be read, or is none, is a gap, and so are aliases that may not be listed.
    """
    return source.once(f"invokers of {name}", lambda: _invokers(source, name))


def _invokers(source: Source, name: str) -> Invokers:
    known, gaps = qualifiers(source, name)
    found = Invokers(gaps=list(gaps))
    for qualifier in (None, *known):
        about = {} if qualifier is None else {"Qualifier": qualifier}
        allowed = _by_policy(source, name, about)
        if isinstance(allowed, Coverage):
            found.gaps.append(allowed)
        else:
            more = {} if qualifier is None else {"qualifier": qualifier}
            found.rows.extend({**one, **more} for one in allowed)
    return found


def _by_policy(source: Source, name: str, about: Mapping[str, str]) -> list[Row] | Coverage:
    try:
        answer = source.connection.call("lambda", "GetPolicy", FunctionName=name, **about)
    except AccessError as error:
        return [] if error.code == "ResourceNotFoundException" else coverage_of_error(error)
    policy = json_object(str(answer.get("Policy", "")))
    if policy is None:
        return Coverage("failed", f"lambda:GetPolicy of {name}: the policy is no JSON")
    return invokers_in(policy)


def invokers_in(policy: Mapping[str, Any]) -> list[Row]:
    """Return whom a policy lets invoke, and through what resource; `source_arn` null: any."""
    return [
        {"principal": principal, "source_arn": arn}
        for statement in _listed(policy.get("Statement"))
        if isinstance(statement, dict) and statement.get("Effect") == "Allow"
        for principal in _principals(statement.get("Principal"))
        for arn in _source_arns(statement.get("Condition")) or [None]
    ]


def _principals(principal: Any) -> Iterator[str]:
    for named in principal.values() if isinstance(principal, dict) else [principal]:
        yield from (str(one) for one in _listed(named))


def _source_arns(condition: Any) -> list[str | None]:
    return [
        str(arn)
        for keys in (condition.values() if isinstance(condition, dict) else ())
        for key, value in (keys.items() if isinstance(keys, dict) else ())
        if key.lower() == _SOURCE_ARN
        for arn in _listed(value)
    ]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
