"""Checks of the functions: who keeps their failures, how much room is left, and what they tell."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import invokers
from investigate.analysis.logs import TROUBLE
from investigate.checks.configuration.advice import AuditRule, apply_rule, seconds
from investigate.checks.registry import PartialRows, check
from investigate.engine import number_text
from investigate.evidence import Evidence
from investigate.model import Severity, counted

API_SECONDS = 29  # the longest that API Gateway waits for an integration by default
LEAST_RETENTION_DAYS = 14
# How a version or alias keeps failures, in the JSON of `functions`.
_KEPT_BY_ALIAS = r'"on_failure_arn": "'
# Columns that a case may be older than.
_LATER = ("handler", "runtime", "log_group_exists", "invokers")
_ASYNC_PAGE = "How Lambda handles errors with asynchronous invocation (AWS Lambda Developer Guide)"


@check(
    "configuration/no-async-destination",
    Severity.DANGEROUS,
    key="function",
    needs=("functions",),
    found="{count} function{s} called asynchronously keep{_s} no failed event.",
    advice="Set an on-failure destination for asynchronous invocation. It keeps the event, the "
    "error and the number of attempts; a dead-letter queue of the function keeps only the event "
    "and three attributes.",
    avoid="Do not take 202 for done: it says that the event was accepted.",
)
def no_async_destination(evidence: Evidence) -> PartialRows:
    """Is an event kept that a function failed on, if it was called asynchronously?"""
    rows = _functions(evidence, "invokers", "dlq_arn", "on_failure_arn", "qualified_invoke_configs")
    called = invokers.asynchronous(rows.invokers)
    kept = rows.dlq_arn.notnull() | rows.on_failure_arn.notnull()
    rule = AuditRule(
        "OnFailure", "a queue, a topic or a bucket", _ASYNC_PAGE,
        "after three attempts, or six hours, the event is discarded without a trace",
    )  # fmt: skip
    # Settings hold for the qualifier that a caller names: what an alias keeps is only of its calls.
    directly = invokers.asynchronous_directly(rows.invokers)
    by_alias = rows.qualified_invoke_configs.re_search(_KEPT_BY_ALIAS).fill_null(False)
    # Whether it is called so does not matter where its failures are kept.
    bad = ibis.ifelse(kept, ibis.literal(False), ibis.ifelse(by_alias, directly, called))
    return apply_rule(evidence, rows, rule, found=ibis.null("string"), bad=bad, noun="function")


@check(
    "configuration/useless-dead-letters",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    found="{count} function{s} {have} a place for failures that nothing ever reaches.",
    advice="An API's caller gets the error (502, 504, 429) and must try again itself: see that "
    "clients do, with growing pauses. Keep the queue only if the function is called "
    "asynchronously as well.",
    avoid="Do not read its emptiness as a sign that no request failed.",
)
def useless_dead_letters(evidence: Evidence) -> PartialRows:
    """Has a function that only an API calls a dead-letter queue that cannot receive anything?"""
    rows = _functions(evidence, "invokers", "dlq_arn", "on_failure_arn")
    rows = rows.filter(rows.dlq_arn.notnull() | rows.on_failure_arn.notnull())
    waited = invokers.synchronous(rows.invokers) & ~invokers.asynchronous(rows.invokers)
    rule = AuditRule(
        "DeadLetterConfig or OnFailure", "none, and callers that try again", _ASYNC_PAGE,
        "failed requests are believed to be kept, and are not",
    )  # fmt: skip
    found = ibis.coalesce(rows.on_failure_arn, rows.dlq_arn)
    return apply_rule(evidence, rows, rule, found=found, bad=waited, noun="function")


@check(
    "configuration/unqualified-invoke-settings",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    found="{count} function{s} {have} settings for asynchronous calls that not every call gets.",
    advice="Settings for asynchronous calls hold for one version or alias. Look at which one the "
    "callers name in their ARN, and put the same settings there; without a qualifier a call gets "
    "those of $LATEST.",
    avoid="Do not look at one of them alone and take it for the function's.",
)
def unqualified_invoke_settings(evidence: Evidence) -> PartialRows:
    """Do the settings for asynchronous calls hold for every version that may be called?"""
    rows = _functions(evidence, "qualified_invoke_configs", "dlq_arn", "on_failure_arn")
    rows = rows.filter(rows.qualified_invoke_configs.notnull())
    bare = rows.on_failure_arn.isnull() & rows.dlq_arn.isnull()
    rule = AuditRule(
        "EventInvokeConfig", "the same on $LATEST and on each alias that is called",
        "PutFunctionEventInvokeConfig (AWS Lambda API Reference)",
        "failures of a call without the alias are discarded",
    )  # fmt: skip
    found = ibis.literal("none on $LATEST; others: ") + rows.qualified_invoke_configs
    functions = evidence["functions"].select(*_LATER)
    old = functions.filter(_before(functions)).count()
    unknown = int(evidence.engine.scalar(old))
    gap = f"the settings of {counted(unknown, 'function')} per version and alias are unknown"
    return apply_rule(
        evidence, rows, rule, found=found, bad=bare, noun="function", gap=gap if unknown else ""
    )


@check(
    "configuration/api-timeout",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    found="{count} function{s} behind an API may run longer than the API waits.",
    advice="Set the timeout below what the API waits for (29 s by default), so that the function "
    "fails before its caller gives up, and tells why.",
    avoid="Do not take a 504 for a request that was not carried out: the function goes on, and a "
    "client that tries again does it twice.",
)
def api_timeout(evidence: Evidence) -> PartialRows:
    """Does an API wait for as long as its function may run?"""
    rows = _functions(evidence, "timeout_s", "invokers")
    # Up to the limit it does not matter who calls it.
    bad = ibis.ifelse(
        rows.timeout_s <= API_SECONDS, ibis.literal(False), rows.invokers.contains("apigateway")
    )
    rule = AuditRule(
        "Timeout", f"less than {API_SECONDS} s",
        "Amazon API Gateway quotas: integration timeout",
        "the client is told 504 while the function finishes, and sends the same again",
    )  # fmt: skip
    return apply_rule(evidence, rows, rule, found=seconds(rows.timeout_s), bad=bad, noun="function")


@check(
    "configuration/timeout-headroom",
    Severity.SUSPECT,
    key="function",
    needs=("functions", "invocations"),
    found="{count} function{s} came close to {their} time limit and succeeded.",
    advice="Look in the trace for what took so long. Then raise the timeout, together with the "
    "queue's visibility timeout (six times as long), or lower the batch size.",
    avoid="Do not raise the timeout of a function behind an API above what the API waits for.",
)
def timeout_headroom(evidence: Evidence) -> PartialRows:
    """Is there room between the longest successful run and the time limit?"""
    rows = _with_most(evidence)
    longest = rows.longest_ms / 1000
    most = evidence.thresholds.headroom * rows.timeout_s
    rule = AuditRule(
        "Timeout", "well above the longest run",
        "Best practices for working with AWS Lambda functions",
        "the next slow minute of a dependency cuts runs off in the middle of their work",
    )  # fmt: skip
    # Tenths are counted before they are divided: engines round 1.45 in two ways.
    tenths = (rows.longest_ms / 100).round()
    found = number_text(tenths / 10) + " s of " + seconds(rows.timeout_s)
    return apply_rule(
        evidence, rows, rule, found=found, bad=longest >= most, noun="function",
        gap=_without_success(evidence),
    )  # fmt: skip


@check(
    "configuration/memory-headroom",
    Severity.SUSPECT,
    key="function",
    needs=("functions", "invocations"),
    found="{count} function{s} came close to {their} memory limit and succeeded.",
    advice="Raise MemorySize, or lower the mapping's batch size: all objects of a batch are held "
    "at once.",
    avoid="Do not judge by averages: the largest batch decides.",
)
def memory_headroom(evidence: Evidence) -> PartialRows:
    """Is there room between the most memory that a successful run used and the limit?"""
    rows = _with_most(evidence)
    most = evidence.thresholds.headroom * rows.memory_mb
    rule = AuditRule(
        "MemorySize", "well above the most that was used",
        "Best practices for working with AWS Lambda functions",
        "a larger batch ends the run in the middle of its work",
    )  # fmt: skip
    found = rows.largest_mb.cast("string") + " MB of " + rows.memory_mb.cast("string") + " MB"
    return apply_rule(
        evidence, rows, rule, found=found, bad=rows.largest_mb >= most, noun="function",
        gap=_without_success(evidence),
    )  # fmt: skip


@check(
    "configuration/tracing",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    found="{count} function{s} leave{_s} no traces of {their} own.",
    advice="Set TracingConfig to Active. A trace shows which call inside the function was slow or "
    "refused, which no log line says.",
    avoid="Do not take a missing trace for a missing request: traces are a sample.",
)
def tracing(evidence: Evidence) -> PartialRows:
    """Does each function trace what it does?"""
    rows = _functions(evidence, "tracing")
    rule = AuditRule(
        "TracingConfig", "Active", "Visualize Lambda function invocations using AWS X-Ray",
        "where time went, and which call failed, stays unknown",
    )  # fmt: skip
    return apply_rule(
        evidence, rows, rule, found=rows.tracing, bad=rows.tracing != "Active", noun="function"
    )


@check(
    "configuration/log-level",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    found="{count} function{s} log{_s} too little to tell what {their} runs did.",
    advice="Set the level to INFO. The lines that name an event and a batch are of that level.",
    avoid="Do not conclude from missing lines that the code did not run.",
)
def log_level(evidence: Evidence) -> PartialRows:
    """Do the functions log the lines that tell which events they saw?"""
    rows = _functions(evidence, "log_level", "log_format", *_LATER)
    # With format Text the runtime's own level holds, WARNING, whatever the code asks for (D20).
    quiet = rows.log_level.upper().isin(TROUBLE).fill_null(False) | (rows.log_format == "Text")
    # A case of before there was such a column says nothing of it; none set means INFO.
    bad = ibis.ifelse(_before(rows) & ~quiet.fill_null(False), ibis.null("boolean"), quiet)
    rule = AuditRule(
        "ApplicationLogLevel or LOG_LEVEL", "INFO, and LogFormat JSON",
        "Configuring advanced logging controls (AWS Lambda Developer Guide)",
        "which events a run loaded, sent or failed on is not recorded",
    )  # fmt: skip
    found = (
        rows.log_level.fill_null("no level") + ", format " + rows.log_format.fill_null("unknown")
    )
    return apply_rule(evidence, rows, rule, found=found, bad=bad, noun="function")


@check(
    "configuration/log-retention",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    found="{count} function{s} {have} no log group, or one that forgets within two weeks.",
    advice="Create the group with a retention of at least 14 days, and see that the function's "
    "role may write to it (AWSLambdaBasicExecutionRole).",
    avoid="Do not count on the time after the incident: what is deleted is gone before anybody "
    "asks.",
)
def log_retention(evidence: Evidence) -> PartialRows:
    """Does each function have a log group that keeps its lines long enough?"""
    rows = _functions(evidence, "log_group", "log_group_exists", "log_retention_days")
    brief = (rows.log_retention_days > 0) & (rows.log_retention_days < LEAST_RETENTION_DAYS)
    bad = ibis.ifelse(rows.log_group_exists, brief, ~rows.log_group_exists)
    rule = AuditRule(
        "retentionInDays", f"at least {LEAST_RETENTION_DAYS}",
        "PutRetentionPolicy (Amazon CloudWatch Logs API Reference)",
        "the lines of an incident are deleted before it is looked into",
    )  # fmt: skip
    days = rows.log_retention_days.cast("string") + " days"
    found = ibis.ifelse(rows.log_group_exists, days, "no log group " + rows.log_group)
    return apply_rule(evidence, rows, rule, found=found, bad=bad, noun="function")


def _functions(evidence: Evidence, *settings: str) -> ir.Table:
    """The functions (key) with these of their settings."""
    functions = evidence["functions"]
    return functions.select(*settings, key=functions.name)


def _before(rows: ir.Table) -> ir.BooleanValue:
    """Whether a row is of a case that was captured before there were such columns."""
    return ~ibis.or_(*(rows[name].notnull() for name in _LATER))


def _without_success(evidence: Evidence) -> str:
    """Say in words which functions have no successful run that could be measured."""
    names = evidence.fact("functions without a success", _find_without_success)
    return f"no successful run of {', '.join(names)} was captured" if names else ""


def _find_without_success(evidence: Evidence) -> list[str]:
    functions = evidence["functions"].select(key="name")
    dark = functions.anti_join(_with_most(evidence).select("key"), "key")
    return [row["key"] for row in evidence.engine.rows(dark.order_by("key"))]


def _with_most(evidence: Evidence) -> ir.Table:
    """The functions (key) that ran, with their limits and the most that a successful run took:
    timeout_s, memory_mb, longest_ms, largest_mb."""
    return evidence.derived("most_of_functions", _find_most)


def _find_most(evidence: Evidence) -> ir.Table:
    calls = evidence["invocations"].select("function", "status", "duration_ms", "max_memory_mb")
    calls = calls.filter(calls.status == "ok")
    most = calls.group_by(key="function").agg(
        longest_ms=calls.duration_ms.max(), largest_mb=calls.max_memory_mb.max()
    )
    functions = _functions(evidence, "timeout_s", "memory_mb")
    return functions.inner_join(most, "key").select(
        "key", "timeout_s", "memory_mb", "longest_ms", "largest_mb"
    )
