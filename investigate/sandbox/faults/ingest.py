"""Faults at the gate: duplicates, crashes half-way through ingest, reused keys, colliding ids."""

from __future__ import annotations

from datetime import timedelta

from investigate.pipeline import Design
from investigate.sandbox.faults.registry import fault, with_in_raw_key
from investigate.sandbox.stories import Plot, Story, at


@fault("duplicate-next-day", unfit=with_in_raw_key("ingest_date"))
def duplicate_next_day(plot: Plot) -> Story:
    """A client repeats events after midnight: their rows point at keys never written (D2)."""
    yield from plot.usual(10, 9, 3)
    evening = yield from plot.usual(10, 22, 4)
    for position, sent in enumerate(evening):
        yield at(11, "00:21") + timedelta(seconds=40 * position)
        plot.send(sent.request)
        for code in ("events/duplicate", "events/dangling-key", "replay/would-fail"):
            plot.truth.add(code, sent.event_id)
    yield at(11, "02:10")
    plot.process(10, "partial", lost=evening)
    plot.truth.add("processor/swallowed-errors", *(sent.event_id for sent in evening))


@fault("duplicate-after-processing", unfit=with_in_raw_key("ingest_date"))
def duplicate_after_processing(plot: Plot) -> Story:
    """The same, but after the day was aggregated: only the index is wrong (D2)."""
    evening = yield from plot.usual(11, 21, 3)
    yield at(12, "02:12")
    plot.process(11, "complete")
    yield at(12, "08:40")
    plot.send(evening[0].request)
    for code in ("events/duplicate", "events/dangling-key", "replay/would-fail"):
        plot.truth.add(code, evening[0].event_id)


@fault("crash-dedupe-retried")
def crash_dedupe_retried(plot: Plot) -> Story:
    """Ingest dies behind the gate and the retry is refused: the raw object never exists (D3)."""
    yield from plot.usual(10, 7, 2)
    lost = plot.event(at(10, "08:11"))
    yield at(10, "08:11:02")
    crashed = plot.send(lost, crash="after-dedupe")
    yield at(10, "08:11:41")
    plot.send(lost)
    for code in ("raw/missing", "replay/would-fail", "processor/swallowed-errors"):
        plot.truth.add(code, crashed.event_id)
    yield at(11, "02:14")
    plot.process(10, "partial", lost=[crashed])


@fault("crash-dedupe-lost")
def crash_dedupe_lost(plot: Plot) -> Story:
    """Ingest dies behind the gate and nobody tries again: only a dedupe row."""
    yield from plot.usual(11, 7, 2)
    yield at(11, "08:13:02")
    crashed = plot.send(plot.event(at(11, "08:13")), crash="after-dedupe")
    plot.truth.add("dedupe/orphan", crashed.event_id)
    yield at(12, "02:14")
    plot.process(11, "complete", unsent=[crashed])


@fault("crash-raw-row-healed")
def crash_raw_row_healed(plot: Plot) -> Story:
    """Ingest dies before the row is written; the retry writes it (D26)."""
    yield from plot.usual(10, 8, 2)
    event = plot.event(at(10, "09:17"))
    yield at(10, "09:17:02")
    crashed = plot.send(event, crash="after-raw")
    yield at(10, "09:17:33")
    plot.send(event)
    plot.truth.add("events/duplicate", crashed.event_id)
    yield at(11, "02:16")
    plot.process(10, "complete")


@fault("crash-raw-row-lost")
def crash_raw_row_lost(plot: Plot) -> Story:
    """Ingest dies before the row is written, and nobody tries again."""
    yield from plot.usual(11, 9, 2)
    yield at(11, "10:19:02")
    crashed = plot.send(plot.event(at(11, "10:19")), crash="after-raw")
    plot.truth.add("events/missing-row", crashed.event_id)
    yield at(12, "02:16")
    plot.process(11, "partial", unsent=[crashed])


@fault("timeout-after-row")
def timeout_after_row(plot: Plot) -> Story:
    """Ingest times out after its work is done; the retry is a duplicate."""
    yield from plot.usual(10, 12, 2)
    event = plot.event(at(10, "13:21"))
    yield at(10, "13:21:02")
    crashed = plot.send(event, crash="timeout-after-row")
    yield at(10, "13:22:11")
    plot.send(event)
    plot.truth.add("events/duplicate", crashed.event_id)
    yield at(11, "02:18")
    plot.process(10, "complete")


@fault("key-reused-other-payload")
def key_reused_other_payload(plot: Plot) -> Story:
    """One idempotency key carries two payloads; the second is refused."""
    yield from plot.usual(10, 14, 2)
    first = plot.event(at(10, "15:23"), idempotency_key="basket-77")
    (kept,) = yield from plot.arrive(first)
    yield at(10, "15:31")
    plot.send({**first, "payload": {**first["payload"], "order": "another basket"}})
    plot.truth.add("events/payload-conflict", kept.event_id)
    yield at(11, "02:20")
    plot.process(10, "complete")


@fault("key-reused-other-time")
def key_reused_other_time(plot: Plot) -> Story:
    """One idempotency key carries two times: one id on two rows."""
    yield from plot.usual(11, 10, 2)
    first = plot.event(at(11, "11:25"), idempotency_key="basket-78")
    (kept,) = yield from plot.arrive(first)
    again = yield from plot.arrive({**first, "event_time": "2026-03-11T14:05:00Z"})
    plot.truth.add("events/reused-id", kept.event_id)
    plot.truth.add("events/dangling-key", kept.event_id)
    yield at(12, "02:20")
    plot.process(11, "complete", unsent=again)


def _tells_apart(design: Design) -> str:
    mark, when = design.delimiters[0], "2026-03-10T00:00:00Z"
    pairs = ((f"a{mark}b", "c"), ("a", f"b{mark}c"))
    ids = {design.hashed_event_id(*pair, "e", when, "sha") for pair in pairs}
    known = with_in_raw_key("event_type")(design) or with_in_raw_key("source")(design)
    return known if len(ids) == 1 else "its ids do not join source and type by its first delimiter"


@fault("delimiter-collision", unfit=_tells_apart)
def delimiter_collision(plot: Plot) -> Story:
    """The id recipe does not escape its delimiter: two events, one id (D25)."""
    (left, right), mark = plot.name.split("-"), plot.design.delimiters[0]
    first = plot.event(at(12, "10:27"), source=f"{left}{mark}{right}", event_type="order")
    (kept,) = yield from plot.arrive(first)
    yield at(12, "10:27:09")
    plot.send({**first, "source": left, "event_type": f"{right}{mark}order"})
    for code in ("dedupe/collision-risk", "events/dangling-key", "replay/would-fail"):
        plot.truth.add(code, kept.event_id)


@fault("expired-gate")
def expired_gate(plot: Plot) -> Story:
    """A dedupe row that should have expired refuses this month's order (D4)."""
    yield at(10, "06:00") - timedelta(days=35)
    order = plot.event(at(10, "06:00") - timedelta(days=35), idempotency_key="monthly")
    first = plot.send(order)
    yield from plot.usual(11, 4, 2)
    yield at(11, "06:00:02")
    plot.send({**order, "event_time": "2026-03-11T06:00:00Z"})
    for code in ("dedupe/expired-block", "events/dangling-key", "events/reused-id"):
        plot.truth.add(code, first.event_id)
    plot.truth.add("replay/would-fail", first.event_id)


@fault("upstream-replay")
def upstream_replay(plot: Plot) -> Story:
    """An upstream system sends a morning's events once more in the afternoon."""
    morning = yield from plot.usual(10, 10, 6)
    for position, sent in enumerate(morning):
        yield at(10, "16:00") + timedelta(seconds=3 * position)
        plot.send(sent.request)
        plot.truth.add("events/duplicate", sent.event_id)
    yield at(11, "02:22")
    plot.process(10, "complete")


@fault("double-charge")
def double_charge(plot: Plot) -> Story:
    """A client sends the same charge twice under two times, and so two ids."""
    yield from plot.usual(10, 17, 2)
    charge = plot.event(at(10, "18:29"), event_type="charge")
    again = {**charge, "event_time": "2026-03-10T18:29:04Z"}
    _, second = yield from plot.arrive(charge, again)
    plot.truth.add("events/semantic-duplicate", second.event_id)
    yield at(11, "02:24")
    plot.process(10, "complete")
