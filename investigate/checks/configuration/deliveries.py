"""Checks of EventBridge targets and SNS subscriptions: is what cannot be delivered kept?"""

from __future__ import annotations

from investigate.checks.configuration.advice import AuditRule, apply_rule, seconds
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity

SHORTEST_AGE = 3600  # seconds; a target that is down for an hour must not cost events


@check(
    "configuration/delivery-dead-letters",
    Severity.DANGEROUS,
    key="target",
    needs=("deliveries",),
    found="{count} target{s} of a rule or a topic {have} no dead-letter queue.",
    advice="Give each EventBridge target a DeadLetterConfig and each SNS subscription a "
    "RedrivePolicy, with a queue whose policy lets that rule or topic send to it.",
    avoid="Do not expect failures of the function in it: once Lambda has taken the event, they "
    "are the function's own.",
)
def delivery_dead_letters(evidence: Evidence) -> PartialRows:
    """Is an event kept that EventBridge or SNS cannot deliver?"""
    rows = evidence["deliveries"].mutate(key=evidence["deliveries"].arn)
    rule = AuditRule(
        "DeadLetterConfig or RedrivePolicy", "a queue for each target and subscription",
        "Using dead-letter queues to process undelivered events (Amazon EventBridge User Guide); "
        "Amazon SNS dead-letter queues",
        "events that cannot be delivered are dropped when the retries are used up, and at once "
        "where a permission or the target is missing",
    )  # fmt: skip
    return apply_rule(
        evidence, rows, rule, found=rows.dead_letter_arn, bad=rows.dead_letter_arn.isnull(),
        noun="target",
    )  # fmt: skip


@check(
    "configuration/delivery-retries",
    Severity.SUSPECT,
    key="target",
    needs=("deliveries",),
    found="{count} EventBridge target{s} {are} given up on within an hour.",
    advice="Leave RetryPolicy at its default (185 attempts in 24 hours), or give it at least an "
    "hour and a dead-letter queue.",
    avoid="Do not count these retries as retries of the function: they end when Lambda takes the "
    "event.",
)
def delivery_retries(evidence: Evidence) -> PartialRows:
    """Is an event offered to a target for long enough?"""
    rows = evidence["deliveries"]
    rows = rows.filter(rows.kind == "eventbridge").mutate(key=rows.arn)
    hasty = (rows.max_retry_attempts == 0).fill_null(False) | (
        rows.max_event_age_s < SHORTEST_AGE
    ).fill_null(False)
    rule = AuditRule(
        "RetryPolicy", "185 attempts, 86400 s",
        "Event retry policy (Amazon EventBridge User Guide)",
        "an outage of minutes drops events",
    )  # fmt: skip
    found = (
        rows.max_retry_attempts.cast("string").fill_null("185")
        + " attempts, "
        + seconds(rows.max_event_age_s.fill_null(86_400))
    )
    return apply_rule(evidence, rows, rule, found=found, bad=hasty, noun="target")
