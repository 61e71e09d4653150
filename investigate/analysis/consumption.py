"""Who should consume the replay queue, what keeps it from doing so, and what its metrics say."""

from __future__ import annotations

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs
from investigate.analysis.queues import readers, replay_queues
from investigate.analysis.roles import functions_of
from investigate.evidence import Evidence
from investigate.model import counted

_KEPT = ((15, 60), (63, 300), (455, 3600))
NO_MAPPING = "no mapping from the queue to the function"
NO_CONCURRENCY = "reserved concurrency is 0"


def processors(evidence: Evidence) -> ir.Table:
    """Return the functions of role processor."""
    return evidence.view("processors", lambda known: functions_of(known, "processor"))


def obstacles(evidence: Evidence) -> ir.Table:
    """Return each processor with a replay queue whose messages wait and which no processor reads:
    function, queue, ready, state, last_result and `why`."""
    rows = unread_queues(evidence)
    return rows.filter(rows.ready > 0)


def unread_queues(evidence: Evidence) -> ir.Table:
    """Return each processor with a replay queue that no processor reads, whether messages wait in
    it or not: the columns of `obstacles`."""
    waiting = replay_queues(evidence).select(queue="name", ready="ready")
    functions = processors(evidence).select("reserved_concurrency", function="name")
    maps = readers(evidence)
    reading = maps.filter(maps.reads).semi_join(functions, "function")
    waiting = waiting.anti_join(reading, "queue")
    maps = maps.select("queue", "function", "state", "last_result")
    pairs = waiting.cross_join(functions)
    pairs = pairs.left_join(maps, ["queue", "function"])
    why = ibis.cases(
        ((pairs.reserved_concurrency == 0).fill_null(False), NO_CONCURRENCY),
        (pairs.function_right.isnull(), NO_MAPPING),
        (
            (pairs.state != "Enabled").fill_null(True),
            ibis.literal("the mapping is ") + pairs.state.fill_null("in an unknown state"),
        ),
        else_=ibis.null("string"),
    )
    found = pairs.mutate(why=why).filter(why.notnull())
    return found.select("function", "queue", "ready", "state", "last_result", "why")


def lambda_sums(evidence: Evidence, metric: str) -> ir.Table:
    """Return (function, total) of an AWS/Lambda metric as CloudWatch has it."""
    points = evidence["metric_points"]
    own = points.filter(
        points.namespace == "AWS/Lambda", points.metric == metric, points.origin == "cloudwatch"
    )
    own = own.mutate(function=logs.text_in(own.dimensions, "FunctionName"))
    return own.filter(own.function.notnull()).group_by("function").agg(total=own.value.sum())


def dry_runs(evidence: Evidence) -> ir.Table:
    """Return the processors in DRY_RUN with `runs`, their successful invocations since they were
    last modified, and `started`, those of them that logged `processor_start`."""
    dry = processors(evidence)
    dry = dry.filter(dry.dry_run.fill_null(False)).select("last_modified_utc", function="name")
    runs = evidence["invocations"]
    runs = runs.filter(runs.status == "ok").select("function", "request_id", "started_utc")
    joined = dry.inner_join(runs, "function")
    since = joined.filter((joined.started_utc >= joined.last_modified_utc).fill_null(True))
    if evidence.has("log_lines"):
        said = logs.lines(evidence, logs.MARKERS["processor"])
        said = said.select("request_id", said=ibis.literal(1)).distinct()
        since = since.left_join(said, "request_id").drop("request_id_right")
    else:
        since = since.mutate(said=ibis.null("int8"))
    return since.group_by("function").agg(
        last_modified_utc=since.last_modified_utc.min(),
        runs=since.count(),
        started=since.said.count(),
    )


def with_deletions(evidence: Evidence, runs: ir.Table) -> ir.Table:
    """Add `deleted`: how many messages the replay queues deleted since each processor was last
    modified, as CloudWatch has it; null where no point tells, or where the messages of the period
    in which it was modified may be those deleted since."""
    if not (evidence.has("metric_points") and evidence.has("queue_state")):
        return runs.mutate(deleted=ibis.null("float64"))
    points, queues = evidence["metric_points"], replay_queues(evidence).select(queue="name")
    own = points.filter(points.namespace == "AWS/SQS", points.metric == "NumberOfMessagesDeleted")
    own = own.mutate(queue=logs.text_in(own.dimensions, "QueueName")).semi_join(queues, "queue")
    own = own.select("at_utc", "value")
    period = ibis.interval(seconds=metric_period(evidence))
    pairs = runs.left_join(own, own.at_utc + period > runs.last_modified_utc)
    # A point carries the start of its period: the first may tell of what came before the change.
    mixed = pairs.at_utc < pairs.last_modified_utc
    sums = pairs.group_by(runs.columns).agg(
        deleted=pairs.value.sum(where=(~mixed).fill_null(True)), before=pairs.value.sum(where=mixed)
    )
    unknown = (sums.deleted.fill_null(0) == 0) & (sums.before.fill_null(0) > 0) & (sums.runs > 0)
    deleted = ibis.ifelse(unknown, ibis.null("float64"), sums.deleted)
    return sums.mutate(deleted=deleted).drop("before")


def metric_period(evidence: Evidence) -> int:
    """Return the seconds of a period of the captured CloudWatch metrics: the older the window, the
    coarser (GetMetricData keeps minutes for 15 days, five minutes for 63)."""
    age = evidence.case.captured_at - evidence.case.window.start + timedelta(hours=1)
    return next((seconds for days, seconds in _KEPT if age <= timedelta(days=days)), _KEPT[-1][1])


def unknown_dry_run(evidence: Evidence) -> ir.Table:
    """Return the processors of which the case does not say whether they are in DRY_RUN."""
    functions = processors(evidence)
    return functions.filter(functions.dry_run.isnull())


def failed_records_gap(evidence: Evidence) -> str:
    """Return why records may have failed although no successful run says so; empty if not."""
    failures = logs.lines(evidence, "processor_record_failed")
    calls = evidence["invocations"]
    lone = failures.anti_join(calls.filter(calls.status.notnull()), "request_id").count()
    lone_lines = int(evidence.engine.scalar(lone))
    if lone_lines:
        return f"the invocations of {counted(lone_lines, 'failed record')} were not captured whole"
    errors = _counted_errors(evidence) if evidence.has("metric_points") else 0
    return f"ProcessorErrorCount is {errors:,}, and no line says which" if errors else ""


def _counted_errors(evidence: Evidence) -> int:
    points = evidence["metric_points"]
    errors = points.filter(
        points.namespace == evidence.design.metric_namespace, points.metric == "ProcessorErrorCount"
    )
    # The EMF line and CloudWatch tell of the same errors.
    sums = errors.group_by("origin").agg(total=errors.value.sum())
    # A failed invocation prints no metric (D28): each of these errors was swallowed.
    return int(evidence.engine.scalar(sums.total.max()) or 0)
