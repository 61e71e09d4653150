"""What became of each entity's day: what its versions hold of its events, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, processing
from investigate.analysis.explanation import version_inputs, versions
from investigate.analysis.stored_events import BOTH, RAW, stored_events
from investigate.engine import literal_rows
from investigate.evidence import Evidence, timestamp

DAY = ("entity_id", "day")


def day_events(evidence: Evidence) -> ir.Table:
    """Return every event of every entity's day, and where the day's versions have it.

    Columns: entity_id, day, event_id, event_time, event_time_utc, arrived_utc, raw_sha, row_sha,
    has_object, computed_at_utc (of the newest version); `held` (an explained version counts it),
    `held_by_newest`, `expected` (it is held, or had arrived when the newest version was computed),
    `arrived_since` (it arrived later, and is settled), `waiting` (it stands in a message) and
    `settled` (it and the newest version are old enough to be judged). On a day without a version
    nothing is expected.
    """
    return evidence.derived("day_events", _day_events)


def days(evidence: Evidence) -> ir.Table:
    """Return every entity's day that has a version or was sent for processing, with its verdict.

    Columns: entity_id, day, verdict; the conditions missing, overwritten, inflated, partial, split
    and stale; computed_at_utc of the newest version; and counts: versions, distinct_hashes,
    unexplained (with unexplained_settled and newest_unexplained), sent (settled events known to
    have been sent), sent_waiting, expected, held_by_union, held_by_newest, held_by_best (the
    version that holds most), left_out, lost (left out, settled, not waiting), arrived_since,
    doubled and collisions. What an unexplained version makes unknowable is null. A verdict tells
    what the evidence shows: an event counts as lost if no message in the case holds it.
    """
    return evidence.derived("aggregate_days", _days)


def overwritten(evidence: Evidence) -> ir.Table:
    """Return (entity_id, day, version, requests, hashes) of the versions that more than one request
    wrote with different inputs; the logs remember what the table no longer holds (D14)."""
    lines = logs.lines(evidence, "processor_aggregate_written")
    writes = lines.select(
        "request_id",
        entity_id=ibis.coalesce(lines.entity_id, logs.text_in(lines.fields, "entity_id")),
        day=logs.text_in(lines.fields, "day"),
        version=logs.whole_in(lines.fields, "version"),
        inputs_hash=logs.text_in(lines.fields, "inputs_hash"),
    )
    writes = writes.filter(
        writes.entity_id.notnull(), writes.day.notnull(), writes.version.notnull()
    )
    keys = writes.group_by(*DAY, "version").agg(
        requests=writes.request_id.nunique(), hashes=writes.inputs_hash.nunique()
    )
    return keys.filter((keys.requests > 1) & (keys.hashes > 1))


def _day_events(evidence: Evidence) -> ir.Table:
    rows = _beside(_events(evidence), _newest(evidence).select(*DAY, "computed_at_utc"), DAY)
    rows = _beside(rows, _holders(evidence), (*DAY, "event_id"))
    rows = _beside(rows, processing.waiting(evidence).mutate(waiting=True), ("event_id",))
    flags = ("held", "held_by_newest", "waiting")
    rows = rows.mutate(**{name: rows[name].fill_null(False) for name in flags})
    early = (rows.arrived_utc <= rows.computed_at_utc).fill_null(False)
    late = (rows.arrived_utc > rows.computed_at_utc).fill_null(False)
    until = _judged_until(evidence)
    old = (rows.arrived_utc <= until).fill_null(False)
    return rows.mutate(
        expected=early | rows.held,
        arrived_since=late & old & ~rows.held,
        settled=old & (rows.computed_at_utc <= until).fill_null(False),
    )


def _events(evidence: Evidence) -> ir.Table:
    stored = stored_events(evidence)
    alike, others = stored.filter(stored.store == BOTH), stored.filter(stored.store != BOTH)
    alike = alike.mutate(raw_sha=alike.payload_sha, row_sha=alike.payload_sha)
    grouped = others.group_by(*DAY, "event_id").agg(
        event_time=others.event_time.min(),
        event_time_utc=others.event_time_utc.min(),
        arrived_utc=others.arrived_utc.min(),
        raw_sha=others.payload_sha.max(where=others.store == RAW),
        row_sha=others.payload_sha.max(where=others.store != RAW),
        has_object=others.has_object.any(),
    )
    return grouped.union(alike.select(*grouped.columns))


def _judged_until(evidence: Evidence) -> ir.TimestampScalar:
    return timestamp(evidence.judged_until("raw", "events", "aggregates"))


def _newest(evidence: Evidence) -> ir.Table:
    place = ibis.row_number().over(
        group_by=list(DAY), order_by=[ibis.desc("version"), ibis.desc("sk")]
    )
    ranked = versions(evidence).mutate(place=place)
    return ranked.filter(ranked.place == 0)


def _counted(evidence: Evidence) -> ir.Table:
    """Each event that an explained version counts, with how many times it does."""
    inputs = version_inputs(evidence)
    return inputs.group_by("pk", "sk", *DAY, "event_id").agg(times=inputs.count())


def _holders(evidence: Evidence) -> ir.Table:
    newest = _newest(evidence).select("pk", "sk", newest=True)
    rows = _beside(_counted(evidence), newest, ("pk", "sk"))
    return rows.group_by(*DAY, "event_id").agg(
        held=ibis.literal(True), held_by_newest=rows.newest.fill_null(False).any()
    )


def _beside(left: ir.Table, right: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Return the left rows with the right columns beside them, null where there is no such row."""
    return left.left_join(right, list(keys)).drop(*(f"{key}_right" for key in keys))


def _days(evidence: Evidence) -> ir.Table:
    asked = _version_days(evidence).select(*DAY).union(_sent_days(evidence).select(*DAY))
    # A row of another kind stands for no day; as a version it is unexplained.
    rows = asked.filter(asked.entity_id.notnull() & asked.day.notnull()).distinct()
    for part in (
        _version_days(evidence), _sent_days(evidence), _event_days(evidence),
        _best_versions(evidence), _doubled_days(evidence), _overwritten_days(evidence),
    ):  # fmt: skip
        rows = _beside(rows, part, DAY)
    counts = [name for name, kind in rows.schema().items() if kind.is_integer()]
    rows = rows.mutate(**{name: rows[name].fill_null(0) for name in counts})
    return _judged(rows)


def _version_days(evidence: Evidence) -> ir.Table:
    until = _judged_until(evidence)
    rows = versions(evidence)
    rows = _beside(rows, _newest(evidence).select("pk", "sk", newest=True), ("pk", "sk"))
    unknown = rows.agrees_with.isnull()
    newest = rows.newest.fill_null(False)
    settled = (rows.computed_at_utc <= until).fill_null(True)
    return rows.group_by(*DAY).agg(
        versions=rows.count(),
        distinct_hashes=rows.inputs_hash.nunique(),
        unexplained=unknown.sum(),
        unexplained_settled=(unknown & ~rows.torn & settled).sum(),
        newest_unexplained=(unknown & newest).sum(),
        computed_at_utc=rows.computed_at_utc.max(where=newest),
    )


def _sent_days(evidence: Evidence) -> ir.Table:
    if not evidence.has("log_lines"):
        return literal_rows(
            [], {"entity_id": "string", "day": "string", "sent": "int64", "sent_waiting": "int64"}
        )
    rows = processing.sent(evidence)
    rows = rows.filter(rows.entity_id.notnull() & rows.day.notnull())
    rows = _beside(rows, processing.waiting(evidence).mutate(waiting=True), ("event_id",))
    old = (rows.sent_utc <= _judged_until(evidence)).fill_null(True)
    sent = rows.group_by(*DAY).agg(sent=old.sum(), sent_waiting=rows.waiting.count())
    return sent.filter(sent.sent > 0)


def _event_days(evidence: Evidence) -> ir.Table:
    rows = day_events(evidence)
    out = rows.expected & ~rows.held
    return rows.group_by(*DAY).agg(
        expected=rows.expected.sum(),
        held_by_union=(rows.expected & rows.held).sum(),
        held_by_newest=(rows.expected & rows.held_by_newest).sum(),
        left_out=out.sum(),
        lost=(out & rows.settled & ~rows.waiting).sum(),
        arrived_since=rows.arrived_since.sum(),
    )


def _best_versions(evidence: Evidence) -> ir.Table:
    """How many expected events the version with most of them holds."""
    events = day_events(evidence)
    expected = events.filter(events.expected).select(*DAY, "event_id")
    rows = _counted(evidence).semi_join(expected, [*DAY, "event_id"])
    each = rows.group_by("pk", "sk", *DAY).agg(expected=rows.count())
    return each.group_by(*DAY).agg(held_by_best=each.expected.max())


def _doubled_days(evidence: Evidence) -> ir.Table:
    rows = _counted(evidence)
    return rows.group_by(*DAY).agg(doubled=(rows.times > 1).sum())


def _overwritten_days(evidence: Evidence) -> ir.Table:
    if not evidence.has("log_lines"):
        return literal_rows([], {"entity_id": "string", "day": "string", "collisions": "int64"})
    rows = overwritten(evidence)
    return rows.group_by(*DAY).agg(collisions=rows.count())


def _judged(rows: ir.Table) -> ir.Table:
    explained = (rows.versions > 0) & (rows.unexplained == 0)
    newest_known = (rows.versions > 0) & (rows.newest_unexplained == 0)
    rows = rows.mutate(
        missing=(rows.versions == 0) & (rows.sent_waiting == 0),
        overwritten=rows.collisions > 0,
        inflated=rows.doubled > 0,
        partial=explained & (rows.lost > 0),
        split=explained & (rows.left_out == 0) & (rows.held_by_best < rows.expected),
        stale=newest_known & (rows.held_by_newest == rows.expected) & (rows.arrived_since > 0),
    )
    rows = rows.mutate(verdict=_verdict(rows))
    for name in ("held_by_union", "left_out", "lost"):
        rows = rows.mutate(
            **{name: ibis.ifelse(rows.unexplained > 0, ibis.null("int64"), rows[name])}
        )
    return rows


def _verdict(rows: ir.Table) -> ir.StringValue:
    """The first that holds, worst first; what is neither lost nor held is still on its way."""
    on_its_way = (rows.versions == 0) | (rows.unexplained > 0) | (rows.left_out > 0)
    on_its_way = on_its_way | rows.computed_at_utc.isnull()  # nobody knows what it left out
    return ibis.cases(
        (rows.missing, "missing"),
        (rows.unexplained_settled > 0, "unexplained"),
        (rows.overwritten, "overwritten"),
        (rows.inflated, "inflated"),
        (rows.partial, "partial"),
        (rows.split, "split"),
        (rows.stale, "stale"),
        (on_its_way, "pending"),
        else_="complete",
    )
