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

from investigate.alarm_rules import children
from investigate.analysis.consumption import metric_period
from investigate.engine import seconds_since_1970
from investigate.evidence import Evidence

DEAD_LETTERS = "ApproximateNumberOfMessagesVisible"
OLDEST = "ApproximateAgeOfOldestMessage"
SWALLOWED = "ProcessorErrorCount"
UNREAD = "the dimensions of some points of its metric cannot be read"
COMPUTED = "computed"  # in place of the metric of an alarm that has none of its own
# What counts failures: more than none of it is trouble that somebody should have been told of.
FAILURES = ("Errors", "Throttles", SWALLOWED, "AsyncEventsDropped", "DeadLetterErrors")
_NEEDED = (
    "statistic", "comparison", "threshold", "period_s", "evaluation_periods",
    "datapoints_to_alarm",
)  # fmt: skip
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
            functions.filter(functions.role == "processor"), evidence.design.metric_namespace,
            SWALLOWED,
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
    and alarm (its name). An alarm on AWS/Lambda without dimensions watches all functions; one that
    computes is taken at its word where it names metric and resource; one that fires when there is
    little watches no failures."""
    wanted = watched(evidence)
    alarms = evidence["alarms"]
    alarms = alarms.filter(~alarms.comparison.startswith("Less").fill_null(False)).select(
        "dimensions", "metrics", alarm="name", space="namespace", measured="metric"
    )
    pairs = wanted.cross_join(alarms)
    named = ibis.literal('"') + pairs.resource + '"'
    plain = (pairs.space == pairs.namespace) & (pairs.measured == pairs.metric)
    of_all = (pairs.dimensions == "{}") & (pairs.namespace == "AWS/Lambda")
    plain = plain & (pairs.dimensions.contains(named) | of_all)
    computed = pairs.metrics.contains(ibis.literal('"') + pairs.metric + '"')
    computed = computed & pairs.metrics.contains(named)
    return pairs.filter(plain.fill_null(False) | computed.fill_null(False)).select(
        *wanted.columns, "alarm"
    )


def unwired(evidence: Evidence) -> ir.Table:
    """Return the alarms that tell nobody: no action, or actions switched off, and no other alarm
    that is composed of them, by however many steps, tells somebody."""
    alarms = evidence["alarms"]
    told = alarms.select("name", "rule", "actions_enabled", actions=alarms.actions.length())
    known = evidence.engine.rows(told)
    heard = {row["name"] for row in known if row["actions"] and row["actions_enabled"] is not False}
    parts = {row["name"]: children(row["rule"] or "") for row in known}
    while more := {part for name in heard for part in parts.get(name, ())} - heard:
        heard |= more
    return alarms.filter(~alarms.name.isin(sorted(heard))) if heard else alarms


def back_tests(evidence: Evidence) -> list[BackTest]:
    """Return what each alarm on metrics would have done in the case, by its name."""
    alarms = evidence["alarms"]
    rows = evidence.engine.rows(alarms.filter(alarms.rule.isnull()).order_by("name"))
    return [_back_test(evidence, row) for row in rows]


def _back_test(evidence: Evidence, alarm: Mapping[str, Any]) -> BackTest:
    if alarm["metric"] is None:
        return BackTest(alarm["name"], COMPUTED, "", "", unknown="it computes its metric")
    wanted = _dimensions(alarm["dimensions"] or "{}")
    resource = "unknown" if wanted is None else ", ".join(map(str, wanted.values())) or "all"
    known = BackTest(alarm["name"], alarm["metric"], resource, _limit(alarm))
    if why := _unreckonable(evidence, alarm):
        return replace(known, unknown=why)
    if wanted is None:
        return replace(known, unknown="its dimensions cannot be read")
    own, unread = _own_points(evidence, alarm, wanted)
    periods = _periods(evidence, alarm, own)
    if not periods:
        return replace(known, unknown=UNREAD if unread else "no point of its metric was captured")
    above = [at for at, value in periods.items() if value > 0]
    until = int(evidence.judged_until("metric_points").timestamp())
    fired = first_alarm(alarm, periods, until)
    return replace(
        known,
        total=sum(periods.values()),
        worst=max(periods.values()),
        began=datetime.fromtimestamp(min(above), UTC) if above else None,
        fired=fired,
        unknown="" if fired else UNREAD if unread else _undecided(alarm, periods),
    )


def _unreckonable(evidence: Evidence, alarm: Mapping[str, Any]) -> str:
    """Why an alarm's rule cannot be put to points of minutes; empty if it can."""
    lacking = [name for name in _NEEDED if alarm[name] is None]
    if lacking:
        return f"its {lacking[0]} is unknown"
    if alarm["statistic"] not in _STATISTICS:
        return f"its statistic {alarm['statistic']} cannot be reckoned"
    if alarm["comparison"] not in _BREACHES:
        return f"its comparison {alarm['comparison']} is no threshold"
    if alarm["namespace"].startswith("AWS/") and alarm["period_s"] < metric_period(evidence):
        return "its periods are shorter than those of the captured points"
    return ""


def _undecided(alarm: Mapping[str, Any], periods: Mapping[int, float]) -> str:
    """Why an alarm that needs several periods may have fired where some have no point: unless
    missing data are told to breach or not, CloudWatch looks back for older points and may decide
    by fewer."""
    told = alarm["treat_missing"] in ("breaching", "notBreaching")
    length, limit = alarm["period_s"], alarm["threshold"]
    breaching = any(_BREACHES[alarm["comparison"]](value, limit) for value in periods.values())
    whole = (max(periods) - min(periods)) // length + 1 == len(periods)
    if told or not breaching or alarm["datapoints_to_alarm"] == 1 or whole:
        return ""
    return "periods without a point may count or not"


def _limit(alarm: Mapping[str, Any]) -> str:
    if any(alarm[name] is None for name in _NEEDED):
        return "not known"
    words = alarm["comparison"]
    sign = (">" if words.startswith("Greater") else "<") + ("=" if "OrEqual" in words else "")
    points, periods = alarm["datapoints_to_alarm"], alarm["evaluation_periods"]
    return f"{sign} {alarm['threshold']:g}, {points} of {periods} x {alarm['period_s']} s"


def first_alarm(
    alarm: Mapping[str, Any], periods: Mapping[int, float], until: int
) -> datetime | None:
    """Return the start of the period in which an alarm first has enough breaching periods (M out
    of the last N), None if never. `periods`: start in seconds since 1970 -> value; a period
    without a point, up to `until`, breaches only if missing data are told to."""
    breaches, length = _BREACHES[alarm["comparison"]], alarm["period_s"]
    if alarm["treat_missing"] == "breaching":
        whole = range(min(periods), max(until, max(periods) + length), length)
        bad = [at for at in whole if at not in periods or breaches(periods[at], alarm["threshold"])]
    else:
        bad = [at for at in sorted(periods) if breaches(periods[at], alarm["threshold"])]
    reach = (alarm["evaluation_periods"] - 1) * length
    for place, at in enumerate(bad):
        first = place - alarm["datapoints_to_alarm"] + 1
        if first >= 0 and bad[first] >= at - reach:
            return datetime.fromtimestamp(at, UTC)
    return None


def _own_points(
    evidence: Evidence, alarm: Mapping[str, Any], wanted: Mapping[str, Any]
) -> tuple[ir.Table, bool]:
    """Return the points of an alarm's metric with its dimensions, and whether there are some that
    may have them, or not, for theirs cannot be read."""
    points = evidence["metric_points"]
    own = points.filter(points.metric == alarm["metric"], points.namespace == alarm["namespace"])
    kinds = evidence.engine.rows(own.select("dimensions").distinct())
    known = {text: _dimensions(text) for row in kinds if (text := row["dimensions"])}
    texts = [text for text, named in known.items() if named == wanted]
    own = own.filter(own.dimensions.isin(texts)) if texts else own.filter(ibis.literal(False))
    return own, None in known.values()


def _dimensions(text: str) -> dict[str, Any] | None:
    """Return the dimensions that a text in JSON names; None if it is none, or names nothing that
    can be shown."""
    try:
        named = json.loads(text)
        json.dumps(named, ensure_ascii=False).encode()  # half of a pair of surrogates is no text
    except (ValueError, RecursionError):
        return None
    return named if isinstance(named, dict) else None


def _periods(evidence: Evidence, alarm: Mapping[str, Any], own: ir.Table) -> dict[int, float]:
    """Return an alarm's own points put together per period of the window, by its statistic."""
    own = own.filter(own.at_utc.notnull(), own.value.notnull())
    at = seconds_since_1970(own.at_utc)
    own = own.mutate(at=at - at % alarm["period_s"])
    statistics = {
        "Sum": own.value.sum(), "Maximum": own.value.max(), "Minimum": own.value.min(),
    }  # fmt: skip
    told = own.group_by("at").agg(value=statistics[alarm["statistic"]])
    return {row["at"]: float(row["value"]) for row in evidence.engine.rows(told)}
