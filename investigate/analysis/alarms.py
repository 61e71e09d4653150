"""The alarms of a pipeline: what should be watched, what is, and which would have fired.

Sources: "Using Amazon CloudWatch alarms" (M out of N, missing data), "Amazon SQS dead-letter
queues" (a queue's own move is seen by the number of visible messages only), and the pipeline's
rule that the processor swallows the errors of records (D11), which Lambda's Errors never shows.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate import pipeline
from investigate.engine import seconds_since_1970
from investigate.evidence import Evidence

DEAD_LETTERS = "ApproximateNumberOfMessagesVisible"
OLDEST = "ApproximateAgeOfOldestMessage"
SWALLOWED = "ProcessorErrorCount"
# What counts failures: more than none of it is trouble that somebody should have been told of.
FAILURES = ("Errors", "Throttles", SWALLOWED, "AsyncEventsDropped", "DeadLetterErrors")
_STATISTICS = ("Sum", "Maximum", "Minimum")  # that sums of minutes can be put together to
_BREACHES: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True, slots=True)
class BackTest:
    """What an alarm would have done with the metric points of the case: how much its metric told
    of (`total`), its worst period, when that began (the first period above 0), and when it would
    first have fired (None: never). `unknown` says why that cannot be told."""

    alarm: str
    metric: str
    resource: str
    threshold: str
    total: float = 0.0
    worst: float | None = None
    began: datetime | None = None
    fired: datetime | None = None
    unknown: str = ""

    @property
    def silent(self) -> bool:
        """Whether there was trouble, and the alarm would have said nothing."""
        return not self.unknown and self.total > 0 and self.fired is None


def watched(evidence: Evidence) -> ir.Table:
    """Return what somebody must be told of: key ("metric of resource"), resource, namespace,
    metric, why. Needs functions and queue_state."""
    functions = evidence["functions"].select("role", resource="name")
    queues = evidence["queue_state"].select("role", resource="name")
    parts = [
        _wanted(functions, "AWS/Lambda", "Errors", "calls of the function fail"),
        _wanted(
            functions.filter(functions.role == "processor"), pipeline.METRIC_NAMESPACE, SWALLOWED,
            "records fail inside a run that reports success, which Errors never shows",
        ),
        _wanted(
            queues.filter(queues.role == "replay"), "AWS/SQS", OLDEST, "messages are not consumed"
        ),
        _wanted(
            queues.filter(queues.role == "dead-letter"), "AWS/SQS", DEAD_LETTERS,
            "something failed for good",
        ),
    ]  # fmt: skip
    return ibis.union(*parts)


def _wanted(rows: ir.Table, namespace: str, metric: str, why: str) -> ir.Table:
    return rows.select(
        "resource",
        key=ibis.literal(f"{metric} of ") + rows.resource,
        namespace=ibis.literal(namespace),
        metric=ibis.literal(metric),
        why=ibis.literal(why),
    )


def watching(evidence: Evidence) -> ir.Table:
    """Return the pairs of what is to be watched and an alarm that does: the columns of `watched`,
    and alarm (its name). An alarm without dimensions watches all; one that computes is taken at
    its word where it names metric and resource."""
    wanted = watched(evidence)
    alarms = evidence["alarms"].select(
        "dimensions", "metrics", alarm="name", space="namespace", measured="metric"
    )
    pairs = wanted.cross_join(alarms)
    named = ibis.literal('"') + pairs.resource + '"'
    plain = (pairs.space == pairs.namespace) & (pairs.measured == pairs.metric)
    plain = plain & (pairs.dimensions.contains(named) | (pairs.dimensions == "{}"))
    computed = pairs.metrics.contains(ibis.literal('"') + pairs.metric + '"')
    computed = computed & pairs.metrics.contains(named)
    return pairs.filter(plain.fill_null(False) | computed.fill_null(False)).select(
        *wanted.columns, "alarm"
    )


def unwired(evidence: Evidence) -> ir.Table:
    """Return the alarms that tell nobody: no action, or actions switched off, and no other alarm
    is composed of them that tells."""
    alarms = evidence["alarms"]
    tells = (alarms.actions.length().fill_null(0) > 0) & alarms.actions_enabled.fill_null(True)
    alarms = alarms.mutate(tells=tells)
    above = alarms.filter(alarms.tells, alarms.rule.notnull()).select(above="rule")
    mute = alarms.filter(~alarms.tells)
    told = mute.cross_join(above)
    told = told.filter(told.above.contains(told.name)).select("name").distinct()
    return mute.anti_join(told, "name")


def back_tests(evidence: Evidence) -> list[BackTest]:
    """Return what each alarm on one metric would have done in the window, by its name."""
    alarms = evidence["alarms"]
    rows = evidence.engine.rows(alarms.filter(alarms.metric.notnull()).order_by("name"))
    return [_back_test(evidence, row) for row in rows]


def _back_test(evidence: Evidence, alarm: Mapping[str, Any]) -> BackTest:
    wanted = json.loads(alarm["dimensions"] or "{}")
    known = BackTest(
        alarm["name"], alarm["metric"], ", ".join(wanted.values()) or "all", _limit(alarm)
    )
    if alarm["statistic"] not in _STATISTICS:
        return replace(known, unknown=f"its statistic {alarm['statistic']} cannot be reckoned")
    if alarm["comparison"] not in _BREACHES:
        return replace(known, unknown=f"its comparison {alarm['comparison']} is no threshold")
    periods = _periods(evidence, alarm, wanted)
    if not periods:
        return replace(known, unknown="no point of its metric was captured")
    above = [at for at, value in periods.items() if value > 0]
    return replace(
        known,
        total=sum(periods.values()),
        worst=max(periods.values()),
        began=datetime.fromtimestamp(min(above), UTC) if above else None,
        fired=first_alarm(alarm, periods),
    )


def _limit(alarm: Mapping[str, Any]) -> str:
    words = alarm["comparison"] or ""
    sign = (">" if words.startswith("Greater") else "<") + ("=" if "OrEqual" in words else "")
    points, periods = alarm["datapoints_to_alarm"], alarm["evaluation_periods"]
    return f"{sign} {alarm['threshold']:g}, {points} of {periods} x {alarm['period_s']} s"


def first_alarm(alarm: Mapping[str, Any], periods: Mapping[int, float]) -> datetime | None:
    """Return the start of the period in which an alarm first has enough breaching periods (M out
    of the last N), None if never. `periods`: start in seconds since 1970 -> value; a period
    without a point breaches only if missing data are told to."""
    breaches, length = _BREACHES[alarm["comparison"]], alarm["period_s"]
    if alarm["treat_missing"] == "breaching":
        whole = range(min(periods), max(periods) + length, length)
        bad = [at for at in whole if at not in periods or breaches(periods[at], alarm["threshold"])]
    else:
        bad = [at for at in sorted(periods) if breaches(periods[at], alarm["threshold"])]
    reach = (alarm["evaluation_periods"] - 1) * length
    for place, at in enumerate(bad):
        first = place - alarm["datapoints_to_alarm"] + 1
        if first >= 0 and bad[first] >= at - reach:
            return datetime.fromtimestamp(at, UTC)
    return None


def _periods(
    evidence: Evidence, alarm: Mapping[str, Any], wanted: Mapping[str, str]
) -> dict[int, float]:
    """Return the metric of an alarm per period of the window, by its statistic."""
    points = evidence["metric_points"]
    own = points.filter(points.metric == alarm["metric"], points.namespace == alarm["namespace"])
    kinds = evidence.engine.rows(own.select("dimensions").distinct())
    texts = [row["dimensions"] for row in kinds if json.loads(row["dimensions"]) == dict(wanted)]
    own = own.filter(own.dimensions.isin(texts)) if texts else own.filter(ibis.literal(False))
    at = seconds_since_1970(own.at_utc)
    own = own.mutate(at=at - at % alarm["period_s"])
    statistics = {
        "Sum": own.value.sum(), "Maximum": own.value.max(), "Minimum": own.value.min(),
    }  # fmt: skip
    told = own.group_by("at").agg(value=statistics[alarm["statistic"]])
    return {row["at"]: float(row["value"]) for row in evidence.engine.rows(told)}
