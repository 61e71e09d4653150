"""The events of one log group, fetched page by page into the draft, and read back by stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from investigate.aws.secrets import redact
from investigate.capture.ordered import batches
from investigate.capture.source import Source
from investigate.capture.values import storable, to_millis

# In a log group that several functions share, the name of a stream says whose it is.
_STREAM = re.compile(r"\d{4}/\d{2}/\d{2}/(?P<function>[\w-]+)\[")
STEP_EVENTS, STEP_CHARACTERS = 20_000, 16_000_000  # kept at once
# A capture that goes on asks again for so much before the newest event it has: events of one
# time may be spread over two pages. What it has already is left out by its id.
OVERLAP = timedelta(minutes=1)
_SCHEMA = pa.schema(
    {
        "stream": pa.string(),
        "at_ms": pa.int64(),
        "place": pa.int64(),  # in the order of the answers
        "id": pa.string(),
        "message": pa.string(),
    }
)
_ORDER = ("stream", "at_ms", "place")


@dataclass
class _Fetched:
    """Events that were fetched and are not kept yet, and what was fetched before."""

    count: int
    resumed: bool
    events: list[Mapping[str, Any]] = field(default_factory=list)
    characters: int = 0

    def add(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)
        self.characters += len(event["message"])

    @property
    def full(self) -> bool:
        return len(self.events) >= STEP_EVENTS or self.characters >= STEP_CHARACTERS


def fetch(source: Source, function: str, group: str) -> None:
    """Put every event of a function's log group into the draft; raise `AccessError`.

    CloudWatch Logs answers in the order of time (FilterLogEvents: "sorted by event timestamp"),
    which is where a capture that was killed goes on.
    """
    unit = _unit(function)
    note = source.draft.note(unit) or {"since": None, "count": 0, "done": False, "resumed": False}
    if note["done"]:
        return
    since = to_millis(source.options.since)
    again = note["since"] is not None
    if again:
        since = max(since, note["since"] - OVERLAP // timedelta(milliseconds=1))
    fetched = _Fetched(note["count"], note["resumed"] or again)
    for page in source.connection.pages(
        "logs",
        "FilterLogEvents",
        logGroupName=group,
        startTime=since,
        endTime=to_millis(source.options.captured_at),
    ):
        for event in page.get("events", []):
            if _is_own(event["logStreamName"], function):
                fetched.add(event)
        if fetched.full:
            _keep(source, unit, fetched, done=False)
    _keep(source, unit, fetched, done=True)


def _keep(source: Source, unit: str, fetched: _Fetched, *, done: bool) -> None:
    rows = [
        {
            "stream": event["logStreamName"],
            "at_ms": event["timestamp"],
            "place": fetched.count + place,
            "id": event.get("eventId"),
            "message": redact(event["message"]),  # it is on disk as long as a draft is
        }
        for place, event in enumerate(fetched.events)
    ]
    fetched.count += len(rows)
    newest = max((row["at_ms"] for row in rows), default=None)
    note = {"since": newest, "count": fetched.count, "done": done, "resumed": fetched.resumed}
    source.keep_other(unit, _table(rows), _ORDER, note)
    source.tell("log events", map(_unit, dict.fromkeys(source.names.functions.values())))
    fetched.events, fetched.characters = [], 0


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    try:
        return pa.Table.from_pylist(rows, schema=_SCHEMA)
    except UnicodeEncodeError:
        return pa.Table.from_pylist(storable(rows), schema=_SCHEMA)


def streams(source: Source, function: str) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    """Yield each log stream of a function with its events in the order of time."""
    unit = _unit(function)
    events = _events(source, unit)
    if (source.draft.note(unit) or {}).get("resumed"):
        events = _once(events)
    yield from groupby(events, key=itemgetter("logStreamName"))


def _events(source: Source, unit: str) -> Iterator[dict[str, Any]]:
    parts = source.draft.parts(unit)
    if not parts:
        return
    for batch in batches(parts, _ORDER, source.draft.folder):
        for row in batch.to_pylist():
            yield {
                "logStreamName": row["stream"],
                "timestamp": row["at_ms"],
                "eventId": row["id"],
                "message": row["message"],
            }


def _once(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Leave out what was fetched twice: the same id at the same time of the same stream.

    An event without an id is only known by its words.
    """
    for _, together in groupby(events, key=itemgetter("logStreamName", "timestamp")):
        seen = set()
        for event in together:
            known_by = event["eventId"] or event["message"]
            if known_by not in seen:
                seen.add(known_by)
                yield event


def _is_own(stream: str, function: str) -> bool:
    named = _STREAM.match(stream)
    return named is None or named["function"] == function


def _unit(function: str) -> str:
    return f"log of {function}"
