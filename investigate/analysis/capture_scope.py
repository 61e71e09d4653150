"""What a capture with a scope can tell: which raw objects it would hold if they existed."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from investigate.engine import literal_rows
from investigate.evidence import Evidence
from investigate.model import counted


def _event_date(evidence: Evidence) -> str:
    """The expression that finds the event date in a key. Only days are told apart by a listing; any
    other text in their place is listed, whatever is asked."""
    prefix = str(evidence.case.pipeline.get("raw_prefix") or "")
    return evidence.design.raw_layout.date_in_key(prefix)


def key_in_reach(evidence: Evidence, rows: ir.Table) -> ir.BooleanValue:
    """Return whether the object under a row's `s3_key` would be in the case if it existed: its
    event date was listed (a key without one always is), and its id is one that the capture kept."""
    key = rows.s3_key.fill_null("")
    told = ibis.literal(True)
    if evidence.case.event_dates:
        date = key.re_extract(_event_date(evidence), 1)
        told = date.between(*evidence.case.event_dates) | (date == "")
    if evidence.case.scope_entities:
        # Only objects whose key carries a known id are kept; a row may name another event's.
        told = told & key.contains(rows.event_id).fill_null(False)
    return told


def within_reach(evidence: Evidence, rows: ir.Table) -> tuple[ir.Table, str]:
    """Return the rows whose event has no raw object outside the listed event dates, by any row of
    its id, and why the others in scope cannot be judged."""
    reason = unlisted_dates_gap(evidence, lambda: rows)
    return rows.anti_join(_elsewhere(evidence), "event_id") if reason else rows, reason


def unlisted_dates_gap(evidence: Evidence, of: Callable[[], ir.Table]) -> str:
    """Say in words how many events in scope, of these rows, may have a raw object outside the
    listed event dates; empty if none has. Where all dates were listed, no row is asked for."""
    if not evidence.case.event_dates:
        return ""
    if not evidence.fact("any_elsewhere", _count_elsewhere, of_whole_case=True):
        return ""
    rows = evidence.in_scope(of().semi_join(_elsewhere(evidence), "event_id"))
    count = evidence.engine.scalar(rows.event_id.nunique())
    between = " to ".join(evidence.case.event_dates)
    what = counted(count, "event")
    return f"raw: {what} may be stored under event dates outside {between}" if count else ""


def _count_elsewhere(evidence: Evidence) -> int:
    return evidence.engine.count(_elsewhere(evidence))


def _elsewhere(evidence: Evidence) -> ir.Table:
    return evidence.view("events_elsewhere", _find_elsewhere)


def _find_elsewhere(evidence: Evidence) -> ir.Table:
    """The ids (event_id) of which a row names an event date that was not listed, or none, and no
    object that is here."""
    first, last = evidence.case.event_dates or ("", "")
    raw = evidence["raw"]
    known = [literal_rows([], {"event_id": "string"})]
    if evidence.has("events"):
        rows = evidence["events"].anti_join(raw.select("s3_key"), "s3_key")
        dated = rows.event_time.substr(0, 10)
        in_key = rows.s3_key.fill_null("").re_extract(_event_date(evidence), 1).nullif("")
        dates = (ibis.coalesce(dated, in_key), ibis.coalesce(in_key, dated))
        near = [date.between(first, last) for date in dates]
        known.append(rows.filter(~ibis.and_(*near).fill_null(False)).select("event_id"))
    if evidence.has("dedupe"):
        rows = evidence["dedupe"]
        rows = rows.select("event_id", date=rows.event_time.substr(0, 10))
        rows = rows.filter(~rows.date.between(first, last).fill_null(False))
        here = raw.select(event_id="key_event_id", date="key_event_date")
        known.append(rows.anti_join(here, ["event_id", "date"]).select("event_id"))
    ids = ibis.union(*known)
    return ids.filter(ids.event_id.notnull()).distinct()


def unkept_gap(evidence: Evidence) -> str:
    """Say in words that objects of the case's entities may exist of which no row knows, which a
    capture by entity does not keep; empty for any other capture."""
    if not evidence.case.scope_entities:
        return ""
    return "raw: of these entities only objects whose id a row names were kept"


def of_entities(evidence: Evidence, entity: ir.StringValue) -> ir.BooleanValue:
    """Return whether a row may be about the entities that the case holds; null may."""
    captured = evidence.case.scope_entities
    if not captured:
        return ibis.literal(True)
    return entity.isnull() | entity.isin(captured)


def ambiguous_ids_gap(evidence: Evidence) -> str:
    """Say in words that rows of entities that were not captured may share an id, as the fields that
    ids are made of hold the mark between them (D25); empty if none can."""
    if not evidence.case.scope_entities:
        return ""
    rows = evidence["events"]
    fields = [rows[name].fill_null("") for name in ("source", "event_type", "entity_id")]
    risky = ibis.or_(*(field.contains(evidence.design.delimiters[0]) for field in fields))
    count = evidence.engine.count(evidence.in_scope(rows.filter(risky)))
    return f"events: rows of other entities may share {counted(count, 'id')}" if count else ""
