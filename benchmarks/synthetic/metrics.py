"""What the functions and CloudWatch counted: one query per metric, in the order of the table."""

from __future__ import annotations

from benchmarks.synthetic.sql import columns_of, json_object, literal, quoted
from benchmarks.synthetic.telemetry import INGEST, PROCESSOR, REPLAY
from investigate.pipeline import REFERENCE

QUEUE = "demo-replay"
_MINUTE = "at_ms // 60000 * 60000"
_CALLS = f"""
SELECT '{INGEST}' AS function, at_ms, ended AS status, 60 AS duration
FROM requests
UNION ALL SELECT '{REPLAY}', at_ms, status, 48 FROM replays
UNION ALL SELECT '{PROCESSOR}', start_ms, status, duration FROM runs
"""
# Per minute; the processor was throttled once.
_OF_LAMBDA = f"""
CREATE TABLE minutes AS
SELECT function, {_MINUTE} AS at_ms, count(*) AS calls, count(*) FILTER (status <> 'ok') AS errors,
    max(duration) AS longest
FROM ({_CALLS}) GROUP BY ALL
"""
_SQS = """
CREATE TABLE queued AS
SELECT at_ms // 60000 * 60000 AS at_ms, CAST(sum(sent) AS BIGINT) AS sent, 0 AS received,
    0 AS deleted
FROM replays WHERE sent > 0 GROUP BY ALL
UNION ALL
SELECT start_ms // 60000 * 60000, 0, CAST(sum(records) AS BIGINT),
    CAST(sum(CASE WHEN status = 'ok' THEN records ELSE 0 END) AS BIGINT)
FROM runs GROUP BY ALL
"""
PREPARE = (_OF_LAMBDA, _SQS)


def _points(namespace: str, metric: str, dimensions: str, value: str, origin: str) -> str:
    return columns_of(
        "metric_points",
        namespace=f"'{namespace}'", metric=f"'{metric}'", dimensions=dimensions,
        at_utc="moment(at_ms)", value=value, origin=f"'{origin}'",
    )  # fmt: skip


def _of_function(metric: str, value: str) -> str:
    listed = _points(
        "AWS/Lambda", metric, json_object(FunctionName=quoted("function")), value, "cloudwatch"
    )
    return f"SELECT {listed} FROM minutes ORDER BY dimensions, at_utc"


def _of_queue(metric: str, value: str) -> str:
    listed = _points(
        "AWS/SQS", metric, json_object(QueueName=literal(f'"{QUEUE}"')), f"sum({value})",
        "cloudwatch",
    )  # fmt: skip
    return f"SELECT {listed} FROM queued GROUP BY at_ms HAVING sum({value}) > 0 ORDER BY at_utc"


def _of_run(function: str, metric: str, value: str, rows: str) -> str:
    listed = _points(
        REFERENCE.metric_namespace, metric, json_object(Function=literal(f'"{function}"')), value,
        "emf",
    )  # fmt: skip
    return f"SELECT {listed} FROM ({rows}) ORDER BY at_utc, value"


_THROTTLES = (
    f"CASE WHEN function = '{PROCESSOR}' AND at_ms = (SELECT min(at_ms) FROM minutes "
    f"WHERE function = '{PROCESSOR}') THEN 3 ELSE 0 END"
)
_RUNS = "SELECT start_ms AS at_ms, records, failed FROM runs WHERE status = 'ok'"
_REPLAYS = "SELECT at_ms, sent FROM replays WHERE status = 'ok'"
OF_SERVICES = (
    _of_function("Duration", "longest"), _of_function("Errors", "errors"),
    _of_function("Invocations", "calls"), _of_function("Throttles", _THROTTLES),
    _of_queue("NumberOfMessagesDeleted", "deleted"),
    _of_queue("NumberOfMessagesReceived", "received"), _of_queue("NumberOfMessagesSent", "sent"),
)  # fmt: skip
OF_RUNS = (
    _of_run(PROCESSOR, "ProcessorErrorCount", "failed", _RUNS),
    _of_run(PROCESSOR, "ProcessorMessageCount", "records", _RUNS),
    _of_run(REPLAY, "ReplayMessageCount", "sent", _REPLAYS),
    _of_run(REPLAY, "ReplayRequestedCount", "1", _REPLAYS),
)


def _of_ingest(metric: str, value: str) -> str:
    dimensions = json_object(
        Function=literal(f'"{INGEST}"'), Source=quoted("source"), Type=quoted("event_type")
    )
    listed = _points(REFERENCE.metric_namespace, metric, dimensions, value, "emf")
    return (
        f"SELECT {listed} FROM requests WHERE ended = 'ok' "
        "AND place BETWEEN @low AND @high ORDER BY dimensions, at_utc, value"
    )


# To be asked for each range of places.
OF_INGEST = (
    _of_ingest("DuplicateCount", f"CASE answer WHEN '{REFERENCE.duplicate}' THEN 1 ELSE 0 END"),
    _of_ingest("IngestCount", "1"),
    _of_ingest("IngestLagMs", "greatest(at_ms - event_ms, 0)"),
)
