"""What replays did, by their logs and by recomputation, and what a replay would do."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import with_arrival
from investigate.analysis.capture_scope import of_entities
from investigate.analysis.logs import lines, moment_of, text_in, whole_in
from investigate.analysis.objects import is_sendable
from investigate.evidence import Evidence, timestamp
from investigate.pipeline import REPLAY_TIMEOUT_SECONDS, Design, format_time

IN_WINDOW = "in the window"
BY_TEXT_ONLY = "outside by time only"  # a replay sends it although its time is outside (D6)
BY_TIME_ONLY = "outside by text"  # a replay misses it although its time is inside (D6)
AFTER_LIMIT = "after the limit"
DUPLICATE = "duplicate in this replay"
NO_REFS = "no refs"
NOTHING_SCANNED = "nothing scanned"


# What is kept of a row for each replay whose window it is in.
_SCANNED = ("pk", "sk", "event_id", "event_time_utc", "s3_key", "arrived_utc", "has_refs")


def logged(evidence: Evidence) -> ir.Table:
    """Return one row per `replay_enqueued` line: replay (a number), request_id, logged_utc,
    entity_id, start, end (as text), scanned, sent. Of a case of some entities only their replays,
    since the rows of others are not there to recompute them from."""
    return evidence.derived("replays_logged", _build_logged)


def _build_logged(evidence: Evidence) -> ir.Table:
    found = lines(evidence, "replay_enqueued")
    read = found.select(
        "request_id",
        "logged_utc",
        entity_id=ibis.coalesce(found.entity_id, text_in(found.fields, "entity_id")),
        start=text_in(found.fields, "start"),
        end=text_in(found.fields, "end"),
        scanned=whole_in(found.fields, "scanned"),
        sent=whole_in(found.fields, "sent"),
    )
    read = read.filter(of_entities(evidence, read.entity_id))
    order = [read[name] for name in ("logged_utc", "request_id", "entity_id", "start", "end")]
    return read.mutate(replay=ibis.row_number().over(order_by=order))


def in_text_window(
    design: Design, sk: ir.StringValue, start: ir.StringValue, end: ir.StringValue
) -> ir.BooleanValue:
    """Return whether a sort key is between two times as a replay compares them: as text."""
    mark = ibis.literal(design.replay_bound(""))
    return sk.between(mark + start, mark + end).fill_null(False)


def in_time_window(
    moment: ir.TimestampValue, start: ir.TimestampValue, end: ir.TimestampValue
) -> ir.BooleanValue:
    """Return whether start ≤ moment < end."""
    return ((moment >= start) & (moment < end)).fill_null(False)


def window_rows(evidence: Evidence) -> ir.Table:
    """Return one row per logged replay and EventsTable row of its text window that had arrived
    when it was logged, with its position (from 1) in the order of the sort keys."""
    return evidence.derived("replay_window_rows", _build_window_rows)


def _build_window_rows(evidence: Evidence) -> ir.Table:
    replays = logged(evidence).select("replay", "entity_id", "start", "end", "logged_utc")
    replays = replays.mutate(
        replay_pk=ibis.literal(evidence.design.event_pk("")) + replays.entity_id
    )
    rows = _rows_with_arrival(evidence).select(*_SCANNED)
    joined = replays.inner_join(rows, replays.replay_pk == rows.pk)
    there = joined.filter(
        in_text_window(evidence.design, joined.sk, joined.start, joined.end),
        (joined.arrived_utc <= joined.logged_utc).fill_null(True),
    ).drop("replay_pk")
    return there.mutate(position=_position(there, "replay"), repeat=_repeat(there, "replay"))


def _rows_with_arrival(evidence: Evidence) -> ir.Table:
    return evidence.view("events_with_arrival", _with_arrival)


def _with_arrival(evidence: Evidence) -> ir.Table:
    joined = with_arrival(evidence, evidence["events"])
    return joined.mutate(
        arrived_utc=ibis.coalesce(joined.arrived_utc, joined.ingest_time_utc),
        has_refs=is_sendable(joined),
    )


def _position(rows: ir.Table, *group: str) -> ir.IntegerValue:
    return ibis.row_number().over(group_by=list(group), order_by=rows.sk) + 1


def _repeat(rows: ir.Table, *group: str) -> ir.BooleanValue:
    """Whether a row's id stands on an earlier row of the same replay; a row without id never."""
    before = ibis.row_number().over(group_by=[*group, "event_id"], order_by=rows.sk)
    return rows.event_id.notnull() & (before > 0)


def outcomes(evidence: Evidence) -> ir.Table:
    """Return the logged replays with what their windows held: rows_there (rows of the text window
    that had arrived before the replay can have started) and rows_with_refs, both null if its line
    does not tell entity, start and end, and `mode`, the filter (without duplicates, else with them)
    that gives as many messages as were sent; null if neither does."""
    return evidence.derived("replay_outcomes", _build_outcomes)


def _build_outcomes(evidence: Evidence) -> ir.Table:
    replays, rows = logged(evidence), window_rows(evidence)
    limits = replays.select("replay", "scanned")
    seen = rows.inner_join(limits, "replay")
    scanned = (seen.position <= seen.scanned).fill_null(False)
    # The line comes last: what arrived while messages were sent may not have been there to scan.
    asked = seen.logged_utc - ibis.interval(seconds=REPLAY_TIMEOUT_SECONDS)
    surely = (seen.arrived_utc <= asked).fill_null(True)
    counts = seen.group_by("replay").agg(
        rows_there=surely.sum(),
        rows_with_refs=seen.has_refs.sum(),
        known=scanned.sum(),
        once=(scanned & seen.has_refs & ~seen.repeat).sum(),
        twice=(scanned & seen.has_refs).sum(),
    )
    joined = replays.left_join(counts, "replay").drop("replay_right")
    joined = joined.fill_null({"known": 0, "once": 0, "twice": 0})
    told = joined.entity_id.notnull() & joined.start.notnull() & joined.end.notnull()
    joined = joined.mutate(
        **{
            name: ibis.ifelse(told, joined[name].fill_null(0), ibis.null("int64"))
            for name in ("rows_there", "rows_with_refs")
        }
    )
    # With a scanned row unknown, an equal number would be a coincidence.
    whole = joined.known == joined.scanned
    mode = ibis.cases(
        ((whole & (joined.once == joined.sent)).fill_null(False), "without duplicates"),
        ((whole & (joined.twice == joined.sent)).fill_null(False), "with duplicates"),
        else_=ibis.null("string"),
    )
    return joined.mutate(mode=mode).drop("known", "once", "twice")


def stopped_early(outcomes: ir.Table) -> ir.BooleanValue:
    """Return whether a logged replay scanned less than its window held; null if its line does not
    tell. One that scanned nothing did not stop early: it is in DRY_RUN or asked for nobody (D9)."""
    return (outcomes.scanned > 0) & (outcomes.scanned < outcomes.rows_there)


def reconstructed(evidence: Evidence) -> ir.Table:
    """Return the rows that the logged replays sent, as far as recomputation gives as many."""
    return evidence.view("reconstructed", _reconstructed)


def _reconstructed(evidence: Evidence) -> ir.Table:
    known = outcomes(evidence).select("replay", "scanned", "mode", "request_id")
    rows = window_rows(evidence).inner_join(known, "replay")
    kept = rows.filter(
        rows.mode.notnull(),
        rows.position <= rows.scanned,
        rows.has_refs,
        ~rows.repeat | (rows.mode == "with duplicates"),
    )
    entity = kept.pk.substr(len(evidence.design.event_pk("")))
    return kept.mutate(entity_id=entity)


def left_out(evidence: Evidence) -> ir.Table:
    """Return (event_id, replay, why) of the rows that a logged replay did not send although their
    event time lies in its window and they had arrived before it can have started; of replays that
    are settled. `why`:
    `BY_TIME_ONLY`, `NOTHING_SCANNED`, `AFTER_LIMIT` or `NO_REFS`."""
    done = (
        bounds(evidence.settled(outcomes(evidence), "logged_utc", "events"))
        .mutate(
            started_utc=lambda rows: (
                rows.logged_utc - ibis.interval(seconds=REPLAY_TIMEOUT_SECONDS)
            ),
            replay_pk=lambda rows: ibis.literal(evidence.design.event_pk("")) + rows.entity_id,
        )
        .drop("entity_id", "request_id")
    )
    rows = _rows_with_arrival(evidence).drop("entity_id", "attributes", "gsi1pk", "gsi1sk")
    asked = done.inner_join(rows, done.replay_pk == rows.pk)
    asked = asked.filter(
        in_time_window(asked.event_time_utc, asked.start_utc, asked.end_utc),
        (asked.arrived_utc <= asked.started_utc).fill_null(True),
    )
    places = window_rows(evidence).select("replay", "pk", "sk", "position")
    asked = asked.left_join(places, ["replay", "pk", "sk"])
    why = ibis.cases(
        (~in_text_window(evidence.design, asked.sk, asked.start, asked.end), BY_TIME_ONLY),
        ((asked.scanned == 0).fill_null(False), NOTHING_SCANNED),
        ((asked.position > asked.scanned).fill_null(False), AFTER_LIMIT),
        (~asked.has_refs, NO_REFS),
        else_=ibis.null("string"),
    )
    return asked.mutate(why=why).filter(why.notnull()).select("event_id", "replay", "why")


def planned(
    evidence: Evidence, limit: int | None = None, *, include_duplicates: bool = False
) -> ir.Table:
    """Return every row that is in the window asked about by time or by text, one replay per
    entity, with `decision` (send, leave out), `reason`, and `wanted`: whether a replay that
    compared times would send its event.

    The 1 MB page of a query is not modelled; `replay/truncated` says where it would cut.
    """
    name = f"replay_plan limit={limit} include_duplicates={include_duplicates}"
    return evidence.view(
        name, lambda known: _plan(known, limit, include_duplicates=include_duplicates)
    )


def at_the_edges(evidence: Evidence) -> ir.Table:
    """Return the rows of `planned` that are in the window by time or by text only, and are there
    for no other reason."""
    # What an entity's other rows say matters only where it has such a row.
    entities = evidence.derived("entities_at_the_edges", _at_the_edges)
    rows = _windowed(evidence).semi_join(entities, "pk")
    rows = _judged(rows, None, include_duplicates=False)
    return rows.filter(rows.reason.isin((BY_TEXT_ONLY, BY_TIME_ONLY)))


def _at_the_edges(evidence: Evidence) -> ir.Table:
    rows = _windowed(evidence)
    return rows.filter(rows.by_text != rows.by_time).select("pk").distinct()


def _plan(evidence: Evidence, limit: int | None, *, include_duplicates: bool) -> ir.Table:
    return _judged(_windowed(evidence), limit, include_duplicates=include_duplicates)


def _judged(rows: ir.Table, limit: int | None, *, include_duplicates: bool) -> ir.Table:
    rows = _with_first_of_id(rows)
    if limit is None:  # no place is asked about
        rows = rows.mutate(position=ibis.null("int64"))
    else:
        place = ibis.row_number().over(group_by=["pk", "by_text"], order_by=rows.sk) + 1
        rows = rows.mutate(position=ibis.ifelse(rows.by_text, place, ibis.null("int64")))
    rows = rows.mutate(reason=_reason(rows, limit, include_duplicates=include_duplicates))
    sends = rows.reason.isin((IN_WINDOW, BY_TEXT_ONLY))
    rows = rows.mutate(decision=ibis.ifelse(sends, "send", "leave out"), wanted=_wanted(rows))
    return rows.drop("first_by_text", "first_by_time")


def _with_first_of_id(rows: ir.Table) -> ir.Table:
    """Add `repeat` (its id stands on an earlier row of its replay), and the first sort keys of ids
    that stand on several rows (null of the others), of those in the window by text and by time."""
    counts = rows.group_by("pk", "event_id").agg(
        many=rows.count(),
        first_by_text=rows.sk.min(where=rows.by_text),
        first_by_time=rows.sk.min(where=rows.by_time),
    )
    several = counts.filter((counts.many > 1) & counts.event_id.notnull()).drop("many")
    rows = rows.left_join(several, ["pk", "event_id"]).drop("pk_right", "event_id_right")
    later = (rows.sk > rows.first_by_text).fill_null(False)
    return rows.mutate(repeat=rows.by_text & later)


def _windowed(evidence: Evidence) -> ir.Table:
    rows = _of_entities_asked(evidence, evidence["events"])
    rows = rows.mutate(
        has_refs=is_sendable(rows),
        by_text=_by_text(evidence, rows),
        by_time=in_time_window(
            rows.event_time_utc, timestamp(evidence.window.start), timestamp(evidence.window.end)
        ),
    )
    return rows.filter(rows.by_text | rows.by_time)


def in_text_window_asked(evidence: Evidence) -> ir.Table:
    """Return the rows of the EventsTable in the window asked about by text, of the entities asked
    about: what a replay of that window reads."""
    rows = _of_entities_asked(evidence, evidence["events"])
    return rows.filter(_by_text(evidence, rows))


def _of_entities_asked(evidence: Evidence, rows: ir.Table) -> ir.Table:
    if not evidence.entities:
        return rows
    return rows.filter(rows.pk.isin([evidence.design.event_pk(name) for name in evidence.entities]))


def _by_text(evidence: Evidence, rows: ir.Table) -> ir.BooleanValue:
    window = evidence.window
    bounds = (ibis.literal(format_time(moment)) for moment in (window.start, window.end))
    return in_text_window(evidence.design, rows.sk, *bounds)


def _reason(rows: ir.Table, limit: int | None, *, include_duplicates: bool) -> ir.StringValue:
    cases: list[tuple[ir.BooleanValue, str]] = [(~rows.by_text, BY_TIME_ONLY)]
    if limit is not None:  # the limit cuts before any filter (D7)
        cases.append(((rows.position > limit).fill_null(False), AFTER_LIMIT))
    if not include_duplicates:
        cases.append((rows.repeat, DUPLICATE))
    cases += [(~rows.has_refs, NO_REFS), (~rows.by_time, BY_TEXT_ONLY)]
    return ibis.cases(*cases, else_=IN_WINDOW)


def _wanted(rows: ir.Table) -> ir.BooleanValue:
    return rows.by_time & (rows.sk == rows.first_by_time).fill_null(True)


def bounds(replays: ir.Table) -> ir.Table:
    """Return logged replays with start and end as times, beside their texts."""
    return replays.mutate(start_utc=moment_of(replays.start), end_utc=moment_of(replays.end))
