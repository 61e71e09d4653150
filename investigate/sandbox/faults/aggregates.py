"""Faults of aggregates: split, doubled, overwritten, rewritten by hand, deleted."""

from __future__ import annotations

from typing import Any

from investigate import pipeline
from investigate.sandbox.faults.registry import fault
from investigate.sandbox.function import from_item, to_item
from investigate.sandbox.stories import Plot, Story, at


@fault("batch-split")
def batch_split(plot: Plot) -> Story:
    """A day of 25 events becomes three versions, none of which is the day (D13)."""
    yield from plot.usual(10, 2, 25)
    yield at(11, "03:20")
    plot.process(10, "split")
    plot.churned(10)


@fault("same-second-overwrite")
def same_second_overwrite(plot: Plot) -> Story:
    """Two batches of a day in one second: the second overwrites (D14)."""
    yield from plot.usual(10, 3, 15)
    yield at(11, "03:22")
    plot.replay(10)
    plot.consume(same_second=True)
    plot.verdict(10, "overwritten")
    plot.truth.add("aggregates/partial", f"{plot.name} 2026-03-10")


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
    (row,) = _versions(plot)
    by_hand = pipeline.sha256("what it should have been")
    plot.sandbox.put_item("aggregates", {**row, "value": row["value"] + 1, "inputs_hash": by_hand})
    plot.verdict(10, "unexplained")


@fault("aggregate-deleted")
def aggregate_deleted(plot: Plot) -> Story:
    """The only aggregate of a day is deleted."""
    yield from plot.usual(10, 6, 3)
    yield at(11, "03:28")
    plot.replay(10)
    plot.consume()
    yield at(11, "09:20")
    (row,) = _versions(plot)
    plot.sandbox.delete_item("aggregates", {name: row[name] for name in ("PK", "SK")})
    plot.verdict(10, "missing")


def _versions(plot: Plot) -> list[dict[str, Any]]:
    found = plot.sandbox.clients.dynamodb.query(
        TableName=plot.sandbox.names.aggregates_table,
        KeyConditionExpression="PK = :pk",
        ExpressionAttributeValues=to_item({":pk": pipeline.event_pk(plot.name)}),
    )
    return [from_item(item) for item in found["Items"]]
