"""The in-process emulator: moto under a clock of ours, with its ids seeded and its gaps closed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import time_machine
from moto import mock_aws
from moto.backends import get_backend
from moto.logs.models import LogEvent
from moto.moto_api._internal import mock_random
from moto.sqs.models import Queue
from moto.sqs.responses import SQSResponse

from investigate.sandbox.clock import EmulatorClock
from investigate.sandbox.cloud import ACCOUNT, SandboxOptions, log_group
from investigate.sandbox.lines import stamp
from investigate.sandbox.metrics import MetricBook
from investigate.sandbox.readings import answer_quickly, filter_traces
from investigate.sandbox.streams import refuse_unknown_streams
from investigate.settings import FUNCTION_ROLES

# Operation -> the metric it feeds, and the list in the answer that says how much (None: one).
QUEUE_METRICS: Mapping[str, tuple[str, str | None]] = {
    "SendMessage": ("NumberOfMessagesSent", None),
    "SendMessageBatch": ("NumberOfMessagesSent", "Successful"),
    "ReceiveMessage": ("NumberOfMessagesReceived", "Messages"),
    "DeleteMessage": ("NumberOfMessagesDeleted", None),
    "DeleteMessageBatch": ("NumberOfMessagesDeleted", "Successful"),
}
POISON_RECEIVES = 3  # AWS leaves messages received this often out of the age of the oldest
SAFE_ENVIRONMENT: Mapping[str, str | None] = {
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_SESSION_TOKEN": None,
    "AWS_PROFILE": None,
    "AWS_DEFAULT_PROFILE": None,
    "AWS_ENDPOINT_URL": None,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # moto answers under the older names
    "TZ": "UTC",  # moto writes one time in local time
}


@contextmanager
def emulated(options: SandboxOptions) -> Iterator[EmulatorClock]:
    """An empty AWS account in this process, and the clock that rules it."""
    with (
        environment(SAFE_ENVIRONMENT),
        time_machine.travel(options.start, tick=False) as traveller,
        mock_aws(),
        _queues_left_alone(),
        _letters_say_where_from(),
    ):
        mock_random.seed(options.seed)
        LogEvent._event_id = 0
        yield EmulatorClock(options.start, traveller)


@contextmanager
def environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Environment variables for a while; what was there before comes back."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    time.tzset()


@contextmanager
def _queues_left_alone() -> Iterator[None]:
    """Keep moto from consuming queues by itself, in containers, once a mapping is created."""
    queues: Any = Queue
    queues.lambda_event_source_mappings = property(lambda queue: {}, lambda queue, value: None)
    try:
        yield
    finally:
        del queues.lambda_event_source_mappings


@contextmanager
def _letters_say_where_from() -> Iterator[None]:
    """Let a letter that SQS moved name the queue it came from, as AWS does and moto does not."""
    responses: Any = SQSResponse
    receive = responses.receive_message

    def with_sources(response: Any) -> Any:
        answer = receive(response)
        place = response._get_queue_name()
        for source in response.sqs_backend.queues.values():
            dead = source.dead_letter_queue
            if dead is not None and dead.name == place:
                _name_source(answer.result.get("Messages", []), source)
        return answer

    responses.receive_message = with_sources
    try:
        yield
    finally:
        responses.receive_message = receive


def _name_source(messages: list[dict[str, Any]], source: Any) -> None:
    """Name the source of what was moved: it had been received often, unlike what was sent there."""
    for message in messages:
        attributes = message.get("Attributes", {})
        received = int(attributes.get("ApproximateReceiveCount", 0))
        if received > source.redrive_policy["maxReceiveCount"]:
            attributes["DeadLetterQueueSourceArn"] = source.queue_arn


class Corrections:
    """What AWS does and moto does not: message retention, log formats, metrics of queues, filters
    of traces."""

    def __init__(self, options: SandboxOptions, clock: EmulatorClock, metrics: MetricBook) -> None:
        self._options = options
        self._clock = clock
        self._metrics = metrics

    def complete(self, sqs: Any) -> None:
        """Complete what functions say, and measure the queues."""
        for role in FUNCTION_ROLES:
            function = self._backend("lambda").get_function(self._options.function(role))
            # A class of its own rather than an attribute: a published version is a copy.
            function.__class__ = _with_log_format(function.__class__, self._options.log_format)
        backend = self._backend("sqs")
        # Old messages are dropped when time passes; moto asks again for each, which is slow.
        backend.is_message_valid_based_on_retention_period = lambda *_: True
        backend.receive_message = partial(_receive_at_once, backend.receive_message)
        answer_quickly(self._backend("cloudwatch"))
        filter_traces(self._backend("xray"))
        refuse_unknown_streams(self._backend("dynamodbstreams"))
        self._clock.listeners.append(self._time_passed)
        sqs.meta.events.register("provide-client-params.sqs", _remember_queue)
        sqs.meta.events.register("after-call.sqs", self._measure)

    def function_changed(self, name: str) -> None:
        """Let a function say when it was last modified."""
        changed = stamp(self._clock.now()).replace("Z", "+0000")
        self._backend("lambda").get_function(name).last_modified = changed

    def _time_passed(self) -> None:
        """Drop the messages that are too old, and note the age of the oldest of each queue."""
        now = self._clock.now()
        for queue in self._queues():
            kept = [m for m in queue._messages if _age(m, now) < queue.message_retention_period]
            queue._messages[:] = kept
            ages = [_age(m, now) for m in kept if m.approximate_receive_count < POISON_RECEIVES]
            if ages:
                age = float(int(max(ages)))
                self._metrics.sqs(queue.name, "ApproximateAgeOfOldestMessage", now, age)

    def _measure(self, model: Any, parsed: Any, context: Any, **_: Any) -> None:
        metric, list_name = QUEUE_METRICS.get(model.name, (None, None))
        if metric and parsed["ResponseMetadata"]["HTTPStatusCode"] == 200:
            many = len(parsed.get(list_name, [])) if list_name else 1
            queue = context["queue_url"].rsplit("/", 1)[1]
            if many:
                self._metrics.sqs(queue, metric, self._clock.now(), float(many))

    def _queues(self) -> list[Any]:
        return list(self._backend("sqs").queues.values())

    def _backend(self, service: str) -> Any:
        backends: Any = get_backend
        return backends(service)[ACCOUNT][self._options.region]


def _remember_queue(params: Any, context: Any, **_: Any) -> None:
    context["queue_url"] = params.get("QueueUrl", "")


def _receive_at_once(receive: Callable[..., Any], *arguments: Any) -> Any:
    """Receive without waiting: the clock stands still, so a long poll would never end."""
    queue, count, _, *more = arguments
    return receive(queue, count, 0, *more)


def _age(message: Any, now: datetime) -> float:
    return float(now.timestamp() - message.sent_timestamp / 1000)


def _with_log_format(kind: Any, log_format: str) -> Any:
    """Return a class of functions that say how they log."""
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    about = {"LogFormat": log_format, **(levels if log_format == "JSON" else {})}

    def get_configuration(function: Any, *a: Any, **k: Any) -> Any:
        found = kind.get_configuration(function, *a, **k)
        return {**found, "LoggingConfig": {**about, "LogGroup": log_group(found["FunctionName"])}}

    return type(kind.__name__, (kind,), {"get_configuration": get_configuration})
