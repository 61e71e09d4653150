"""What the figures of failures show: classes, fingerprints, and permissions that were lacking."""

from __future__ import annotations

from typing import Any

import ibis

from investigate.analysis.error_rules import (
    denied_action,
    denied_resource,
    denied_role,
    kind_of,
    lasting_of,
    why_of,
)
from investigate.analysis.failures import failures, groups
from investigate.evidence import Evidence
from investigate.numbers.bins import (
    listed,
    sample_ids,
    with_ids,
)

MOST_CLASSES, MOST_FINGERPRINTS, MOST_DENIED = 30, 30, 30


def failure_classes(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many failures of which class each function had, the most first: function, failure
    (the class), failures, `earlier` and `later` (in the first and second half of the time from
    the window's start to the capture) and runs (attempts of the function that were logged; None if
    not known), ids (of requests: two examples of few)."""
    rows = groups(evidence)
    counted = rows.group_by("function", "failure").agg(
        failures=rows.failures.sum(), earlier=rows.earlier.sum(), later=rows.later.sum(),
        runs=rows.runs.max(), **sample_ids(rows.example),
    )  # fmt: skip
    order = [ibis.desc("failures"), "function", "failure"]
    return with_ids(listed(evidence, counted.order_by(order), most=MOST_CLASSES), "failures")


def failure_fingerprints(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the errors without what differs each time, ranked per function by how many more there
    are in the second half of the time: function, rank, failure, fingerprint, failures, earlier,
    later, more, lasting, why, first, last, example (a request id) and of_fingerprints."""
    rows = groups(evidence)
    rows = rows.mutate(more=rows.later - rows.earlier, of_fingerprints=rows.count().over())
    order = [ibis.desc("more"), ibis.desc("failures"), "failure", "fingerprint"]
    rank = ibis.row_number().over(group_by="function", order_by=order) + 1
    # Some failures have no words of their own (a timeout); the class then says what they are.
    error = rows.failure + ": " + rows.fingerprint
    shown = rows.mutate(rank=rank).select(
        "function", "rank", "failure", "fingerprint", "failures", "earlier", "later", "more",
        "example", "of_fingerprints", lasting=lasting_of(error),
        why=why_of(error), first="first_utc", last="last_utc",
    )  # fmt: skip
    shown = shown.order_by("rank", ibis.desc("failures"), "function")
    return listed(evidence, shown, "first", "last", most=MOST_FINGERPRINTS)


def denied_access(evidence: Evidence) -> list[dict[str, Any]]:
    """Return which permissions were lacking, the most often first: action, resource, role (None
    where the error names none), functions, failures, first and last."""
    rows = failures(evidence)
    rows = rows.filter(kind_of(rows.error) == "access-denied")
    named = rows.mutate(
        action=denied_action(rows.error),
        resource=denied_resource(rows.error),
        role=denied_role(rows.error),
    )
    counted = named.group_by("action", "resource", "role", "function").agg(
        failures=named.count(), first=named.at_utc.min(), last=named.at_utc.max()
    )
    order = [ibis.desc("failures"), "action", "resource", "role", "function"]
    return listed(evidence, counted.order_by(order), "first", "last", most=MOST_DENIED)
