"""What EventBridge and SNS hand to the pipeline, and what they do where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from investigate.capture.invokers import invokers
from investigate.capture.qualifiers import LATEST, qualifiers, unqualified
from investigate.capture.source import Captured, Gathered, Row, Source, coverage_of_error
from investigate.capture.values import json_object, text, whole
from investigate.case import Coverage
from investigate.errors import AccessError

_DEFAULT_BUS = "default"
_PENDING = "PendingConfirmation"  # in place of the ARN of a subscription


def read_deliveries(source: Source) -> list[Captured]:
    """Return the table `deliveries`: each target of a rule that invokes one of the functions, and
    each subscription of one of the functions or queues to a topic that may invoke a function.

    Rules are looked for on the default event bus and on every bus that a function's policy names;
    they and the policies under the function's own name and each of its known `qualifiers`.
    """
    known = found(source)
    gathered = Gathered(list(known.rows), list(known.gaps), known.places)
    return [gathered.captured("deliveries")]


def found(source: Source) -> Gathered:
    """Return the deliveries, asked for once, and what could not be asked."""
    return source.once("deliveries", lambda: _found(source))


def _found(source: Source) -> Gathered:
    gathered = Gathered()
    functions: dict[str, str] = {}
    for role, name in source.names.functions.items():
        known = source.functions[role]
        if isinstance(known, Coverage):
            gathered.gaps.append(known)
        else:
            functions[known["FunctionArn"]] = name
    if not source.names.functions:
        gathered.gaps.append(source.lacks("function"))
    sources = _named_sources(source, functions, gathered)
    rows: dict[str, Row] = {}
    for arn in _called_by(source, functions, gathered):
        _gather(rows, gathered, _of_rules(source, arn, _buses(sources)))
    endpoints = {*map(unqualified, functions), *_queues(source, gathered)}
    for topic in sorted(one for one in sources if _service(one) == "sns"):
        _gather(rows, gathered, _of_topic(source, topic, endpoints))
    gathered.rows.extend(rows.values())
    return gathered


def _called_by(source: Source, functions: Mapping[str, str], gathered: Gathered) -> Iterator[str]:
    """Yield every ARN that may stand as the target of a rule: a rule is found by exactly that."""
    for arn, name in functions.items():
        known, gaps = qualifiers(source, name)
        gathered.gaps.extend(gaps)
        yield from (arn, *(f"{unqualified(arn)}:{one}" for one in (LATEST, *known)))


def _gather(rows: dict[str, Row], gathered: Gathered, some: Iterator[Row]) -> None:
    """Take what one place says; one rule may be found by several functions."""
    try:
        rows.update({row["arn"]: row for row in some})
    except AccessError as error:
        gathered.gaps.append(coverage_of_error(error))
        return
    gathered.places += 1


def _named_sources(source: Source, functions: Mapping[str, str], gathered: Gathered) -> set[str]:
    """Return the ARNs through which the functions' policies let them be invoked."""
    named: set[str] = set()
    for name in functions.values():
        allowed = invokers(source, name)
        gathered.gaps.extend(allowed.gaps)
        named.update(one["source_arn"] for one in allowed.rows if one["source_arn"])
    return named


def _queues(source: Source, gathered: Gathered) -> Iterator[str]:
    if source.names.replay_queue_url:
        try:
            yield source.replay_queue["QueueArn"]
        except AccessError as error:
            gathered.gaps.append(coverage_of_error(error))


def _service(arn: str) -> str:
    return [*arn.split(":"), "", "", ""][2]


def _buses(sources: set[str]) -> list[str]:
    """Return the event buses of the rules among some ARNs (`…:rule/BUS/NAME`), and the default.

    A policy may name a pattern instead (`arn:aws:events:*`), which says nothing of a bus.
    """
    rules = (arn.split(":", 5)[-1].split("/") for arn in sources if _service(arn) == "events")
    named = (parts[1] for parts in rules if len(parts) == 3 and parts[0] == "rule")
    return sorted({_DEFAULT_BUS, *(bus for bus in named if not _is_pattern(bus))})


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _of_rules(source: Source, function_arn: str, buses: list[str]) -> Iterator[Row]:
    for bus in buses:
        asked = {"TargetArn": function_arn, "EventBusName": bus}
        for page in source.connection.pages("events", "ListRuleNamesByTarget", **asked):
            for name in page["RuleNames"]:
                yield from _of_rule(source, name, bus)


def _of_rule(source: Source, name: str, bus: str) -> Iterator[Row]:
    rule = source.connection.call("events", "DescribeRule", Name=name, EventBusName=bus)
    pages = source.connection.pages("events", "ListTargetsByRule", Rule=name, EventBusName=bus)
    for page in pages:
        yield from (target_row(rule, target) for target in page["Targets"])


def target_row(rule: Mapping[str, Any], target: Mapping[str, Any]) -> Row:
    """Return a target of an EventBridge rule as a row of `deliveries`; null is AWS's default: 185
    attempts within 24 hours, and no dead-letter queue."""
    retry = target.get("RetryPolicy", {})
    return {
        "arn": f"{rule['Arn']}#{target['Id']}",
        "kind": "eventbridge",
        "source_arn": rule["Arn"],
        "name": text(rule.get("Name")),
        "target_arn": text(target.get("Arn")),
        "state": text(rule.get("State")),
        "max_retry_attempts": whole(retry.get("MaximumRetryAttempts")),
        "max_event_age_s": whole(retry.get("MaximumEventAgeInSeconds")),
        "dead_letter_arn": text(target.get("DeadLetterConfig", {}).get("Arn")),
        "pattern": text(rule.get("EventPattern") or rule.get("ScheduleExpression")),
    }


def _of_topic(source: Source, topic: str, endpoints: set[str]) -> Iterator[Row]:
    for page in source.connection.pages("sns", "ListSubscriptionsByTopic", TopicArn=topic):
        for one in page["Subscriptions"]:
            if unqualified(str(one.get("Endpoint"))) in endpoints:
                yield _subscription(source, one)


def _subscription(source: Source, listed: Mapping[str, Any]) -> Row:
    """Return a subscription; one that nobody has confirmed yet has neither ARN nor attributes."""
    arn = str(listed["SubscriptionArn"])
    if arn == _PENDING:
        named = f"{listed['TopicArn']}#{listed['Endpoint']}"
        return subscription_row({**listed, "SubscriptionArn": named, "PendingConfirmation": "true"})
    asked = source.connection.call("sns", "GetSubscriptionAttributes", SubscriptionArn=arn)
    return subscription_row({**listed, **asked["Attributes"]})


def subscription_row(known: Mapping[str, Any]) -> Row:
    """Return an SNS subscription, as its list and its attributes say it, as a row of
    `deliveries`."""
    redrive = json_object(str(known.get("RedrivePolicy", ""))) or {}
    pending = known.get("PendingConfirmation") == "true"
    raw = known.get("RawMessageDelivery")
    return {
        "arn": known["SubscriptionArn"],
        "kind": "sns",
        "source_arn": text(known.get("TopicArn")),
        "name": text(known.get("Protocol")),
        "target_arn": text(known.get("Endpoint")),
        "state": "pending" if pending else "confirmed",
        "dead_letter_arn": text(redrive.get("deadLetterTargetArn")),
        "raw_delivery": None if raw is None else raw == "true",
        "pattern": text(known.get("FilterPolicy")),
    }
