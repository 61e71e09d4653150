"""Stories told to a sandbox: generators that yield the moment at which they go on."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Any

from investigate import pipeline
from investigate.model import Window, parse_time
from investigate.pipeline import Design
from investigate.sandbox.function import from_item, to_item
from investigate.sandbox.truth import GroundTruth
from investigate.sandbox.world import IngestAnswer, Sandbox
from investigate.settings import Thresholds

WINDOW = Window(datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC))
CAPTURED = datetime(2026, 3, 16, 18, tzinfo=UTC)  # the oldest waiting message has hours to live
LAG = timedelta(seconds=2)
# A replay that dies leaves no line that says what it had sent.
TOLD_BY_REPLAY_LINES = (
    "replay/truncated",
    "replay/boundary",
    "replay/nothing-sent",
    "sqs/lost",
    "aggregates/missing",
)
FAILURES = {
    "error": "processor/errors",
    "timeout": "processor/timeouts",
    "out-of-memory": "processor/out-of-memory",
}

Story = Generator[datetime, None, None]


def at(day: int, clock: str) -> datetime:
    """Return a time of March 2026, such as `at(10, "09:30")`, in which every story plays."""
    return datetime.fromisoformat(f"2026-03-{day:02d}T{clock}").replace(tzinfo=UTC)


def perform(sandbox: Sandbox, stories: Iterable[Story], until: datetime = CAPTURED) -> None:
    """Let all stories happen in order of time, each going on where it yielded, and time pass."""
    for story in stories:
        _go_on(sandbox, story)
    sandbox.at(until, lambda: None)
    sandbox.run()


def _go_on(sandbox: Sandbox, story: Story) -> None:
    due = next(story, None)
    if due is not None:
        sandbox.at(due, partial(_go_on, sandbox, story))


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as its client sent it, and what ingest did with it."""

    request: dict[str, Any]
    event_id: str
    s3_key: str
    request_id: str
    sk: str  # the sort key of its row

    @property
    def event_time(self) -> str:
        """The time of the event, as the client gave it."""
        return str(self.request["event_time"])

    @property
    def payload_sha(self) -> str:
        """The hash of its payload."""
        return pipeline.payload_sha(self.request["payload"])


@dataclass
class Plot:
    """All that a story needs: the sandbox, the truth it records, chance, and its own name.

    The name is also the source and the entity of its events, so that no two stories meet.
    """

    sandbox: Sandbox
    truth: GroundTruth
    rng: Random
    name: str
    _serial: count[int] = field(default_factory=lambda: count(1))
    _arrived: list[Sent] = field(default_factory=list)

    @property
    def design(self) -> Design:
        """The design of the pipeline in which the story plays."""
        return self.sandbox.options.design

    @property
    def is_daily(self) -> bool:
        """Whether one aggregate is of a whole day."""
        return self.design.aggregate.period == "day"

    def event(self, when: datetime, **changes: Any) -> dict[str, Any]:
        """Return an event at that time for a client to send."""
        event = {
            "source": self.name,
            "event_type": "order",
            "entity_id": self.name,
            "event_time": pipeline.format_time(when),
            "payload": self._payload(next(self._serial)),
        }
        return {**event, **changes}

    def _payload(self, serial: int) -> dict[str, Any]:
        summed = self.design.aggregate.summed
        return {"order": f"{self.name}-{serial}", **({summed: 100 + serial} if summed else {})}

    def send(self, event: dict[str, Any], *, crash: str | None = None) -> Sent:
        """Send an event to ingest now; a crashed answer is completed by what ingest was doing."""
        moment = pipeline.format_time(self.sandbox.clock.now())
        answer = self.sandbox.ingest(event, crash=crash)
        if answer.status_code in (502, 504):
            self.truth.add("raw/ingest-failures", answer.request_id)
        sent = _sent(self.design, event, answer, moment)
        self._arrived.append(sent)
        return sent

    def arrive(self, *events: dict[str, Any]) -> Generator[datetime, None, list[Sent]]:
        """Let events arrive two seconds after they happened."""
        arrived = []
        for event in events:
            yield parse_time(event["event_time"]) + LAG
            arrived.append(self.send(event))
        return arrived

    def usual(self, day: int, hour: int, number: int) -> Generator[datetime, None, list[Sent]]:
        """Let ordinary events arrive, a quarter of an hour apart; all of them in one period."""
        times = self.times(day, hour, number)
        return (yield from self.arrive(*(self.event(when) for when in times)))

    def times(self, day: int, hour: int, number: int) -> list[datetime]:
        """Return so many times, from three minutes past the hour on, that lie in one period."""
        beat = timedelta(minutes=15 if self.is_daily else 2)
        return [at(day, f"{hour:02d}:03") + beat * position for position in range(number)]

    def replay(self, day: int, entity_id: str | None = None, **options: Any) -> None:
        """Ask for the replay of one entity's day."""
        start = pipeline.format_time(at(day, "00:00"))
        end = pipeline.format_time(at(day, "00:00") + timedelta(days=1))
        answer = self.sandbox.replay(entity_id or self.name, start, end, **options)
        if answer.status_code in (502, 504):
            self.truth.add("replay/failures", answer.request_id)
            self.truth.obscure(*TOLD_BY_REPLAY_LINES)

    def consume(self, **options: Any) -> None:
        """Let the processor work through the waiting messages; record the invocations that fail."""
        before = len(self.sandbox.runtime.outcomes)
        self.sandbox.consume(**options)
        for outcome in self.sandbox.runtime.outcomes[before:]:
            if outcome.status == "throttled":
                self.truth.add("processor/throttles", self.sandbox.names.functions["processor"])
            elif outcome.status != "ok":
                self.truth.add(FAILURES[outcome.status], outcome.request_id)

    def repeated(self, pattern: str, repeats: Sequence[int]) -> None:
        """Record the rule by which the client of this story repeated its events, so often each, and
        whether that is a storm, or was done without backing off."""
        self.truth.retried(self.name, pattern)
        limits = Thresholds()
        multiplied = 1 + sum(repeats) / len(repeats) >= limits.storm_factor
        if multiplied and sum(repeats) >= limits.storm_repeats:
            self.truth.add("retries/storm", self.name)
        if pattern == "fixed":
            self.truth.add("retries/no-backoff", self.name)

    def comes_back(self) -> None:
        """Record that the queue hands out again what a failed invocation had loaded."""
        queue = str(self.sandbox.names.replay_queue_url).rsplit("/", 1)[-1]
        self.truth.retried(queue, "sqs-visibility", "queue")

    def process(
        self,
        day: int,
        verdict: str,
        entity_id: str | None = None,
        *,
        lost: Sequence[Sent] = (),
        unsent: Sequence[Sent] = (),
    ) -> None:
        """Replay one entity's day, let the processor drain the queue, and record how it stands; of
        the events that were lost on the way, or not sent at all, no version tells."""
        self.replay(day, entity_id)
        self.consume()
        if self.is_daily or not (lost or unsent):
            self.verdict(day, verdict, entity_id)
        else:
            self._verdicts_without(day, verdict, lost, unsent)

    def overwrite(self, sent: Sent, body: dict[str, Any], *, key: str | None = None) -> None:
        """Let somebody write an event's object again, or another one of it under a key."""
        self.sandbox.put_object(key or sent.s3_key, json.dumps(body).encode())

    def versions(self) -> list[dict[str, Any]]:
        """Return the rows of the own entity in the AggregatesTable."""
        found = self.sandbox.clients.dynamodb.query(
            TableName=self.sandbox.names.aggregates_table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues=to_item({":pk": self.design.event_pk(self.name)}),
        )
        return [from_item(item) for item in found["Items"]]

    def verdict(self, day: int, verdict: str, entity_id: str | None = None) -> None:
        """Record the verdict of one entity's day, or of each hour of it that has an event, and the
        finding that goes with it."""
        for period in self.periods(day, entity_id):
            self._judge(entity_id or self.name, period, verdict)

    def _judge(self, entity_id: str, period: str, verdict: str) -> None:
        self.truth.day(entity_id, period, verdict)
        if verdict not in ("complete", "pending"):
            self.truth.add(f"aggregates/{verdict}", f"{entity_id} {period}")

    def _verdicts_without(
        self, day: int, verdict: str, lost: Sequence[Sent], unsent: Sequence[Sent]
    ) -> None:
        """An hour of which nothing was sent is none that anybody asked for; one of which nothing
        came through has no version; and one whose events all did is complete."""
        for period in self.periods(day):
            there = self._of(period, self._arrived)
            sent = there - self._of(period, unsent)
            through = sent - self._of(period, lost)
            if sent:
                whole = "complete" if through == there else verdict
                self._judge(self.name, period, whole if through else "missing")

    def _of(self, period: str, events: Iterable[Sent]) -> set[str]:
        period_of = self.design.aggregate.period_of
        return {one.event_id for one in events if period_of(one.event_time) == period}

    def periods(self, day: int, entity_id: str | None = None) -> list[str]:
        """Return the day, or the hours of it that have an event of the entity, as aggregates name
        them."""
        text = at(day, "00:00").date().isoformat()
        if self.is_daily:
            return [text]
        entity_id, period_of = entity_id or self.name, self.design.aggregate.period_of
        own = (one for one in self._arrived if one.request["entity_id"] == entity_id)
        return sorted({period_of(one.event_time) for one in own if one.event_time[:10] == text})

    def churned(self, day: int, entity_id: str | None = None) -> None:
        """Record that a day has more than one version, or each hour of it has."""
        for period in self.periods(day, entity_id):
            self.truth.add("aggregates/churn", f"{entity_id or self.name} {period}")

    def stop_consumer(self) -> None:
        """Disable the mapping for good; from here on, messages wait and grow old."""
        self.sandbox.stop_consumer()
        self.truth.add("configuration/mapping-disabled", self.sandbox.names.functions["processor"])
        self.left_waiting()

    def left_waiting(self) -> None:
        """Record that messages wait in the queue and that nothing will consume them in time."""
        names = self.sandbox.names
        queue = str(names.replay_queue_url).rsplit("/", 1)[-1]
        self.truth.add("sqs/backlog", queue)
        self.truth.add("sqs/expiring", queue)
        self.truth.add("processor/not-consuming", names.functions["processor"])


def _sent(design: Design, event: dict[str, Any], answer: IngestAnswer, moment: str) -> Sent:
    event_id = answer.event_id or _event_id(design, event)
    s3_key = answer.s3_key or design.raw_key(
        event["source"], event["event_type"], event["event_time"], moment, event_id
    )
    sk = design.event_sk(str(event["event_time"]), event_id)
    return Sent(event, event_id, s3_key, answer.request_id, sk)


def _event_id(design: Design, event: dict[str, Any]) -> str:
    return design.recomputed_event_id(
        {**event, "payload_sha": pipeline.payload_sha(event["payload"])}
    )


def raw_body(plot: Plot, sent: Sent) -> dict[str, Any]:
    """Return the JSON of an event's raw object."""
    sandbox = plot.sandbox
    found = sandbox.clients.s3.get_object(Bucket=sandbox.names.raw_bucket, Key=sent.s3_key)
    body: dict[str, Any] = json.loads(found["Body"].read())
    return body


def event_row(plot: Plot, sent: Sent) -> dict[str, Any]:
    """Return an event's row of the EventsTable."""
    key = {"PK": plot.design.event_pk(sent.request["entity_id"]), "SK": sent.sk}
    found = plot.sandbox.clients.dynamodb.get_item(
        TableName=plot.sandbox.names.events_table, Key=to_item(key)
    )
    return from_item(found["Item"])
