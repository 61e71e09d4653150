"""Changes of code and settings beside the failures that followed them.

A function tells only its last change (LastModified); the table `deployments` also tells earlier
versions and the events of the stack.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.failures import failures
from investigate.evidence import Evidence, timestamp
from investigate.settings import FUNCTION_ROLES, LOGICAL_NAMES

_COLUMNS = {
    "resource": "string", "kind": "string", "at_utc": "timestamp", "what": "string",
    "version": "string",
}  # fmt: skip


def changes(evidence: Evidence) -> ir.Table:
    """Return the known changes up to the end of the capture: resource, kind, at_utc, what,
    version; each once. Needs functions."""
    functions = evidence["functions"]
    last = functions.select(
        resource="name", kind=ibis.literal("function"), at_utc="last_modified_utc",
        what=ibis.literal("last modified"), version=ibis.literal("$LATEST"),
    )  # fmt: skip
    last = last.filter(last.at_utc.notnull())
    parts = [last.select(list(_COLUMNS)).cast(_COLUMNS)]
    if evidence.has("deployments"):
        told = evidence["deployments"]
        # The stack knows a function by the name that its template gives it.
        own = {LOGICAL_NAMES[f"{role} function"]: role for role in FUNCTION_ROLES}
        known = functions.select("role", physical="name")
        role = ibis.cases(*((told.resource == name, role) for name, role in own.items()))
        told = told.mutate(own=role).left_join(known, ibis._.own == known.role)
        told = told.mutate(resource=ibis.coalesce(told.physical, told.resource))
        told = told.select(list(_COLUMNS)).cast(_COLUMNS).distinct()
        parts = [told, parts[0].anti_join(told, ["resource", "at_utc"])]
    return ibis.union(*parts)


def near_failures(evidence: Evidence) -> tuple[ir.Table, str]:
    """Return the functions whose failures began within `change_seconds` after a change of theirs:
    function, changed_utc, what, failed_utc (the first failure after it), failures; and in words
    what is unknown. Left out are changes before the window, and those with a failure of the same
    function in the `change_seconds` before them, which speaks against the change."""
    failed = failures(evidence).select("function", "at_utc")
    failed = failed.filter(failed.at_utc.notnull())
    made = changes(evidence)
    made = made.select("what", function="resource", changed_utc="at_utc")
    pairs = made.inner_join(failed, "function")
    spell = ibis.interval(seconds=evidence.thresholds.change_seconds)
    after = pairs.at_utc >= pairs.changed_utc
    counted = pairs.group_by("function", "changed_utc", "what").agg(
        failed_utc=pairs.at_utc.min(where=after),
        failures=after.sum(),
        before=(~after & (pairs.at_utc >= pairs.changed_utc - spell)).sum(),
    )
    begun = counted.filter(
        counted.failed_utc <= counted.changed_utc + spell, counted.before == 0
    ).drop("before")
    # What changed before anything was captured has no time before it to compare with.
    start = timestamp(evidence.window.start)
    begun = begun.filter(begun.changed_utc >= start)
    if not evidence.engine.count(failed):
        return begun, ""
    if not evidence.has("deployments"):
        return begun, f"earlier changes are unknown ({evidence.capture_gap('deployments')})"
    return begun, "; ".join(evidence.gaps(("deployments",)))
