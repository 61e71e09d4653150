"""The reference pipeline as a running system that faults can be injected into."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from investigate.errors import UsageError
from investigate.sandbox.clock import Clock, WallClock
from investigate.sandbox.cloud import (
    Clients,
    SandboxOptions,
    connect,
    create_pipeline,
    environment_of,
    queue_arn,
)
from investigate.sandbox.consumer import Consumer
from investigate.sandbox.emulator import Corrections, emulated
from investigate.sandbox.function import to_item
from investigate.sandbox.interrupts import THROTTLED, ingest_crash, replay_crash
from investigate.sandbox.logs import LogSink, LogWriter
from investigate.sandbox.metrics import MetricBook
from investigate.sandbox.runtime import InvocationResult, Runtime
from investigate.sandbox.watching import TraceBook, create_advised_alarms, create_alarms
from investigate.settings import FUNCTION_ROLES, PipelineNames

__all__ = ["IngestAnswer", "ReplayAnswer", "Sandbox", "SandboxOptions", "connected", "emulator"]

# What API Gateway answers when the function behind it gives no answer.
GATEWAY_CODES = {"error": 502, "out-of-memory": 502, "timeout": 504, "throttled": 500}
TABLES = {"events": "events_table", "dedupe": "dedupe_table", "aggregates": "aggregates_table"}
Action = Callable[[], object]


@dataclass(frozen=True)
class IngestAnswer:
    """What the client of `POST /ingest` got; all but the code is None when it was no answer."""

    status_code: int
    status: str | None
    event_id: str | None
    s3_key: str | None
    request_id: str


@dataclass(frozen=True)
class ReplayAnswer:
    """What the client of `POST /replay` got; the counts are None when it was no answer."""

    status_code: int
    scanned: int | None
    sent: int | None
    request_id: str


class Sandbox:
    """One running pipeline: its clock, its clients, its names, and what can be done to it."""

    def __init__(
        self,
        options: SandboxOptions,
        clock: Clock,
        clients: Clients,
        names: PipelineNames,
        runtime: Runtime,
    ) -> None:
        self.options = options
        self.clock = clock
        self.clients = clients
        self.names = names
        self.runtime = runtime
        self.corrections: Corrections | None = None
        self._consumer = Consumer(runtime, str(names.replay_queue_url), queue_arn(options))
        self._schedule: list[tuple[datetime, int, Action]] = []
        self._scheduled = 0
        self._running = False

    def at(self, moment: datetime, action: Action) -> None:
        """Schedule an action; nothing happens before `run`."""
        if moment.tzinfo is None:
            raise UsageError("a scheduled moment needs an offset", hint="use tzinfo=UTC")
        self._scheduled += 1
        heapq.heappush(self._schedule, (moment, self._scheduled, action))

    def run(self) -> None:
        """Do everything that is scheduled, in order of time, moving the clock along."""
        self._running = True
        try:
            while self._schedule:
                moment, _, action = heapq.heappop(self._schedule)
                self.clock.move_to(moment)
                action()
        finally:
            self._running = False
        self.flush()

    def flush(self) -> None:
        """Hand over every log line and metric that is still kept back."""
        self.runtime.logs.flush()
        if self.runtime.metrics:
            self.runtime.metrics.publish(self.clients.cloudwatch)
        if self.runtime.traces:
            self.runtime.traces.publish(self.clients.xray)

    def ingest(
        self, request: Mapping[str, Any] | str | None, *, crash: str | None = None
    ) -> IngestAnswer:
        """Send one request to `POST /ingest`: a body, or its text, or none."""
        text = json.dumps(request) if isinstance(request, Mapping) else request
        outcome = self.runtime.invoke(
            "ingest",
            {"body": text},
            interrupt=ingest_crash(crash),
            throttled=crash == THROTTLED,
        )
        code, body = self._answered(outcome)
        said = {name: body.get(name) for name in ("status", "event_id", "s3_key")}
        return IngestAnswer(code, request_id=outcome.request_id, **said)

    def replay(
        self,
        entity_id: str,
        start: str,
        end: str,
        *,
        limit: Any = None,
        include_duplicates: Any = None,
        crash: str | None = None,
    ) -> ReplayAnswer:
        """Send one request to `POST /replay`; what is None stays out of the request."""
        asked = {"limit": limit, "include_duplicates": include_duplicates}
        wanted = {name: value for name, value in asked.items() if value is not None}
        body = {"entity_id": entity_id, "start": start, "end": end, **wanted}
        outcome = self.runtime.invoke(
            "replay",
            {"body": json.dumps(body)},
            interrupt=replay_crash(crash),
            throttled=crash == THROTTLED,
        )
        code, answer = self._answered(outcome)
        return ReplayAnswer(code, answer.get("scanned"), answer.get("sent"), outcome.request_id)

    def consume(
        self,
        *,
        batches: int | None = None,
        failure: str | None = None,
        same_second: bool = False,
    ) -> int:
        """Let the processor work through the waiting messages, or so many batches; return how many
        messages were deleted. Each batch takes a second, unless all are in the same."""
        deleted = self._consumer.consume(batches=batches, failure=failure, same_second=same_second)
        self._done()
        return deleted

    def send_message(self, body: str) -> str:
        """Put a message on the replay queue past the pipeline; return its id."""
        sent = self.clients.sqs.send_message(QueueUrl=self.names.replay_queue_url, MessageBody=body)
        self._done()
        return str(sent["MessageId"])

    def stop_consumer(self) -> None:
        """Disable the mapping from the queue to the processor."""
        self._consumer.enable(enabled=False)

    def start_consumer(self) -> None:
        """Enable the mapping from the queue to the processor."""
        self._consumer.enable(enabled=True)

    def remove_consumer(self) -> None:
        """Delete the mapping from the queue to the processor."""
        self._consumer.remove()

    def set_dry_run(self, role: str, on: bool) -> None:
        """Change `DRY_RUN` of a function, for its next invocation on."""
        variables = self.runtime.environments[_known(role)]
        variables["DRY_RUN"] = "true" if on else "false"
        self.clients.lambda_.update_function_configuration(
            FunctionName=self.names.functions[role], Environment={"Variables": variables}
        )
        if self.corrections:
            self.corrections.function_changed(self.names.functions[role])

    def set_reserved_concurrency(self, role: str, concurrency: int | None) -> None:
        """Reserve concurrency for a function, or nothing; with 0 it is always throttled."""
        function = {"FunctionName": self.names.functions[_known(role)]}
        if concurrency is None:
            self.clients.lambda_.delete_function_concurrency(**function)
            self.runtime.reserved.pop(role, None)
        else:
            self.clients.lambda_.put_function_concurrency(
                **function, ReservedConcurrentExecutions=concurrency
            )
            self.runtime.reserved[role] = concurrency

    def put_object(self, key: str, body: bytes) -> None:
        """Write a raw object past the pipeline."""
        self.clients.s3.put_object(Bucket=self.names.raw_bucket, Key=key, Body=body)

    def delete_object(self, key: str) -> None:
        """Delete a raw object past the pipeline."""
        self.clients.s3.delete_object(Bucket=self.names.raw_bucket, Key=key)

    def put_item(self, table_role: str, item: Mapping[str, Any]) -> None:
        """Write a row past the pipeline; the table is events, dedupe or aggregates."""
        self.clients.dynamodb.put_item(TableName=self._table(table_role), Item=to_item(item))

    def delete_item(self, table_role: str, key: Mapping[str, Any]) -> None:
        """Delete a row past the pipeline."""
        self.clients.dynamodb.delete_item(TableName=self._table(table_role), Key=to_item(key))

    def _table(self, role: str) -> str:
        if role not in TABLES:
            raise UsageError.unknown("table", role, TABLES)
        return str(getattr(self.names, TABLES[role]))

    def _answered(self, outcome: InvocationResult) -> tuple[int, dict[str, Any]]:
        self._done()
        if outcome.answer is None:
            return GATEWAY_CODES[outcome.status], {}
        return int(outcome.answer["statusCode"]), json.loads(outcome.answer["body"])

    def _done(self) -> None:
        if not self._running:
            self.flush()


@contextmanager
def emulator(options: SandboxOptions, *, log_sink: LogSink | None = None) -> Iterator[Sandbox]:
    """A pipeline in an emulator inside this process, under a clock that only moves when told."""
    if options.endpoint_url:
        raise UsageError("an emulator has no endpoint", hint="use connected(options, ...)")
    with emulated(options) as clock:
        metrics = MetricBook()
        sandbox = _build(options, clock, metrics, log_sink)
        sandbox.corrections = Corrections(options, clock, metrics)
        sandbox.corrections.complete(sandbox.clients.sqs)
        yield sandbox


def connected(
    options: SandboxOptions, *, clock: Clock | None = None, log_sink: LogSink | None = None
) -> Sandbox:
    """A pipeline created at `options.endpoint_url`, under the wall clock if no other is given."""
    if not options.endpoint_url:
        raise UsageError("a connected sandbox needs endpoint_url", hint="use emulator(options)")
    return _build(options, clock or WallClock(), None, log_sink)


def _build(
    options: SandboxOptions, clock: Clock, metrics: MetricBook | None, sink: LogSink | None
) -> Sandbox:
    clients = connect(options)
    names = create_pipeline(clients, options)
    if options.alarms:
        create_alarms(clients, names, options)
    if options.well_configured:
        create_advised_alarms(clients, names, options)
    random = Random(options.seed)  # noqa: S311 - ids of a sandbox are no secret
    runtime = Runtime(
        clients=clients,
        clock=clock,
        random=random,
        logs=LogWriter(clients.logs, random, sink),
        log_format=options.log_format,
        functions=names.functions,
        environments={
            role: environment_of(names, dry_run=role in options.dry_run) for role in FUNCTION_ROLES
        },
        design=options.design,
        metrics=metrics,
        traces=TraceBook(options.region) if options.traces else None,
    )
    return Sandbox(options, clock, clients, names, runtime)


def _known(role: str) -> str:
    if role not in FUNCTION_ROLES:
        raise UsageError.unknown("role", role, FUNCTION_ROLES)
    return role
