"""Whether the processor can load the raw object that a message names."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from investigate.analysis.capture_scope import key_in_reach
from investigate.analysis.objects import unfetched_gap
from investigate.engine import differ
from investigate.evidence import Evidence

# Only these say nothing about the object: the capture was refused, or did not get through.
NOT_LOOKED_AT = ("denied", "failed")  # of pipeline.ACCESS_ERRORS
NOT_THEN = (*NOT_LOOKED_AT, "archived")  # what is archived now may have been loaded before


def unloadable(
    evidence: Evidence, rows: ir.Table, *, hidden: Sequence[str] = NOT_LOOKED_AT
) -> ir.Table:
    """Return the rows whose `s3_key` names no readable raw object, with `why`.

    A key that no object has counts only if raw was listed wholly, and this key's event date with
    it; an object that the capture could not look at never does (`count_unverifiable` counts those).
    """
    joined = _with_object(evidence, _in_doubt(evidence, rows), hidden)
    absent = joined.object_key.isnull() & ibis.literal(evidence.is_listed("raw"))
    absent = absent & key_in_reach(evidence, joined)
    broken = joined.object_key.notnull() & ~joined.readable & ~joined.unlooked
    why = ibis.ifelse(joined.object_key.isnull(), "no object has this key", joined.error)
    found = joined.mutate(why=why).filter(absent | broken)
    return found.drop("object_key", "readable", "unlooked", "error")


def count_unverifiable(
    evidence: Evidence, rows: ir.Table, *, hidden: Sequence[str] = NOT_LOOKED_AT
) -> int:
    """Return how many rows name a raw object that the capture could not look at, or a key that it
    did not list."""
    if not (unfetched_gap(evidence) or evidence.case.event_dates or evidence.case.scope_entities):
        return 0
    joined = _with_object(evidence, _in_doubt(evidence, rows), hidden)
    unlisted = joined.object_key.isnull() & ~key_in_reach(evidence, joined)
    unknown = joined.unlooked.fill_null(False) | unlisted
    return evidence.engine.count(joined.filter(unknown))


def _in_doubt(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Leave out the rows whose key stands for nothing but readable objects: nearly all."""
    raw = evidence["raw"]
    fine = raw.anti_join(_doubtful(evidence), "s3_key").select(fine_key="s3_key")
    return rows.anti_join(fine, [("s3_key", "fine_key")])


def _doubtful(evidence: Evidence) -> ir.Table:
    raw = evidence["raw"]
    return raw.filter(~raw.readable.fill_null(False)).select("s3_key").distinct()


def _with_object(evidence: Evidence, rows: ir.Table, hidden: Sequence[str]) -> ir.Table:
    raw = evidence["raw"].semi_join(_doubtful(evidence), "s3_key")
    word = raw.error.fill_null("").re_extract("^([a-z0-9-]+)", 1)
    objects = raw.mutate(readable=raw.readable.fill_null(False), unlooked=word.isin(hidden))
    # One key can have several versions; the processor reads the newest.
    newest = objects.last_modified.max().over(ibis.window(group_by=objects.s3_key))
    objects = objects.mutate(newest=newest)  # named, as Spark finds no column beside a window
    objects = objects.filter(~differ(objects.last_modified, objects.newest))
    by_key = objects.group_by(object_key=objects.s3_key).agg(
        readable=objects.readable.any(),
        unlooked=objects.unlooked.any() & ~objects.readable.any(),
        error=objects.error.min(),
    )
    return rows.left_join(by_key, rows.s3_key == by_key.object_key)
