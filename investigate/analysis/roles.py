"""Which function plays which role, so that a check reads the invocations of the right one."""

from __future__ import annotations

import ibis.expr.types as ir

from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import counted


def functions_of(evidence: Evidence, role: str) -> ir.Table:
    """Return the captured functions of a role."""
    functions = evidence["functions"]
    return functions.filter(functions.role == role)


def invocations_of(evidence: Evidence, role: str) -> ir.Table:
    """Return the invocations of the functions of a role; none if no function has it."""

    def made(known: Evidence) -> ir.Table:
        functions = known["functions"].select("role", function="name")
        return known["invocations"].semi_join(functions.filter(functions.role == role), "function")

    return evidence.view(f"invocations of {role}", made)


def unended_gap(evidence: Evidence, role: str) -> str:
    """Say in words how many invocations of a role have no end in the log, long after they began;
    empty if every one has. How such a one ended is unknown."""

    def unknown(known: Evidence) -> int:
        calls = invocations_of(known, role).select("started_utc", "status")
        calls = known.settled(calls.filter(calls.status.isnull()), "started_utc")
        return known.engine.count(calls)

    count = evidence.fact(f"unended invocations of {role}", unknown)
    return f"the end of {counted(count, f'{role} invocation')} is not in the log" if count else ""


def require_role(evidence: Evidence, role: str) -> None:
    """Raise `NotEvaluable` if no captured function has the role."""

    def played(known: Evidence) -> int:
        roles = known["functions"].select("role")
        return known.engine.count(roles.filter(roles.role == role))

    if not evidence.fact(f"functions of the role {role}", played):
        raise NotEvaluable(f"functions: none has the role {role}")
