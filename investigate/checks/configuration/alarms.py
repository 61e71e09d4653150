"""Checks of the alarms: is what matters watched, is somebody told, and would it have fired?"""

from __future__ import annotations

import ibis

from investigate.analysis import alarms
from investigate.analysis.logs import text_in
from investigate.checks.configuration.advice import AuditRule, apply_rule
from investigate.checks.registry import PartialRows, check
from investigate.engine import literal_rows, number_text
from investigate.evidence import Evidence
from investigate.model import Severity, counted

_PAGE = "Using Amazon CloudWatch alarms (Amazon CloudWatch User Guide)"


@check(
    "configuration/no-alarm",
    Severity.SUSPECT,
    key="metric",
    needs=("functions", "queue_state"),
    whole=("alarms",),
    found="{count} metric{s} that tell{_s} of failures {have} no alarm.",
    advice="Set an alarm of 1 minute and 1 or more on each, with an action that reaches "
    "somebody. Of a dead-letter queue take the number of visible messages: the number sent "
    "does not count what SQS itself moves there.",
    avoid="Do not wait for Lambda's Errors where errors are swallowed: it stays 0.",
)
def no_alarm(evidence: Evidence) -> PartialRows:
    """Is somebody told when something fails?"""
    wanted = alarms.watched(evidence)
    rows = wanted.anti_join(alarms.watching(evidence).select("key").distinct(), "key")
    rule = AuditRule("alarm", "", _PAGE, "customers notice first")
    return apply_rule(
        evidence, rows, rule, found=ibis.null("string"), bad=ibis.literal(True), noun="metric",
        advised=ibis.literal("one that fires when ") + rows.why,
    )  # fmt: skip


@check(
    "configuration/alarm-unwired",
    Severity.SUSPECT,
    key="alarm",
    needs=("alarms",),
    found="{count} alarm{s} tell{_s} nobody.",
    advice="Add an action (a topic with somebody behind it), and switch the actions on again "
    "where a maintenance switched them off.",
    avoid="Do not take a red alarm in the console for a notification.",
)
def alarm_unwired(evidence: Evidence) -> PartialRows:
    """Does each alarm tell somebody?"""
    rows = alarms.unwired(evidence)
    rows = rows.mutate(key=rows.name)
    rule = AuditRule(
        "AlarmActions", "a topic or a pager", _PAGE, "the alarm fires and nobody knows"
    )
    found = ibis.ifelse(rows.actions.length() > 0, "actions switched off", "no action")
    return apply_rule(evidence, rows, rule, found=found, bad=ibis.literal(True), noun="alarm")


@check(
    "configuration/alarm-misses-first",
    Severity.SUSPECT,
    key="alarm",
    needs=("alarms", "queue_state"),
    found="{count} alarm{s} on a dead-letter queue let{_s} the first message pass.",
    advice="Use GreaterThanOrEqualToThreshold with 1, or GreaterThanThreshold with 0.",
    avoid="Do not wait for a hundred dead letters: each is a loss unless somebody acts.",
)
def alarm_misses_first(evidence: Evidence) -> PartialRows:
    """Does an alarm on a dead-letter queue fire with the first message?"""
    queues, rows = evidence["queue_state"], evidence["alarms"]
    dead = queues.filter(queues.role == "dead-letter").select(queue="name")
    own = rows.filter(rows.namespace == "AWS/SQS", rows.metric == alarms.DEAD_LETTERS)
    own = own.mutate(key=own.name, queue=text_in(own.dimensions, "QueueName"))
    rows = own.semi_join(dead, "queue")
    above = (rows.comparison == "GreaterThanThreshold") & (rows.threshold >= 1)
    from_on = (rows.comparison == "GreaterThanOrEqualToThreshold") & (rows.threshold > 1)
    never = rows.comparison.startswith("Less")
    rule = AuditRule(
        "Threshold", "GreaterThanOrEqualToThreshold 1", _PAGE,
        "the first dead letters expire without anybody having been told",
    )  # fmt: skip
    told = rows.comparison + " " + number_text(rows.threshold)
    return apply_rule(evidence, rows, rule, found=told, bad=above | from_on | never, noun="alarm")


@check(
    "configuration/alarm-silent",
    Severity.SUSPECT,
    key="alarm",
    needs=("alarms", "metric_points"),
    found="{count} alarm{s} would have said nothing of what happened here.",
    advice="Lower the threshold, or the number of periods that must breach, until this incident "
    "would have been told of. Compare the worst period with the threshold.",
    avoid="Do not take OK for an alarm that could never have fired.",
)
def alarm_silent(evidence: Evidence) -> PartialRows:
    """Would each alarm on failures have fired in this incident?"""
    judged_ones = (*alarms.FAILURES, alarms.COMPUTED)
    tests = [one for one in alarms.back_tests(evidence) if one.metric in judged_ones]
    silent = [
        {
            "key": one.alarm,
            "threshold": one.threshold,
            "told": f"{one.total:g} {one.metric} of {one.resource}, {one.worst:g} at most at once",
        }
        for one in tests
        if one.silent
    ]
    rows = literal_rows(silent, {"key": "string", "threshold": "string", "told": "string"})
    rule = AuditRule("Threshold", "", _PAGE, "an incident like this one goes unnoticed again")
    unknown = [one for one in tests if one.unknown]
    gap = "; ".join(dict.fromkeys(f"{one.alarm}: {one.unknown}" for one in unknown[:3]))
    if len(unknown) > 3:
        gap += f"; and {counted(len(unknown) - 3, 'more alarm')}"
    return apply_rule(
        evidence, rows, rule, found=rows.threshold, bad=ibis.literal(True), noun="alarm", gap=gap,
        advised=ibis.literal("what fires at ") + rows.told,
    )  # fmt: skip
