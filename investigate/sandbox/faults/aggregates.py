"""Faults of aggregates: split, doubled, overwritten, rewritten by hand, deleted."""

from __future__ import annotations

from collections.abc import Sequence

from investigate import pipeline
from investigate.sandbox.faults.registry import fault, with_batches_below
from investigate.sandbox.stories import Plot, Sent, Story, at


@fault("batch-split", unfit=with_batches_below(25))
def batch_split(plot: Plot) -> Story:
    """A day of 25 events becomes three versions, none of which is the day (D13)."""
    # Two types of event: 25 of one, evenly spaced, would be a regular source that falls silent.
    times = plot.times(10, 2, 25)
    types = ("order", "return")
    yield from plot.arrive(
        *(plot.event(when, event_type=types[n % 2]) for n, when in enumerate(times))
    )
    yield at(11, "03:20")
    plot.process(10, "split")
    plot.churned(10)


@fault("same-second-overwrite", unfit=with_batches_below(15))
def same_second_overwrite(plot: Plot) -> Story:
    """Two batches of a day in one second: the second overwrites (D14)."""
    yield from plot.usual(10, 3, 15)
    yield at(11, "03:22")
    plot.replay(10)
    plot.consume(same_second=True)
    plot.verdict(10, "overwritten")
    plot.truth.add("aggregates/partial", *(f"{plot.name} {one}" for one in plot.periods(10)))


@fault("doubled-batch")
def doubled_batch(plot: Plot) -> Story:
    """A day is replayed twice, and one batch counts every event twice (D15)."""
    yield from plot.usual(10, 4, 4)
    yield at(11, "03:24")
    plot.replay(10)
    plot.replay(10)
    plot.consume()
    plot.verdict(10, "inflated")


@fault("aggregate-rewritten")
def aggregate_rewritten(plot: Plot) -> Story:
    """Somebody corrects an aggregate by hand."""
    yield from plot.usual(10, 5, 4)
    yield at(11, "03:26")
    plot.replay(10)
    plot.consume()
    yield at(11, "09:10")
    (row,) = plot.versions()
    by_hand = pipeline.sha256("what it should have been")
    plot.sandbox.put_item("aggregates", {**row, "value": row["value"] + 1, "inputs_hash": by_hand})
    plot.verdict(10, "unexplained")
    told_by_inputs = ("partial", "split", "inflated", "stale")
    plot.truth.obscure(*(f"aggregates/{verdict}" for verdict in told_by_inputs))


@fault("aggregate-deleted")
def aggregate_deleted(plot: Plot) -> Story:
    """The only aggregate of a day is deleted."""
    yield from plot.usual(10, 6, 3)
    yield at(11, "03:28")
    plot.replay(10)
    plot.consume()
    yield at(11, "09:20")
    (row,) = plot.versions()
    plot.sandbox.delete_item("aggregates", {name: row[name] for name in ("PK", "SK")})
    plot.verdict(10, "missing")


@fault("backfill-complete")
def backfill_complete(plot: Plot) -> Story:
    """A backfill writes one version of a whole day of 12 events, more than any batch holds."""
    events = yield from plot.usual(10, 9, 12)
    yield at(11, "10:00")
    _backfill(plot, events)
    plot.verdict(10, "complete")


@fault("backfill-doubled")
def backfill_doubled(plot: Plot) -> Story:
    """A backfill reads a day of 8 events from two places and counts each of them twice."""
    events = yield from plot.usual(10, 10, 8)
    yield at(11, "10:10")
    _backfill(plot, events + events)
    plot.verdict(10, "inflated")


@fault("backfill-cut")
def backfill_cut(plot: Plot) -> Story:
    """A backfill of a day of 15 events leaves out the first and the last ones."""
    events = yield from plot.usual(10, 11, 15)
    yield at(11, "10:20")
    _backfill(plot, events[1:13])
    plot.verdict(10, "partial")


@fault("backfill-without-missing")
def backfill_without_missing(plot: Plot) -> Story:
    """A backfill counts the raw objects of a day, of which two had been deleted."""
    events = yield from plot.usual(10, 12, 14)
    yield at(11, "09:30")
    for sent in (events[3], events[8]):
        plot.sandbox.delete_object(sent.s3_key)
        plot.truth.add("raw/missing", sent.event_id)
        plot.truth.add("replay/would-fail", sent.event_id)
    yield at(11, "10:30")
    _backfill(plot, [sent for sent in events if sent not in (events[3], events[8])])
    plot.verdict(10, "partial")


def _backfill(plot: Plot, events: Sequence[Sent]) -> None:
    """Write a version of the 10th as the processor would, of a batch that it never gets."""
    now = plot.sandbox.clock.now()
    (period,), version, design = plot.periods(10), int(now.timestamp()), plot.design
    inputs = sorted((sent.event_time, sent.event_id, sent.payload_sha) for sent in events)
    row = {
        "PK": plot.design.event_pk(plot.name),
        "SK": design.aggregate.sk(period, version),
        "entity_id": plot.name,
        "day": period,
        "version": version,
        "metric_name": design.aggregate.metric_name,
        "value": design.aggregate.value(sent.request["payload"] for sent in events),
        "input_count": len(inputs),
        "inputs_hash": design.aggregate.inputs_hash(inputs),
        "sample_event_ids": [event_id for _, event_id, _ in inputs[: design.sample_ids]],
        "computed_at": pipeline.format_time(now),
    }
    plot.sandbox.put_item("aggregates", row)
    plot.truth.obscure("aggregates/overwritten")  # only the processor logs what it writes
