"""What would become of the messages of a planned replay: whether each names a usable object."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.capture_scope import key_in_reach
from investigate.analysis.loading import NOT_LOOKED_AT, unloadable
from investigate.evidence import Evidence, timestamp

READABLE = "readable"
WOULD_FAIL = "would fail"
UNKNOWN = "unknown"

MISSING = "object missing"
UNUSABLE = "object unusable"
TOO_YOUNG = "the row is too young for this capture to judge that its object is missing"
NOT_SEEN = "the capture could not look at the object"
NOT_LISTED = "the capture did not list the object's key"


def with_prospects(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Return EventsTable rows with `prospect` (readable, would fail, unknown) and `why` it is not
    readable, from what the capture knows of the raw object that each one names."""
    if not evidence.has("raw"):
        return rows.mutate(
            prospect=ibis.literal(UNKNOWN), why=ibis.literal(evidence.capture_gap("raw"))
        )
    joined = _with_objects(evidence, rows)
    old = joined.ingest_time_utc <= timestamp(evidence.judged_until("raw"))
    absent = joined.object_key.isnull()
    fails = joined.problem.notnull() & (~absent | old.fill_null(True))
    good = ~absent & joined.problem.isnull() & joined.usable & ~joined.unlooked
    why_fails = ibis.ifelse(absent, MISSING, _unusable(joined.problem))
    unknown = evidence.capture_gap("raw") if not evidence.is_listed("raw") else TOO_YOUNG
    beyond = absent & ~key_in_reach(evidence, joined)
    why_unknown = ibis.cases((beyond, NOT_LISTED), (absent, unknown), else_=NOT_SEEN)
    found = joined.mutate(
        prospect=ibis.cases((fails, WOULD_FAIL), (good, READABLE), else_=UNKNOWN),
        why=ibis.cases((fails, why_fails), (good, ibis.null("string")), else_=why_unknown),
    )
    return found.drop("problem", "object_key", "usable", "unlooked")


def _unusable(problem: ir.StringValue) -> ir.StringValue:
    return ibis.literal(f"{UNUSABLE} (") + problem.fill_null("no reason recorded") + ")"


def _with_objects(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Rows with the problem that a check would object to, and what is known of their object."""
    hopeless = unloadable(evidence, rows).select("pk", "sk", problem="why")
    raw = evidence["raw"]
    word = raw.error.fill_null("").re_extract("^([a-z0-9-]+)", 1)
    known = raw.group_by(object_key=raw.s3_key).agg(
        usable=raw.readable.fill_null(False).any(), unlooked=word.isin(NOT_LOOKED_AT).any()
    )
    joined = rows.left_join(hopeless, ["pk", "sk"]).drop("pk_right", "sk_right")
    return joined.left_join(known, joined.s3_key == known.object_key)
