"""What reading queues, functions, logs, metrics, alarms and traces costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from investigate.capture import log_groups, metrics, prices, sampling, spans
from investigate.capture.cost import Cost, PlannedCapture
from investigate.capture.functions import log_group
from investigate.errors import AccessError
from investigate.model import counted

LOG_PAGE_BYTES = 1_000_000
_UNNAMED = "without those that only settings name"
_POINTS_AT_ONCE = 100_800
# The first look and its configuration, its concurrency, its settings for asynchronous calls, its
# aliases, its policy, its log group.
_FUNCTION_REQUESTS = 7
_NAMES_OF_TARGETS = 2  # by which a rule may call a function: with $LATEST, and without
_QUEUE_REQUESTS = 2  # the first look, and all its attributes


def queue_state(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `queue_state` takes."""
    number = len(plan.queues) * _QUEUE_REQUESTS
    if number:
        price = prices.SQS_REQUESTS.for_(number)
        words = f"{_QUEUE_REQUESTS} for each of {counted(len(plan.queues), 'queue')}, {_UNNAMED}"
        yield Cost("queue_state", "sqs:GetQueueAttributes", words, requests=number, price_usd=price)


def messages(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what a sample of messages takes."""
    wanted = plan.options.sample_messages
    if not wanted or not plan.queues:
        return
    at_once = 1 if plan.options.force_sampling else sampling.MESSAGES_AT_ONCE
    # Each queue may also answer a few times without a message before that is believed.
    number = (ceil(wanted / at_once) + sampling.EMPTY_RECEIVES) * len(plan.queues)
    words = f"{counted(wanted, 'message')} of each queue if it has as many, {at_once} a request"
    yield Cost(
        "messages", "sqs:ReceiveMessage", f"{words}, {_UNNAMED}",
        requests=number,
        price_usd=prices.SQS_REQUESTS.for_(number),
    )  # fmt: skip


def functions(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `functions` takes."""
    number = len(plan.names.functions) * _FUNCTION_REQUESTS
    words = (
        f"{_FUNCTION_REQUESTS} for each of {counted(len(plan.names.functions), 'function')}, and "
        "one for the policy of each alias"
    )
    if number:
        yield Cost("functions", "lambda:GetFunctionConfiguration", words, "at least", number)


def mappings(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `mappings` takes."""
    number = ("processor" in plan.names.functions) + bool(plan.names.replay_queue_url)
    if number:
        words = "one by function, one by queue; more only if there are over 100 mappings"
        yield Cost("mappings", "lambda:ListEventSourceMappings", words, "at least", number)


def deliveries(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `deliveries` takes; the functions' policies count with `functions`."""
    number = _NAMES_OF_TARGETS * len(plan.names.functions)
    if number:
        words = (
            f"{_NAMES_OF_TARGETS} for each function and one for each alias; three more for each "
            "rule, one for each topic and subscription"
        )
        yield Cost("deliveries", "events:ListRuleNamesByTarget", words, "at least", number)


def deployments(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `deployments` takes."""
    number = len(plan.names.functions)
    if number:
        words = "one for each function; more only if one has over 50 versions"
        yield Cost("deployments", "lambda:ListVersionsByFunction", words, "at least", number)
    if plan.names.stack:
        words = "one for 100 events of the stack, from 14 days before the window on"
        yield Cost("deployments", "cloudformation:DescribeStackEvents", words, "at least", 1)


def rescued(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `rescued` takes, which only the letters tell."""
    wanted = plan.options.sample_messages
    if wanted and plan.names.functions:
        words = "two for each dead letter of a stream, as far as there are any"
        yield Cost("rescued", "kinesis:GetRecords", words, "unknown")


def alarms(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `alarms` takes."""
    price = prices.CLOUDWATCH_REQUESTS.for_(1)
    words = "one for 100 alarms of the account"
    yield Cost("alarms", "cloudwatch:DescribeAlarms", words, "at least", 1, price_usd=price)


def log_lines(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the functions' logs takes."""
    for name in plan.names.functions.values():
        group = log_group(_configuration(plan, name))
        known = log_groups.described(plan.connection, group)
        size = int(known.get("storedBytes", 0)) if known else 0
        yield Cost(
            "log_lines", "logs:FilterLogEvents",
            f"all that {group} keeps, 1 MB a request; what is outside the window is not read"
            if known is not None
            else f"{group} does not exist",
            "at most",
            requests=max(1, ceil(size / LOG_PAGE_BYTES)),
            bytes=size,
        )  # fmt: skip


def _configuration(plan: PlannedCapture, name: str) -> Mapping[str, Any]:
    try:
        return plan.connection.call("lambda", "GetFunctionConfiguration", FunctionName=name)
    except AccessError as error:
        if error.kind != "denied":
            raise
        return {"FunctionName": name}


def metric_points(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `metric_points` takes."""
    names = plan.names
    tables = [
        name for name in (names.events_table, names.dedupe_table, names.aggregates_table) if name
    ]
    series = (
        len(names.functions) * len(metrics.FUNCTION_METRICS)
        + len(plan.queues) * len(metrics.QUEUE_METRICS)
        + len(tables) * len(metrics.TABLE_METRICS)
    )
    if not series:
        return
    age = plan.options.captured_at - plan.options.since
    _, period = metrics.kept_for(age)
    points = ceil(age.total_seconds() / period) * series
    number = series + len(plan.queues)  # the age of the oldest message is asked for on its own
    yield Cost(
        "metric_points", "cloudwatch:GetMetricData",
        f"{number} metrics, at most {points:,} points; the price is one of metrics, {_UNNAMED}",
        requests=ceil(points / _POINTS_AT_ONCE) + len(plan.queues),
        price_usd=prices.METRICS.for_(number),
    )  # fmt: skip


def traces(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `spans` takes."""
    if not plan.names.functions:
        return
    options = plan.options
    start = max(options.since, options.captured_at - spans.KEPT)
    windows = len(list(spans.chunks(start, options.captured_at)))
    price = prices.TRACES
    words = f"one for each 6 hours; of the traces it scans a million costs ${price.usd:.2f}"
    yield Cost("spans", "xray:GetTraceSummaries", words, "at least", windows)
    most = spans.MOST_TRACES
    yield Cost(
        "spans", "xray:BatchGetTraces",
        f"{counted(most, 'trace')} at most, {spans.TRACES_AT_ONCE} a request", "at most",
        requests=ceil(most / spans.TRACES_AT_ONCE),
        price_usd=price.for_(most),
    )  # fmt: skip
