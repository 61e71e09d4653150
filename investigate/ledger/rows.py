"""The ledger itself: a cell per station for every event id, and the first break of its story."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

import ibis
import ibis.expr.types as ir

from investigate.analysis import processing, replays
from investigate.analysis.objects import unnamed_gap
from investigate.analysis.queues import replay_queues
from investigate.analysis.stages import stages
from investigate.engine import literal_rows
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence, timestamp
from investigate.ledger.objections import CODES, named, objections_of
from investigate.ledger.stations import (
    ABSENT,
    BREAKS,
    DENIED,
    EXPIRED,
    PENDING,
    PRESENT,
    STATIONS,
    TOLD_BY,
    UNKNOWN,
)
from investigate.pipeline import QUEUE_RETENTION_SECONDS

Cell = Callable[[Evidence, ir.Table], ir.StringValue]
_WHO = ("event_id", "entity_id", "source", "event_time_utc", "day", "arrived_utc")


def ledger(evidence: Evidence, codes: Collection[str] = CODES) -> ir.Table:
    """Return one row per event id that any evidence names; `codes` are the checks that may object,
    where it is known that no other can.

    Columns: event_id, entity_id, source, event_time_utc, day, arrived_utc; one text per station of
    `STATIONS`, one of `CELLS`; and of the first break of the event's story `divergence` (the
    station), `code` (the check that says so) and `reason` (in words), null where none is known.
    Raises `NotEvaluable` if no captured table names an event.
    """
    return evidence.derived(named("ledger", codes), lambda known: _build(known, codes))


def _build(evidence: Evidence, codes: Collection[str]) -> ir.Table:
    found = objections_of(evidence, codes)
    rows = _with_facts(evidence, stages(evidence), found)
    for station in STATIONS:
        rows = rows.mutate(**{f"at_{station}": _CELLS[station](evidence, rows)})
    rows = _with_divergence(rows, found)
    cells = {station: rows[f"at_{station}"] for station in STATIONS}
    return rows.select(*_WHO, **cells, divergence="station", code="code", reason="reason")


def _with_facts(evidence: Evidence, rows: ir.Table, known: ir.Table) -> ir.Table:
    """Add what only other tables know of an event: lost, failed, asked (a replay wanted to send
    it), dead (a dead letter holds it), sent_utc, last_sent_utc."""
    marks = {
        "lost": known.filter(known.code == "sqs/lost"),
        "failed": known.filter(known.code == "processor/swallowed-errors"),
        "asked": _asked(evidence),
        "dead": processing.dead_lettered(evidence),
        "uncounted": known.filter(known.code == "aggregates/partial"),
    }
    marked = ibis.union(*(ids.select("event_id", mark=ibis.literal(n)) for n, ids in marks.items()))
    flags = marked.group_by("event_id").agg(**{n: (marked.mark == n).any() for n in marks})
    rows = rows.left_join(flags, "event_id").drop("event_id_right")
    rows = rows.mutate(**{name: rows[name].fill_null(False) for name in marks})
    return _with_sending(evidence, rows)


def _asked(evidence: Evidence) -> ir.Table:
    if not (evidence.has("log_lines") and evidence.has("events")):
        return literal_rows([], {"event_id": "string"})
    return replays.left_out(evidence)


def _with_sending(evidence: Evidence, rows: ir.Table) -> ir.Table:
    if not evidence.has("log_lines"):
        return rows.mutate(sent_utc=ibis.null("timestamp"), last_sent_utc=ibis.null("timestamp"))
    sent = processing.sent(evidence).select("event_id", "sent_utc", "last_sent_utc")
    return rows.left_join(sent, "event_id").drop("event_id_right")


def _raw(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    gone = _older(evidence, rows, evidence.thresholds.raw_lifetime_days)
    doubt = ibis.literal(bool(evidence.has("raw") and unnamed_gap(evidence)))
    known = ibis.ifelse(doubt & ~rows.raw, ibis.null("boolean"), rows.raw)
    return _stored(evidence, "raw", known, _young(evidence, rows, "raw"), gone)


def _events(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    never = ibis.literal(False)  # rows have no lifetime
    return _stored(evidence, "events", rows.row, _young(evidence, rows, "events"), never)


def _dedupe(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    gone = _older(evidence, rows, evidence.thresholds.dedupe_lifetime_days)
    return _stored(evidence, "dedupe", rows.dedupe, _young(evidence, rows, "dedupe"), gone)


def _stored(
    evidence: Evidence,
    station: str,
    known: ir.BooleanValue,
    young: ir.BooleanValue,
    gone: ir.BooleanValue,
) -> ir.StringValue:
    return ibis.cases(
        (known.fill_null(False), PRESENT),
        (known.isnull(), _untold(evidence, station)),
        (young, PENDING),
        (gone, EXPIRED),
        else_=ABSENT,
    )


def _replay(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    return ibis.cases(
        (rows.sent.fill_null(False), PRESENT),
        (rows.sent.isnull(), _unlogged(evidence, rows, "replay")),
        (rows.asked, ABSENT),
        else_=PENDING,  # no replay has asked for it yet
    )


def _queue(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    seen = rows.waiting.fill_null(False) | rows.processed.fill_null(False)
    return ibis.cases(
        (seen | rows.failed | rows.dead, PRESENT),
        (rows.lost & _outlived(evidence, rows), EXPIRED),
        (rows.lost, ABSENT),
        (rows.at_replay.isin((PENDING, ABSENT)), rows.at_replay),
        else_=_untold(evidence, "queue"),
    )


def _processor(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    return ibis.cases(
        (rows.processed.fill_null(False), PRESENT),
        (rows.failed | rows.lost | rows.dead, ABSENT),
        (rows.waiting.fill_null(False), PENDING),
        (rows.at_queue.isin((PENDING, ABSENT)), rows.at_queue),
        else_=_unlogged(evidence, rows, "processor"),
    )


def _aggregates(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    young = _young(evidence, rows, "aggregates", column="sent_utc")
    return ibis.cases(
        (rows.aggregated.fill_null(False), PRESENT),
        (rows.aggregated.isnull(), _untold(evidence, "aggregates")),
        (rows.uncounted, ABSENT),
        (rows.waiting.fill_null(False) | (rows.at_processor == PENDING), PENDING),
        (young, PENDING),
        (rows.at_processor.isin((PRESENT, ABSENT)), ABSENT),
        else_=_untold(evidence, "aggregates"),
    )


_CELLS: Mapping[str, Cell] = {
    "raw": _raw, "events": _events, "dedupe": _dedupe, "replay": _replay, "queue": _queue,
    "processor": _processor, "aggregates": _aggregates,
}  # fmt: skip


def _untold(evidence: Evidence, station: str) -> str:
    """The word for a cell of which the captured evidence does not tell."""
    return DENIED if evidence.coverage_of(TOLD_BY[station]).status == "denied" else UNKNOWN


def _unlogged(evidence: Evidence, rows: ir.Table, station: str) -> ir.StringValue:
    """The same for a station that lines tell of, which may be older than what is kept of them."""
    kept_from, _ = evidence.horizon("log_lines") if evidence.has("log_lines") else (None, None)
    word = ibis.literal(_untold(evidence, station))
    if kept_from is None:
        return word
    lost = (rows.arrived_utc < timestamp(kept_from)).fill_null(False)
    return ibis.ifelse(lost, EXPIRED, word)


def _young(
    evidence: Evidence, rows: ir.Table, table: str, *, column: str = "arrived_utc"
) -> ir.BooleanValue:
    """Whether an event is too young for a table to judge that it is not there."""
    return (rows[column] > timestamp(evidence.judged_until(table))).fill_null(False)


def _older(evidence: Evidence, rows: ir.Table, days: int) -> ir.BooleanValue:
    oldest = evidence.case.captured_at - timedelta(days=days)
    return (rows.arrived_utc <= timestamp(oldest)).fill_null(False)


def _outlived(evidence: Evidence, rows: ir.Table) -> ir.BooleanValue:
    """Whether a message of the event, if it was ever left waiting, has reached its queue's age."""
    kept = evidence.fact("queue_retention", _retention)
    oldest = evidence.case.captured_at - timedelta(seconds=kept)
    return (rows.last_sent_utc <= timestamp(oldest)).fill_null(False)


def _retention(evidence: Evidence) -> int:
    try:
        longest = evidence.engine.scalar(replay_queues(evidence).retention_s.max())
    except NotEvaluable:  # without its queues' state, a case has the pipeline's own retention
        longest = None
    return int(longest or QUEUE_RETENTION_SECONDS)


def _with_divergence(rows: ir.Table, found: ir.Table) -> ir.Table:
    first = found.group_by("event_id").agg(rank=found["rank"].min())
    words = literal_rows(
        [
            {"rank": rank, "station": known.station, "code": known.code, "reason": known.reason}
            for rank, known in enumerate(BREAKS)
        ],
        {"rank": "int64", "station": "string", "code": "string", "reason": "string"},
    )
    told = first.inner_join(words, "rank").drop("rank")
    return rows.left_join(told, "event_id").drop("event_id_right")
