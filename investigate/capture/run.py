"""A whole capture: every source read in turn, every table written with what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from investigate.aws import Connection
from investigate.capture import functions, logs, queues, raw, rows
from investigate.capture.source import Captured, CaptureOptions, Source, gap
from investigate.capture.values import storable
from investigate.case import Case, CaseWriter, Coverage, open_case
from investigate.errors import AccessError, UsageError
from investigate.settings import PipelineNames, Settings
from investigate.tables import TABLES, schema_of

Reader = Callable[[Source], list[Captured]]


def _not_part(*tables: str) -> Reader:
    reason = Coverage("skipped", "not part of this version")
    return lambda source: _all(tables, reason)


# Every table of a case and the reader that fills it. What is derived is read before what it is
# derived from: a message handled meanwhile is then seen twice rather than never.
CAPTURES: Mapping[tuple[str, ...], Reader] = {
    ("queue_state",): queues.read_state,
    ("messages",): queues.read_messages,
    ("dead_letters",): queues.read_dead_letters,
    ("functions",): functions.read_functions,
    ("mappings",): functions.read_mappings,
    ("aggregates",): rows.read_aggregates,
    ("invocations", "log_lines", "metric_points"): logs.read,
    ("events",): rows.read_events,
    ("dedupe",): rows.read_dedupe,
    ("raw",): raw.read,
    ("alarms", "spans"): _not_part("alarms", "spans"),
}


def capture(
    folder: str | Path, settings: Settings, connection: Connection, options: CaptureOptions
) -> Case:
    """Read a pipeline and return the case written to `folder`; nothing of the pipeline changes.

    What was denied or failed is left out with AWS's own code as the reason. A wrong name, region
    or credential stops with `AccessError` before anything is written.
    """
    folder = Path(folder)
    wanted = tuple(options.only) or tuple(TABLES)
    for table in wanted:
        schema_of(table)
    if options.sample_messages and not connection.sampling:
        raise UsageError(
            "messages are to be sampled over a connection that was not opened for sampling",
            hint="connect(..., sampling=True)",
        )
    source = Source(connection, settings.names, options)
    account = first_look(source, wanted)
    masked = account if options.mask_account else None
    with CaseWriter(
        folder=folder,
        name=options.name or folder.name,
        window=options.window,
        captured_at=options.captured_at,
        settle_seconds=settings.thresholds.settle_seconds,
        tool={"name": "investigate", "version": version("investigate")},
        pipeline=storable(_description(source, account), masked),
    ) as writer:
        for tables, reader in CAPTURES.items():
            for captured in _read(source, tables, reader, wanted):
                _store(writer, captured, masked)
    return open_case(folder)


def first_look(source: Source, wanted: Sequence[str]) -> str:
    """Return the account after one small request to each named resource that will be read.

    Raises `AccessError` for what no later request can mend: a name that does not exist,
    credentials that do not work, an endpoint that does not answer. A denied request is left to
    the readers, who record it.
    """
    account = source.connection.account()
    for tables, service, operation, parameters in _first_requests(source.names):
        if not set(tables) & set(wanted):
            continue
        try:
            source.connection.call(service, operation, **parameters)
        except AccessError as error:
            if error.kind not in ("denied", "failed"):
                raise
    return account


_OF_QUEUES = ("queue_state", "messages", "mappings")
_OF_FUNCTIONS = ("functions", "mappings", "invocations", "log_lines", "metric_points")


def _first_requests(
    names: PipelineNames,
) -> Iterator[tuple[tuple[str, ...], str, str, dict[str, Any]]]:
    """Which tables need which resource, and the smallest request that shows it is there."""
    if names.raw_bucket:
        listing = {"Bucket": names.raw_bucket, "Prefix": names.raw_prefix, "MaxKeys": 1}
        yield ("raw",), "s3", "ListObjectsV2", listing
    for table in ("events", "dedupe", "aggregates"):
        if name := getattr(names, f"{table}_table"):
            yield (table,), "dynamodb", "Scan", {"TableName": name, "Limit": 1}
    for url in (names.replay_queue_url, *names.dead_letter_queue_urls):
        if url:
            asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
            yield _OF_QUEUES, "sqs", "GetQueueAttributes", asked
    for name in names.functions.values():
        yield _OF_FUNCTIONS, "lambda", "GetFunctionConfiguration", {"FunctionName": name}


def _read(
    source: Source, tables: tuple[str, ...], reader: Reader, wanted: Sequence[str]
) -> list[Captured]:
    if not set(tables) & set(wanted):
        return _all(tables, Coverage("skipped", "not asked for (--only)"))
    try:
        found = reader(source)
    except AccessError as error:
        found = _all(tables, gap(error))
    unasked = Coverage("skipped", "not asked for (--only)")
    return [one if one.table in wanted else Captured(one.table, unasked) for one in found]


def _all(tables: tuple[str, ...], coverage: Coverage) -> list[Captured]:
    return [Captured(table, coverage) for table in tables]


def _store(writer: CaseWriter, captured: Captured, masked: str | None) -> None:
    known = captured.coverage
    coverage = Coverage(known.status, storable(known.reason, masked), known.horizon)
    if captured.rows is None:
        writer.leave_out(captured.table, coverage)
    else:
        writer.add(captured.table, (storable(row, masked) for row in captured.rows), coverage)


def _description(source: Source, account: str) -> dict[str, Any]:
    names = asdict(source.names)
    return {
        **names,
        "region": source.connection.region,
        "account_id": account,
        "dead_letter_queue_urls": list(source.names.dead_letter_queue_urls),
    }
