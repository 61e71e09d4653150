"""How a day is processed, with what can go wrong there; the model says how the day then stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from investigate.sandbox.incidents.fates import Befallen
from investigate.sandbox.stories import Plot, Story, at

Run = Callable[[Plot, int, datetime, Sequence[Befallen]], Story]


@dataclass(frozen=True, slots=True)
class ProcessingPlan:
    """A way to process a day. `least` and `most` events it makes sense for; `harmless`: only where
    nothing befell the events that would keep the processor from loading them."""

    name: str
    run: Run
    least: int = 1
    most: int = 25
    harmless: bool = False


def _none(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    yield begins


def _once(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    yield begins
    _replay(plot, day, events)
    plot.consume()
    _settle(plot, day, events, _in_order(events))


def _limited(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    yield begins
    rows = _in_order(events)
    limit = max(1, len(rows) // 2)
    _replay(plot, day, events, limit=limit)
    plot.consume()
    if limit < len(rows):
        plot.truth.add("replay/truncated", plot.name)
    _settle(plot, day, events, rows[:limit])


def _doubled(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    """Two replays into one batch."""
    yield begins
    _replay(plot, day, events)
    _replay(plot, day, events)
    plot.consume()
    sent = _in_order(events)
    if any(one.loadable for one in sent):
        _swallowed(plot, sent)
        plot.verdict(day, "inflated")
        if _left_out(events, sent):
            plot.truth.add("aggregates/partial", _key(plot, day))
    else:
        _settle(plot, day, events, sent)


def _twice(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    """A day is replayed and processed, and some minutes later once more."""
    yield begins
    _replay(plot, day, events)
    plot.consume()
    yield begins + timedelta(seconds=90)
    _replay(plot, day, events)
    plot.consume()
    sent = _in_order(events)
    _settle(plot, day, events, sent)
    if any(one.loadable for one in sent):
        plot.truth.add("aggregates/churn", _key(plot, day))


def _purged(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    yield begins
    _replay(plot, day, events)
    plot.sandbox.clients.sqs.purge_queue(QueueUrl=plot.sandbox.names.replay_queue_url)
    sent = _in_order(events)
    plot.truth.add("sqs/lost", *(one.sent.event_id for one in sent))
    plot.verdict(day, "missing")


def _same_second(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    yield begins
    _replay(plot, day, events)
    plot.consume(same_second=True)
    plot.verdict(day, "overwritten")
    plot.truth.add("aggregates/partial", _key(plot, day))


def _deleted(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    """The only version of the day is deleted later."""
    yield begins
    _replay(plot, day, events)
    plot.consume()
    yield begins + timedelta(seconds=100)
    for row in plot.versions():
        plot.sandbox.delete_item("aggregates", {name: row[name] for name in ("PK", "SK")})
    plot.verdict(day, "missing")


def _stale(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
    """An event of the day arrives after the day was processed."""
    yield begins
    _replay(plot, day, events)
    plot.consume()
    yield begins + timedelta(seconds=100)
    late = plot.send(plot.event(at(day, "23:40")))
    plot.truth.add("raw/late", late.event_id)
    plot.verdict(day, "stale")


def _failing(failure: str) -> Run:
    """The batch fails once, comes back, and succeeds."""

    def run(plot: Plot, day: int, begins: datetime, events: Sequence[Befallen]) -> Story:
        yield begins
        _replay(plot, day, events)
        plot.consume(failure=failure)
        if failure == "error" and any(one.loadable for one in _in_order(events)):
            plot.comes_back()
        yield begins + timedelta(seconds=130)
        plot.consume()
        _settle(plot, day, events, _in_order(events))

    return run


def _replay(plot: Plot, day: int, events: Sequence[Befallen], limit: int | None = None) -> None:
    options = {} if limit is None else {"limit": limit}
    plot.replay(day, None, **options)
    if not _in_order(events):
        plot.truth.add("replay/nothing-sent", plot.name)


def _in_order(events: Sequence[Befallen]) -> list[Befallen]:
    """What a replay of the whole day sends."""
    rows = [one for one in events if one.row]
    return sorted(rows, key=lambda one: one.sent.sk)


def _settle(plot: Plot, day: int, events: Sequence[Befallen], sent: Sequence[Befallen]) -> None:
    """Record how the day stands when these events were sent, in batches, and processed."""
    _swallowed(plot, sent)
    size = plot.design.batch_size
    batches = [sent[first : first + size] for first in range(0, len(sent), size)]
    versions = sum(any(one.loadable for one in batch) for batch in batches)
    if not sent:
        return
    if versions > 1:
        plot.truth.add("aggregates/churn", _key(plot, day))
    if not versions:
        plot.verdict(day, "missing")
    elif _left_out(events, sent):
        plot.verdict(day, "partial")
    else:
        plot.verdict(day, "split" if versions > 1 else "complete")


def _swallowed(plot: Plot, sent: Sequence[Befallen]) -> None:
    for one in sent:
        if not one.loadable:
            plot.truth.add("processor/swallowed-errors", one.sent.event_id)


def _left_out(events: Sequence[Befallen], sent: Sequence[Befallen]) -> bool:
    """Whether the day has an event that no version counts."""
    counted = {one.sent.event_id for one in sent if one.loadable}
    return any(one.known and one.sent.event_id not in counted for one in events)


def _key(plot: Plot, day: int) -> str:
    return f"{plot.name} {at(day, '00:00').date().isoformat()}"


PLANS: Mapping[str, ProcessingPlan] = {
    plan.name: plan
    for plan in (
        ProcessingPlan("none", _none),
        ProcessingPlan("once", _once),
        ProcessingPlan("limited", _limited, least=2),
        ProcessingPlan("doubled", _doubled, most=5),
        ProcessingPlan("twice", _twice, most=10),
        ProcessingPlan("purged", _purged, harmless=True),
        ProcessingPlan("same-second", _same_second, least=11, most=20, harmless=True),
        ProcessingPlan("deleted", _deleted, most=10, harmless=True),
        ProcessingPlan("stale", _stale, most=10, harmless=True),
        *(
            ProcessingPlan(f"failing-{failure}", _failing(failure), most=10)
            for failure in ("error", "timeout", "out-of-memory", "throttle")
        ),
    )
}
