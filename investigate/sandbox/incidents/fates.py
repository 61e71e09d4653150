"""What can befall one event, with what it causes; recorded when it happens, never by a check."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from investigate.sandbox.stories import LAG, Plot, Sent, event_row, raw_body

# When a fate does its work: as the event arrives, the night after, or when its day was processed.
BEFORE, AT_NIGHT, AFTER = "before", "at night", "after"
BODY = "payload"
RETRY_SECONDS = 900  # what comes later is no retry, see docs/checks.md

Sending = Generator[datetime, None, "Befallen"]


@dataclass
class Befallen:
    """An event and what its fate made of it.

    `row`: the index has a row that a replay sends. `loadable`: the processor can read the object
    the row names. `known`: raw or the index know it as an event of its day.
    """

    sent: Sent
    fate: Fate
    row: bool = True
    loadable: bool = True
    known: bool = True


@dataclass(frozen=True)
class Fate:
    """One thing that can befall an event: `send` lets it arrive, `happen` does the rest later.
    `alone`: plans that lose whole days would blur what it causes."""

    name: str
    send: Callable[[Plot, dict[str, Any], Random], Sending]
    stage: str = BEFORE
    happen: Callable[[Plot, Befallen], None] = field(default=lambda plot, one: None)
    harmless: bool = False


def _moment(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["event_time"])


def _plainly(name: str) -> Callable[[Plot, dict[str, Any], Random], Sending]:
    def send(plot: Plot, event: dict[str, Any], rng: Random) -> Sending:
        yield _moment(event) + LAG
        return Befallen(plot.send(event), FATES[name])

    return send


def _again(name: str, least: float, most: float) -> Callable[..., Sending]:
    """The client sends it once more, so many seconds later."""

    def send(plot: Plot, event: dict[str, Any], rng: Random) -> Sending:
        yield _moment(event) + LAG
        sent = plot.send(event)
        seconds = rng.uniform(least, most)
        yield _moment(event) + LAG + timedelta(seconds=seconds)
        plot.send(event)
        plot.truth.add("events/duplicate", sent.event_id)
        if seconds <= RETRY_SECONDS:
            plot.truth.retried(event["source"], "insufficient")
        return Befallen(sent, FATES[name])

    return send


def _crashed(name: str, where: str, *, retried: bool) -> Callable[..., Sending]:
    """Ingest dies at a point of its work, and the client tries again or does not."""

    def send(plot: Plot, event: dict[str, Any], rng: Random) -> Sending:
        yield _moment(event) + LAG
        sent = plot.send(event, crash=where)
        if retried:
            yield _moment(event) + LAG + timedelta(seconds=rng.uniform(35, 300))
            plot.send(event)
        return _after_crash(plot, sent, FATES[name], where, retried=retried)

    return send


def _after_crash(plot: Plot, sent: Sent, fate: Fate, where: str, *, retried: bool) -> Befallen:
    add = plot.truth.add
    if where != "after-dedupe":
        add("events/duplicate" if retried else "events/missing-row", sent.event_id)
        return Befallen(sent, fate, row=retried)
    if not retried:
        add("dedupe/orphan", sent.event_id)
        return Befallen(sent, fate, row=False, loadable=False, known=False)
    for code in ("raw/missing", "replay/would-fail"):
        add(code, sent.event_id)
    return Befallen(sent, fate, loadable=False)


def _late(plot: Plot, event: dict[str, Any], rng: Random) -> Sending:
    """It happened in the morning, and arrives when nobody waits for it any more."""
    happened = _moment(event)
    yield max(happened + timedelta(hours=6.2), happened + LAG)
    sent = plot.send(event)
    plot.truth.add("raw/late", sent.event_id)
    return Befallen(sent, FATES["late"])


def _skewed(plot: Plot, event: dict[str, Any], rng: Random) -> Sending:
    yield _moment(event) - timedelta(seconds=rng.uniform(5, 50))
    sent = plot.send(event)
    plot.truth.add("raw/clock-skew", sent.event_id)
    return Befallen(sent, FATES["skewed"])


def _reused(plot: Plot, event: dict[str, Any], rng: Random) -> Sending:
    """One idempotency key carries two payloads; the row describes the one that was refused."""
    first = {**event, "idempotency_key": f"key-{event['payload']['order']}"}
    yield _moment(event) + LAG
    sent = plot.send(first)
    yield _moment(event) + LAG + timedelta(seconds=rng.uniform(5, 400))
    plot.send({**first, "payload": {"order": "another one"}})
    plot.truth.add("events/payload-conflict", sent.event_id)
    return Befallen(sent, FATES["reused"])


def _repeat(plot: Plot, one: Befallen) -> None:
    """The next day's repetition: its row points at a key that was never written (D2)."""
    plot.send(one.sent.request)
    for code in ("events/duplicate", "events/dangling-key", "replay/would-fail"):
        plot.truth.add(code, one.sent.event_id)
    one.loadable = False


def _delete(plot: Plot, one: Befallen) -> None:
    plot.sandbox.delete_object(one.sent.s3_key)
    for code in ("raw/missing", "replay/would-fail"):
        plot.truth.add(code, one.sent.event_id)
    one.loadable = False


def _corrupt(plot: Plot, one: Befallen) -> None:
    plot.sandbox.put_object(one.sent.s3_key, b'{"half": ')
    plot.truth.add("raw/corrupt", one.sent.s3_key)
    for code in ("raw/overwritten", "replay/would-fail"):
        plot.truth.add(code, one.sent.event_id)
    one.loadable = False


def _tamper(plot: Plot, one: Befallen) -> None:
    plot.overwrite(one.sent, {**raw_body(plot, one.sent), BODY: {"order": "none of yours"}})
    for code in ("raw/payload-mismatch", "raw/overwritten"):
        plot.truth.add(code, one.sent.event_id)


def _rename(plot: Plot, one: Befallen) -> None:
    plot.overwrite(one.sent, {**raw_body(plot, one.sent), "event_id": "e" * 64})
    for code in ("raw/id-mismatch", "raw/overwritten"):
        plot.truth.add(code, one.sent.event_id)


def _rewrite(plot: Plot, one: Befallen) -> None:
    plot.overwrite(one.sent, raw_body(plot, one.sent))
    plot.truth.add("raw/overwritten", one.sent.event_id)


def _copy(plot: Plot, one: Befallen) -> None:
    head, _, tail = one.sent.s3_key.partition("/ingest_date=")
    copy = f"{head}/ingest_date=2026-03-13{tail[10:]}"
    plot.overwrite(one.sent, raw_body(plot, one.sent), key=copy)
    plot.truth.add("raw/misplaced", copy)
    for code in ("raw/duplicate-objects", "raw/overwritten"):
        plot.truth.add(code, one.sent.event_id)


def _lose_gate(plot: Plot, one: Befallen) -> None:
    plot.sandbox.delete_item("dedupe", {"event_id": one.sent.event_id})
    plot.truth.add("dedupe/missing", one.sent.event_id)


def _reaccept(plot: Plot, one: Befallen) -> None:
    plot.sandbox.delete_item("dedupe", {"event_id": one.sent.event_id})
    plot.send(one.sent.request)
    for code in ("dedupe/reaccepted", "raw/duplicate-objects"):
        plot.truth.add(code, one.sent.event_id)


def _restate(plot: Plot, one: Befallen) -> None:
    row = {**event_row(plot, one.sent), "status": "REJECTED"}
    plot.sandbox.put_item("events", row)
    plot.truth.add("events/unknown-status", one.sent.sk)


_LATER = {
    "repeated-next-day": (AT_NIGHT, _repeat),
    "deleted-before": (AT_NIGHT, _delete),
    "corrupted": (AT_NIGHT, _corrupt),
    "tampered": (AT_NIGHT, _tamper),
    "rewritten": (AT_NIGHT, _rewrite),
    "deleted-after": (AFTER, _delete),
    "renamed": (AFTER, _rename),
    "copied": (AFTER, _copy),
    "gate-lost": (AFTER, _lose_gate),
    "reaccepted": (AFTER, _reaccept),
    "restated": (AFTER, _restate),
}
FATES: Mapping[str, Fate] = {
    fate.name: fate
    for fate in (
        Fate("fine", _plainly("fine"), harmless=True),
        Fate("retried", _again("retried", 1, 200), harmless=True),
        Fate("repeated-later", _again("repeated-later", 1_000, 3_000), harmless=True),
        Fate("died-behind-gate", _crashed("died-behind-gate", "after-dedupe", retried=False)),
        Fate("died-and-retried", _crashed("died-and-retried", "after-dedupe", retried=True)),
        Fate("died-before-row", _crashed("died-before-row", "after-raw", retried=False)),
        Fate("healed", _crashed("healed", "after-raw", retried=True), harmless=True),
        Fate("timed-out", _crashed("timed-out", "timeout-after-row", retried=True), harmless=True),
        Fate("late", _late, harmless=True),
        Fate("skewed", _skewed, harmless=True),
        Fate("reused", _reused),
        *(Fate(name, _plainly(name), stage, happen) for name, (stage, happen) in _LATER.items()),
    )
}
