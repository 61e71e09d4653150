"""A whole capture: every source read in turn, every table written with what is known of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from investigate.aws import Connection
from investigate.capture import alarms, functions, logs, queues, raw, spans
from investigate.capture import tables as dynamodb
from investigate.capture.draft import Draft
from investigate.capture.ordered import batches, in_order
from investigate.capture.partitions import dates_of
from investigate.capture.source import (
    Captured,
    CaptureOptions,
    Masking,
    Progress,
    Source,
    gap,
    silent,
)
from investigate.capture.values import storable
from investigate.case import Case, CaseWriter, Coverage, open_case
from investigate.errors import AccessError, UsageError
from investigate.model import isoformat, parse_time
from investigate.settings import PipelineNames, Settings
from investigate.tables import ORDER, TABLES, schema_of

Reader = Callable[[Source], list[Captured]]


# Every table of a case and the reader that fills it. What is derived is read before what it is
# derived from: a message handled meanwhile is then seen twice rather than never.
CAPTURES: Mapping[tuple[str, ...], Reader] = {
    ("queue_state",): queues.read_state,
    ("messages",): queues.read_messages,
    ("dead_letters",): queues.read_dead_letters,
    ("functions",): functions.read_functions,
    ("mappings",): functions.read_mappings,
    ("aggregates",): dynamodb.read_aggregates,
    ("invocations", "log_lines", "metric_points"): logs.read,
    ("events",): dynamodb.read_events,
    ("dedupe",): dynamodb.read_dedupe,
    ("raw",): raw.read,
    ("alarms",): alarms.read,
    ("spans",): spans.read,
}
# Tables whose rows are kept step by step while they are read.
STEPWISE = frozenset({"raw", "events", "dedupe", "aggregates"})
# Tables that are read in the order of their rows, in steps that depend on nothing but the rows.
IN_ORDER = frozenset({"raw"})


def capture(
    folder: str | Path,
    settings: Settings,
    connection: Connection,
    options: CaptureOptions,
    *,
    resume: bool = False,
    progress: Progress = silent,
) -> Case:
    """Read a pipeline and return the case written to `folder`; nothing of the pipeline changes.

    What was denied or failed is left out with AWS's own code as the reason. A wrong name, region
    or credential stops with `AccessError` before anything is written; credentials that expire
    meanwhile stop it later. What a stopped or killed capture had read is kept beside the case, and
    `resume` goes on from there: the same settings and options, and the time of the first run.
    """
    folder = Path(folder)
    wanted = _wanted(options, connection, settings)
    account = first_look(connection, settings.names, wanted)
    masked = account if options.mask_account else None
    plan = _plan(settings, connection, options)
    with Draft(folder, plan, resume=resume) as draft:
        options = replace(options, captured_at=parse_time(draft.plan["captured_at"], "captured_at"))
        source = Source(
            connection, settings.names, options, draft, mask=_masking(masked), progress=progress
        )
        connection.meter.start_from(draft.consumed())
        known = [one for tables, reader in CAPTURES.items() for one in
                 _captured(source, tables, reader, wanted)]  # fmt: skip
        with CaseWriter(
            folder=folder,
            name=options.name or folder.name,
            window=options.window,
            captured_at=options.captured_at,
            settle_seconds=settings.thresholds.settle_seconds,
            tool={"name": "investigate", "version": version("investigate")},
            pipeline=_masked(_description(source, account), masked),
            scope=_scope(options, known),
            consumed=connection.meter.snapshot(),
            draft=draft.folder / "case",
        ) as writer:
            for one in known:
                _publish(writer, draft, one, masked)
    return open_case(folder)


def _wanted(options: CaptureOptions, connection: Connection, settings: Settings) -> tuple[str, ...]:
    wanted = tuple(options.only) or tuple(TABLES)
    for table in wanted:
        schema_of(table)
    if options.sample_messages and not connection.sampling:
        raise UsageError(
            "messages are to be sampled over a connection that was not opened for sampling",
            hint="connect(..., sampling=True)",
        )
    if options.entities and not ("events" in wanted and settings.names.events_table):
        raise UsageError(
            "an entity is captured by the rows of its events, and these are not captured",
            hint="name events_table in the configuration, and events under --only",
        )
    return wanted


def _plan(settings: Settings, connection: Connection, options: CaptureOptions) -> dict[str, Any]:
    """Return what must be the same when the capture goes on."""
    chosen = asdict(options)
    del chosen["window"], chosen["captured_at"]
    plan = {
        "captured_at": isoformat(options.captured_at),
        "window": str(options.window),
        "region": connection.region,
        **{name: value for name, value in asdict(settings.names).items() if name != "region"},
        **chosen,
        "settle_seconds": settings.thresholds.settle_seconds,
    }
    as_kept: dict[str, Any] = json.loads(json.dumps(plan))  # lists for tuples, as when it is read
    return as_kept


def _scope(options: CaptureOptions, known: Sequence[Captured]) -> dict[str, Any]:
    has_raw = any(one.table == "raw" and (one.kept or one.rows is not None) for one in known)
    return {
        "entities": list(options.entities),
        "event_dates": list(dates_of(options.window)) if has_raw else None,
    }


def _captured(
    source: Source, tables: tuple[str, ...], reader: Reader, wanted: Sequence[str]
) -> list[Captured]:
    """Return what is known of some tables; what an earlier run has finished is not read again."""
    unit = f"tables {' '.join(tables)}"
    done = source.draft.note(unit)
    if done is None:
        found = _read(source, tables, reader, wanted)
        rows = {one.table: one.rows for one in found if one.rows is not None}
        told = [
            {
                "table": one.table,
                "coverage": one.coverage.as_json(),
                "kept": one.kept or one.rows is not None,
            }
            for one in found
        ]
        source.keep(unit, rows, {"tables": told})
        done = {"tables": told}
    return [
        Captured(one["table"], Coverage.of_json(one["coverage"]), kept=one["kept"])
        for one in done["tables"]
    ]


def _publish(writer: CaseWriter, draft: Draft, one: Captured, masked: str | None) -> None:
    known = one.coverage
    coverage = replace(known, reason=_masked(known.reason, masked))
    if not one.kept:
        writer.leave_out(one.table, coverage)
        return
    parts = draft.parts(one.table)
    if not parts:
        writer.add(one.table, [], coverage)
    elif one.table in IN_ORDER and in_order(parts):
        rows = sum(part.rows for part in parts)
        writer.add_files(one.table, [part.path for part in parts], rows, coverage)
    else:
        ordered = batches(parts, ORDER[one.table], draft.folder)
        writer.add_batches(one.table, ordered, coverage)


def first_look(connection: Connection, names: PipelineNames, wanted: Sequence[str]) -> str:
    """Return the account after one small request to each named resource that will be read.

    Raises `AccessError` for what no later request can mend: a name that does not exist,
    credentials that do not work, an endpoint that does not answer. A denied request is left to
    the readers, who record it.
    """
    account = connection.account()
    for tables, service, operation, parameters in _first_requests(names):
        if not set(tables) & set(wanted):
            continue
        try:
            connection.call(service, operation, **parameters)
        except AccessError as error:
            if error.kind not in ("denied", "failed", "busy"):
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
        if error.kind in ("busy", "unreachable") and set(tables) & STEPWISE:
            raise  # what was read is kept, and a later run can go on with it
        found = [_broken_off(source, table, gap(error)) for table in tables]
    unasked = Coverage("skipped", "not asked for (--only)")
    return [one if one.table in wanted else Captured(one.table, unasked) for one in found]


def _broken_off(source: Source, table: str, known: Coverage) -> Captured:
    """Return a table whose reader failed: partial, if it had kept some rows before."""
    if not source.draft.rows(table):
        return Captured(table, known)
    return Captured(table, Coverage("partial", known.reason), kept=True)


def _all(tables: tuple[str, ...], coverage: Coverage) -> list[Captured]:
    return [Captured(table, coverage) for table in tables]


def _masking(account: str | None) -> Masking | None:
    if account is None:
        return None
    return lambda table, row: _masked(row, account)


def _masked(value: Any, account: str | None) -> Any:
    return storable(value, account)


def _description(source: Source, account: str) -> dict[str, Any]:
    names = asdict(source.names)
    return {
        **names,
        "region": source.connection.region,
        "account_id": account,
        "dead_letter_queue_urls": list(source.names.dead_letter_queue_urls),
    }
