"""Who may invoke a function, by the statements of its own policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from investigate.capture.source import Row, Source, gap
from investigate.capture.values import json_object
from investigate.case import Coverage
from investigate.errors import AccessError

_SOURCE_ARN = "aws:sourcearn"  # the name of a condition key has no case


def invokers(source: Source, name: str) -> list[Row] | Coverage:
    """Return who may invoke a function, each with `principal` and `source_arn`, asked for once.

    A function without a policy has none: only roles and users of its account may invoke it. A
    policy that may not be read, or is none, is a gap.
    """
    return source.once(f"invokers of {name}", lambda: _invokers(source, name))


def _invokers(source: Source, name: str) -> list[Row] | Coverage:
    try:
        answer = source.connection.call("lambda", "GetPolicy", FunctionName=name)
    except AccessError as error:
        return [] if error.code == "ResourceNotFoundException" else gap(error)
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
