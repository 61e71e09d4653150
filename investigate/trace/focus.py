"""The part of a case that one event's story depends on: the size of the rest does not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir

from investigate.analysis.known_ids import raw_id
from investigate.analysis.logs import moment_of, text_in
from investigate.errors import UsageError
from investigate.evidence import Evidence

SHORTEST_PREFIX = 6
MOST_LIKELY = 20
NEAREST = 3

# The tables that name events, and where.
_NAMED: Mapping[str, Callable[[ir.Table], ir.StringValue]] = {
    "raw": raw_id,
    **{
        name: lambda rows: rows.event_id
        for name in ("events", "dedupe", "messages", "dead_letters", "log_lines")
    },
}


def event_named(evidence: Evidence, asked: str) -> str:
    """Return the one event id that is `asked`, or begins with it; raise `UsageError` with the ids
    that come nearest. Any captured table may know the id."""
    asked = asked.strip()
    if _owners(evidence, asked).known:  # the scan that the focus needs anyway
        return asked
    known = _ids(evidence, lambda ids: ids.startswith(asked))
    if asked in known:
        return asked
    if len(asked) < SHORTEST_PREFIX:
        raise UsageError(
            f"{asked!r} is no event id, and too short for the beginning of one",
            hint=f"give the id, or at least its first {SHORTEST_PREFIX} characters",
        )
    if len(known) == 1:
        return known[0]
    if known:
        more = " …" if len(known) == MOST_LIKELY else ""
        raise UsageError(
            f"{asked!r} is how {len(known)} event ids begin: {', '.join(known)}{more}",
            hint="give more of the id",
        )
    near = _ids(evidence, lambda ids: ids.startswith(asked[:2]))
    some = f"no captured table names event {asked!r}"
    some += f"; the nearest are {', '.join(near[:NEAREST])}" if near else ""
    raise UsageError(some, hint="list all events: investigate ledger CASE --format csv")


def first_event(evidence: Evidence) -> str:
    """Return the least event id that a captured table names; empty if none names any."""
    if not any(evidence.has(name) for name in _NAMED):
        return ""
    return next(iter(_ids(evidence, lambda ids: ids.notnull())), "")


def _ids(evidence: Evidence, fits: Callable[[ir.StringValue], ir.BooleanValue]) -> list[str]:
    """The first event ids that fit, in order, from every table that names events."""
    found = []
    for name, id_of in _NAMED.items():
        if evidence.has(name):
            rows = evidence[name]
            rows = rows.select(event_id=id_of(rows))
            found.append(rows.filter(fits(rows.event_id).fill_null(False)))
    if not found:
        raise UsageError(
            "no captured table of this case names an event",
            hint="capture raw or events, then ask again",
        )
    ids = ibis.union(*found).distinct()
    listed = evidence.engine.rows(ids.order_by("event_id").limit(MOST_LIKELY))
    return [str(row["event_id"]) for row in listed]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a case: the event, the entities it belongs to, and what they asked for."""

    event_id: str
    entities: Sequence[str]
    days: Sequence[str]
    requests: ir.Table | None = None

    def of_entity(self, rows: ir.Table) -> ir.BooleanValue:
        """Whether a row is of one of the entities."""
        return rows.entity_id.isin(self.entities).fill_null(False)

    def of_day(self, rows: ir.Table) -> ir.BooleanValue:
        """Whether a version is of one of the entities' days that can count the event."""
        days = rows.day.isin(self.days).fill_null(True) if self.days else ibis.literal(True)
        return self.of_entity(rows) & days


def focus(evidence: Evidence, event_id: str) -> Evidence:
    """Return the evidence cut to what one event's answers depend on: all rows of its entities, but
    of their versions only those of its days; the lines, invocations and spans of their requests;
    and every small table whole. What the cut evidence says of the event is what the whole says, or
    more: gaps of other entities and days are none of its own."""
    owners = _owners(evidence, event_id)
    kept = _Kept(event_id, owners.entities, owners.days)
    tables: dict[str, ir.Table] = {}
    for name, keep in _STORES.items():
        if evidence.has(name):
            rows = evidence[name]
            tables[name] = evidence.engine.materialise(rows.filter(keep(kept, rows)))
    if evidence.has("log_lines"):
        tables["log_lines"] = _lines(evidence, kept)
    kept = replace(kept, requests=_requests(tables))
    if evidence.has("invocations"):
        tables["invocations"] = _invocations(evidence, kept, tables)
    return evidence.cut(tables, event_id)


@dataclass(frozen=True, slots=True)
class _Owners:
    """The entities an event belongs to, and the days of its times; no day where a time is unknown,
    as then any day may count it. `known`: a table names the event."""

    entities: Sequence[str] = ()
    days: Sequence[str] = ()
    known: bool = False


def _owners(evidence: Evidence, event_id: str) -> _Owners:
    owners: _Owners = evidence.fact(
        f"owners of {event_id}", lambda whole: _find_owners(whole, event_id)
    )
    return owners


def _find_owners(evidence: Evidence, event_id: str) -> _Owners:
    found = []
    for name, day in _DAYS.items():
        if evidence.has(name):
            rows = evidence[name]
            own = rows.filter(_NAMED[name](rows) == event_id)
            found.append(own.select("entity_id", day=day(evidence, own)))
    if not found:
        return _Owners()
    rows = ibis.union(*found).distinct()
    listed = evidence.engine.rows(rows.order_by("entity_id", "day"))
    entities = sorted({str(row["entity_id"]) for row in listed if row["entity_id"] is not None})
    days = sorted({str(row["day"]) for row in listed if row["day"]})
    dated = all(row["day"] is not None for row in listed)
    return _Owners(entities, days if dated else [], bool(listed))


def _time_in_line(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    """The day a line names; most lines name none, which says nothing of the event."""
    moment = moment_of(text_in(rows.fields, "event_time"))
    return evidence.period_of(moment).fill_null("")


def _time_in_row(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    return evidence.period_of(rows.event_time_utc)


def _time_in_object(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    """A broken object has no time of its own; its key has one."""
    in_key = rows.key_event_date
    if evidence.design.aggregate.period == "hour":
        in_key = in_key + "T" + rows.key_hour
    return ibis.coalesce(evidence.period_of(rows.event_time_utc), in_key)


_DAYS: Mapping[str, Callable[[Evidence, ir.Table], ir.StringValue]] = {
    "events": _time_in_row, "dedupe": _time_in_row, "messages": _time_in_row,
    "log_lines": _time_in_line, "raw": _time_in_object,
}  # fmt: skip


def _raw(kept: _Kept, rows: ir.Table) -> ir.BooleanValue:
    return kept.of_entity(rows) | (raw_id(rows) == kept.event_id).fill_null(False)


def _with_id(kept: _Kept, rows: ir.Table) -> ir.BooleanValue:
    return kept.of_entity(rows) | (rows.event_id == kept.event_id).fill_null(False)


_STORES: Mapping[str, Callable[[_Kept, ir.Table], ir.BooleanValue]] = {
    "raw": _raw, "events": _with_id, "dedupe": _with_id, "aggregates": _Kept.of_day,
}  # fmt: skip


def _lines(evidence: Evidence, kept: _Kept) -> ir.Table:
    """The lines about the event and its entities, and all others of the requests they are of."""
    rows = evidence["log_lines"]
    whose = ibis.coalesce(rows.entity_id, text_in(rows.fields, "entity_id"))
    named = whose.isin(kept.entities) | (rows.event_id == kept.event_id)
    about = evidence.engine.materialise(
        rows.filter(named.fill_null(False)).select("request_id").distinct()
    )
    return evidence.engine.materialise(
        rows.filter(named.fill_null(False) | rows.request_id.isin(about.request_id))
    )


def _requests(tables: Mapping[str, ir.Table]) -> ir.Table | None:
    return tables["log_lines"].select("request_id").distinct() if "log_lines" in tables else None


def _invocations(evidence: Evidence, kept: _Kept, tables: Mapping[str, ir.Table]) -> ir.Table:
    """The invocations of these requests, and those in which the event arrived, which may have died
    before they could say so."""
    runs = evidence["invocations"]
    wanted = ibis.literal(False)
    if kept.requests is not None:
        wanted = runs.request_id.isin(kept.requests.request_id)
    for moment in _arrivals(evidence, kept, tables):
        wanted = wanted | ((runs.started_utc <= moment) & (runs.ended_utc >= moment))
    return evidence.engine.materialise(runs.filter(wanted.fill_null(False)))


def _arrivals(
    evidence: Evidence, kept: _Kept, tables: Mapping[str, ir.Table]
) -> list[ir.TimestampScalar]:
    seen = {"dedupe": "first_seen_utc", "events": "ingest_time_utc"}
    moments = []
    for name, column in seen.items():
        if name in tables:
            rows = tables[name]
            own = rows.filter(rows.event_id == kept.event_id).select(at=rows[column])
            moments += [row["at"] for row in evidence.engine.rows(own) if row["at"]]
    return [ibis.timestamp(moment) for moment in sorted(set(moments))]
