"""Faults of replays: cut short, empty, off by a fraction of a second, dead, or dry."""

from __future__ import annotations

from investigate.sandbox.faults.registry import fault
from investigate.sandbox.stories import Plot, Story, at


@fault("limit-truncation")
def limit_truncation(plot: Plot) -> Story:
    """A replay stops at its limit, and its day is aggregated in part (D7)."""
    yield from plot.usual(10, 6, 9)
    yield at(11, "03:00")
    plot.replay(10, limit=4)
    plot.consume()
    plot.truth.add("replay/truncated", plot.name)
    plot.verdict(10, "partial")


@fault("replay-empty-window")
def replay_empty_window(plot: Plot) -> Story:
    """Somebody replays a day on which the entity had no events."""
    yield from plot.usual(10, 7, 2)
    yield at(12, "03:02")
    plot.replay(11)
    plot.truth.add("replay/nothing-sent", plot.name)


@fault("replay-no-refs")
def replay_no_refs(plot: Plot) -> Story:
    """A replay scans rows, and none of them can be sent."""
    yield at(10, "07:40")
    for number in (1, 2):
        event_time, event_id = f"2026-03-10T07:3{number}:00Z", f"{plot.name}-{number}"
        row = {
            "PK": plot.design.event_pk(plot.name),
            "SK": plot.design.event_sk(event_time, event_id),
            "event_id": event_id,
            "entity_id": plot.name,
            "event_time": event_time,
            "ingest_time": "2026-03-10T07:40:00Z",
            "status": plot.design.accepted,
        }
        plot.sandbox.put_item("events", row)
        plot.truth.add("events/unreplayable", event_id)
    yield at(11, "03:04")
    plot.replay(10)
    plot.truth.add("replay/nothing-sent", plot.name)


@fault("window-edge")
def window_edge(plot: Plot) -> Story:
    """Times with a fraction fall out of, or into, windows compared as text (D6)."""
    (excluded,) = yield from plot.arrive(plot.event(at(10, "00:00:00.500")))
    yield from plot.usual(10, 9, 2)
    (pulled_in,) = yield from plot.arrive(plot.event(at(11, "00:00:00.250")))
    yield at(11, "03:06")
    plot.process(10, "partial", unsent=[excluded])
    yield from plot.usual(11, 9, 2)
    yield at(12, "03:08")
    # The version that the wrong replay made is a part of the day, and the whole of its hour.
    plot.process(11, "split" if plot.is_daily else "complete")
    if plot.is_daily:
        plot.churned(11)
    yield from plot.usual(12, 9, 2)
    (beyond,) = yield from plot.arrive(plot.event(at(13, "00:00:00.250")))
    yield at(13, "03:10")
    plot.process(12, "complete")
    for sent in (excluded, pulled_in, beyond):
        plot.truth.add("replay/boundary", sent.event_id)


@fault("replay-timeout")
def replay_timeout(plot: Plot) -> Story:
    """A replay runs into its time limit after some of its messages (D23)."""
    yield from plot.usual(11, 8, 4)
    yield at(12, "03:12")
    plot.replay(11, crash="timeout-after-2")
    plot.consume()
    plot.verdict(11, "partial")


@fault("replay-error")
def replay_error(plot: Plot) -> Story:
    """A replay fails before it has sent anything, and is asked for again."""
    yield from plot.usual(11, 9, 3)
    yield at(12, "03:14")
    plot.replay(11, crash="error")
    yield at(12, "03:15")
    plot.process(11, "complete")


@fault("dry-run-replay")
def dry_run_replay(plot: Plot) -> Story:
    """The replay function is left in DRY_RUN: it answers without looking (D9)."""
    yield from plot.usual(12, 8, 3)
    yield at(13, "09:00")
    plot.sandbox.set_dry_run("replay", True)
    plot.replay(12)
    plot.truth.add("replay/dry-run", plot.sandbox.names.functions["replay"])
    plot.truth.add("replay/nothing-sent", plot.name)
