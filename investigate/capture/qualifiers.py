"""By what else a function may be called: its aliases, and versions with settings of their own.

A policy, a rule's target and a subscription each hold for one qualified ARN: what an alias is asked
through is not found by the function's own name (AWS Lambda developer guide, "Using Lambda aliases
in event sources and permissions policies").
"""

from __future__ import annotations

from investigate.capture.source import Source, coverage_of_error
from investigate.case import Coverage
from investigate.errors import AccessError

LATEST = "$LATEST"


def qualifier_of(function_arn: str) -> str:
    """Return the version or alias at the end of a function's ARN; without one, $LATEST."""
    parts = function_arn.split(":")
    return parts[7] if len(parts) > 7 else LATEST


def unqualified(arn: str) -> str:
    """Return the ARN of a function without its version or alias; any other ARN as it is."""
    return ":".join(arn.split(":")[:7]) if ":function:" in arn else arn


def qualifiers(source: Source, name: str) -> tuple[list[str], list[Coverage]]:
    """Return the qualifiers of a function that are known, but $LATEST, and what could not be asked;
    asked for once.

    Versions count only where they have settings for asynchronous calls: a function may have
    thousands, and nearly nobody calls one by its number.
    """
    return source.once(f"qualifiers of {name}", lambda: _qualifiers(source, name))


def _qualifiers(source: Source, name: str) -> tuple[list[str], list[Coverage]]:
    found: set[str] = set()
    gaps: list[Coverage] = []
    for role, function in source.names.functions.items():
        configs = source.invoke_configs[role]
        if function == name and not isinstance(configs, Coverage):
            found.update(qualifier_of(one["FunctionArn"]) for one in configs)
    try:
        for page in source.connection.pages("lambda", "ListAliases", FunctionName=name):
            found.update(str(one["Name"]) for one in page["Aliases"])
    except AccessError as error:
        gaps.append(coverage_of_error(error))
    return sorted(found - {LATEST}), gaps
