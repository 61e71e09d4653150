"""What a mapping does with a bad record by its real settings, and what the logs say it did.

The batch is one that failed because of a record, if the logs tell of one; else a whole batch whose
middle record is supposed to be bad. See `batch_walk_rules` for the rules and their sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from investigate.analysis.batch_walk_rules import (
    ENDLESS,
    QueueSettings,
    StreamSettings,
    Walk,
    queue_walk,
    stream_walk,
)
from investigate.analysis.collateral import A_RECORD, deliveries, failed_batches, load_order
from investigate.evidence import Evidence

MOST_RECORDS = 40  # of a larger batch, so many are walked through: the shape is the same
MOST_INVOCATIONS = 40  # of a batch that came back without end
DELIVERED, RETURNED, BAD = "delivered", "returned", "bad"
DISCARDED, DEAD_LETTER, ENDLESSLY, STARVED = "discarded", "dead-lettered", "endless", "starved"

Settings = QueueSettings | StreamSettings
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Logged:
    """One invocation of a batch as the logs tell it: the numbers of its records, and its end."""

    request_id: str
    records: tuple[int, ...]
    failed: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """One mapping with a batch: its records, which of them are bad, what its settings make of it,
    and the `logged` invocations (none if the batch is supposed)."""

    mapping: Row
    settings: Settings
    records: int
    bad: tuple[int, ...]
    walk: Walk
    logged: tuple[Logged, ...] = ()

    @property
    def keeps_failures(self) -> bool:
        """Whether what is given up on is kept: in a dead-letter queue, or at a destination."""
        if isinstance(self.settings, QueueSettings):
            return self.settings.max_receive_count is not None
        return bool(self.mapping["on_failure_arn"])

    @property
    def invocations(self) -> tuple[tuple[int, ...], ...]:
        """The records of each simulated invocation. Of a queue with partial answers a range that
        comes back has only the bad ones: what lies between them is done."""
        ranges = [tuple(range(first, last + 1)) for first, last in self.walk.invocations]
        if isinstance(self.settings, QueueSettings) and self.settings.report_failures:
            ranges = [ranges[0], *([self.bad] * (len(ranges) - 1))]
        return tuple(ranges)

    @property
    def agrees(self) -> bool | None:
        """Whether the logged invocations have the simulated records, as far as they go; None if the
        batch is supposed. What comes again without end comes as it did last."""
        if not self.logged:
            return None
        simulated = list(self.invocations)
        if self.walk.endless:
            simulated += simulated[-1:] * max(0, len(self.logged) - len(simulated))
        return [one.records for one in self.logged] == simulated[: len(self.logged)]

    def end_of(self, record: int) -> str | None:
        """What becomes of a record for which no invocation succeeds; None of any other."""
        endless = self.walk.endless
        if endless and endless[0] <= record <= endless[1]:
            return ENDLESSLY
        if record in self.walk.starved:
            return STARVED
        if record in self.walk.lost:
            return DEAD_LETTER if self.keeps_failures else DISCARDED
        return None

    def state(self, invocation: tuple[int, ...], record: int) -> str:
        """What a simulated invocation is to one of its records: it is delivered for good, returned
        with a bad one, or bad itself."""
        failing = [n for n in self.bad if n in invocation]
        if record in failing:
            return BAD
        if not failing:
            return DELIVERED
        if not self.settings.report_failures:
            return RETURNED
        stream = isinstance(self.settings, StreamSettings)
        return RETURNED if stream and record > failing[0] else DELIVERED


def batches(evidence: Evidence) -> list[Batch]:
    """Return one batch per mapping of a queue or stream whose settings are known, the one with a
    logged batch first. Raises `NotEvaluable` if no mapping was captured."""
    queues = _queues(evidence)
    logged = _logged(evidence)
    known = [row for row, unknown in _mappings(evidence, queues) if not unknown]
    return sorted(
        (_batch(row, queues, logged) for row in known), key=lambda batch: not batch.logged
    )


def unwalked(evidence: Evidence) -> list[tuple[Row, str]]:
    """Return the other mappings that have a source, each with why nobody can say what becomes of
    its batch. Raises like `batches`."""
    told = _mappings(evidence, _queues(evidence))
    return [(row, unknown) for row, unknown in told if unknown]


def _mappings(evidence: Evidence, queues: Mapping[str, Row]) -> list[tuple[Row, str]]:
    rows = evidence.engine.rows(evidence["mappings"].order_by("uuid"))
    return [(row, _unknown(evidence, row, queues)) for row in rows if row["source_arn"]]


def _unknown(evidence: Evidence, mapping: Row, queues: Mapping[str, Row]) -> str:
    """Why the settings of a mapping's source are not known; empty if they are."""
    service = mapping["source_arn"].split(":")[2:3]
    if service == ["sqs"]:
        if mapping["source_arn"] in queues:
            return ""
        # That a queue has no redrive policy is known of captured queues only.
        if not evidence.is_whole("queue_state"):
            return (
                f"the redrive policy of its queue is unknown: {evidence.capture_gap('queue_state')}"
            )
        return "the redrive policy of its queue is unknown: queue_state does not have it"
    if service in (["kinesis"], ["dynamodb"]):
        return ""
    return f"how its source handles a failed batch is not modelled: {mapping['source_arn']}"


def settings_of(mapping: Row, max_receive_count: int | None) -> Settings:
    """Return how a mapping of a queue or stream handles a failed batch. What the API leaves out of
    a stream's mapping is its default: attempts without end."""
    reports = bool(mapping["partial_batch_response"])
    if ":sqs:" in mapping["source_arn"]:
        return QueueSettings(max_receive_count, reports)
    attempts = mapping["max_retry_attempts"]
    return StreamSettings(
        ENDLESS if attempts is None else attempts, bool(mapping["bisect"]), reports
    )


def _batch(mapping: Row, queues: Mapping[str, Row], logged: Mapping[str, Sequence[Row]]) -> Batch:
    queue = queues.get(mapping["source_arn"])
    settings = settings_of(mapping, queue["max_receive_count"] if queue else None)
    told = logged.get(queue["name"], ()) if queue else ()
    if told:
        # Of some records of the batch it may not be known what came of them: all are numbered anew.
        numbers = {place: n for n, place in enumerate(sorted({row["place"] for row in told}), 1)}
        told = [{**row, "place": numbers[row["place"]]} for row in told]
        places = {row["event_id"]: row["place"] for row in told}
        bad = tuple(sorted({row["place"] for row in told if not row["succeeds"]}))
        return _walked(mapping, settings, len(places), bad, _invocations(told))
    records = max(1, min(mapping["batch_size"] or 1, MOST_RECORDS))
    return _walked(mapping, settings, records, ((records + 1) // 2,), ())


def _walked(
    mapping: Row,
    settings: Settings,
    records: int,
    bad: tuple[int, ...],
    logged: tuple[Logged, ...],
) -> Batch:
    if isinstance(settings, QueueSettings):
        walk = queue_walk(settings, records, bad)
    else:
        walk = stream_walk(settings, records, bad)
    return Batch(mapping, settings, records, bad, walk, logged)


def _invocations(rows: Sequence[Row]) -> tuple[Logged, ...]:
    requests: dict[str, list[Row]] = {}
    for row in rows:
        requests.setdefault(row["request_id"], []).append(row)
    return tuple(
        Logged(request_id, tuple(sorted(row["place"] for row in part)), part[0]["failed"])
        for request_id, part in requests.items()
    )


def _queues(evidence: Evidence) -> dict[str, Row]:
    if not evidence.has("queue_state"):
        return {}
    rows = evidence["queue_state"].select("arn", "name", "max_receive_count")
    return {row["arn"]: row for row in evidence.engine.rows(rows)}


def _logged(evidence: Evidence) -> dict[str, list[Row]]:
    """Per queue, the deliveries of the batch that failed because of a record and sent the most
    healthy ones back; with the place of each record in the batch's first invocation. None in a case
    of some entities, which does not know the others' records in the batch."""
    if not (evidence.has("log_lines") and evidence.has("invocations")):
        return {}
    if evidence.case.scope_entities:
        return {}
    failed = failed_batches(evidence)
    failed = failed.filter(failed.cause == A_RECORD, failed.records <= MOST_RECORDS)
    order = [failed.collateral.desc(), failed.at_utc.asc(), failed.request_id.asc()]
    place = ibis.row_number().over(group_by="group", order_by=order)
    failed = failed.mutate(place=place)
    first = failed.filter(failed.place == 0).select("group", "request_id")
    rows = deliveries(evidence)
    places = load_order(evidence).inner_join(first, "request_id")
    there = rows.inner_join(
        places.select("request_id", "event_id", "place"), ["request_id", "event_id"]
    )
    known = there.select("sequence", "event_id", "place")
    rows = rows.inner_join(known, ["sequence", "event_id"])
    rows = rows.order_by("at_utc", "request_id", "place").limit(MOST_RECORDS * MOST_INVOCATIONS)
    found: dict[str, list[Row]] = {}
    for row in evidence.engine.rows(rows):
        found.setdefault(row["group"], []).append(row)
    return found
