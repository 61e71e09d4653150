"""A whole capture: every source read in turn, every table written with what is known of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from investigate.aws import Connection
from investigate.capture import (
    alarms,
    deliveries,
    deployments,
    functions,
    logs,
    mappings,
    queues,
    raw,
    rescue,
    spans,
)
from investigate.capture import tables as dynamodb
from investigate.capture.arrow_memory import system_allocator
from investigate.capture.draft import CaptureDraft, begun_at, refuse_finished
from investigate.capture.partitions import dates_of
from investigate.capture.preparation import Prepared, prepare
from investigate.capture.privacy import Mask
from investigate.capture.publishing import publish
from investigate.capture.resumption import VERSION
from investigate.capture.source import (
    Captured,
    CaptureOptions,
    Progress,
    Source,
    coverage_of_error,
    silent,
)
from investigate.capture.values import storable
from investigate.case import Case, Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.designs import recorded
from investigate.errors import AccessError
from investigate.in_place import InPlace
from investigate.model import isoformat, parse_time
from investigate.pipeline import REFERENCE
from investigate.settings import PipelineNames, Settings

Reader = Callable[[Source], list[Captured]]


# Every table of a case and the reader that fills it. What is derived is read before what it is
# derived from: a message handled meanwhile is then seen twice rather than never.
CAPTURES: Mapping[tuple[str, ...], Reader] = {
    ("queue_state",): queues.read_state,
    ("messages",): queues.read_messages,
    ("dead_letters",): queues.read_dead_letters,
    ("rescued",): rescue.read_rescued,
    ("functions",): functions.read_functions,
    ("mappings",): mappings.read_mappings,
    ("deliveries",): deliveries.read_deliveries,
    ("deployments",): deployments.read_deployments,
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
# Asking again for what a queue holds would receive its messages once more, which has an effect.
SAMPLED = frozenset({"messages", "dead_letters"})


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
    `resume` goes on from there within a day: the same settings and options, and the time of the
    first run; the one handed in is when it goes on.
    """
    folder = Path(folder)
    refuse_finished(folder)
    with _told_how_to_go_on(folder):
        _capture(folder, settings, connection, options, resume=resume, progress=progress)
    return open_case(folder)


def _capture(
    folder: Path,
    settings: Settings,
    connection: Connection,
    options: CaptureOptions,
    *,
    resume: bool,
    progress: Progress,
) -> None:
    prepared = prepare(connection, settings.names, options)
    mask = Mask(options.mask, account=prepared.account if options.mask_account else None)
    plan = _plan(settings, prepared, connection, options)
    if options.mask_account:
        plan = _without_account(plan, prepared.account)
    with system_allocator(), CaptureDraft(folder, plan, resume=resume) as draft:
        begun = parse_time(draft.plan["captured_at"], "captured_at")
        if resume:
            options = replace(options, resumed_at=options.captured_at)
            mask.seen.update(draft.masked())
        options = replace(options, captured_at=begun)
        source = Source(connection, prepared.names, options, draft, mask=mask, progress=progress)
        connection.meter.start_from(draft.consumed())
        known = _read_all(source, prepared.wanted)
        with CaseWriter(
            folder=folder,
            name=options.name or folder.name,
            window=options.window,
            captured_at=options.captured_at,
            settle_seconds=settings.thresholds.settle_seconds,
            tool={"name": "investigate", "version": version("investigate")},
            pipeline=_description(source, prepared.account, mask),
            scope=_scope(options, known, mask),
            consumed=_consumed(connection, draft),
            draft=draft.case,
            design=prepared.names.design,
        ) as writer:
            publish(writer, draft, known, mask.text)


@contextmanager
def _told_how_to_go_on(folder: Path) -> Iterator[None]:
    """Add to what went wrong that the capture can go on, if there is something to go on with."""
    try:
        yield
    except AccessError as error:
        if begun_at(folder):
            how = "what was read is kept: the same command with --resume goes on"
            error.hint = f"{error.hint}; {how}" if error.hint else how
        raise


def _consumed(connection: Connection, draft: CaptureDraft) -> dict[str, Any]:
    """Return what all runs took, and when the later ones went on."""
    resumed = draft.resumed()
    return {**connection.meter.snapshot(), **({"resumed": resumed} if resumed else {})}


def _plan(
    settings: Settings, prepared: Prepared, connection: Connection, options: CaptureOptions
) -> dict[str, Any]:
    """Return what must be the same when the capture goes on."""
    chosen = asdict(options)
    del chosen["window"], chosen["captured_at"], chosen["resumed_at"]
    names = {name: value for name, value in _plain(prepared.names).items() if name != "region"}
    plan = {
        VERSION: version("investigate"),
        "captured_at": isoformat(options.captured_at),
        "window": str(options.window),
        "region": connection.region,
        **names,
        "account_id": prepared.account,
        **chosen,
        "settle_seconds": settings.thresholds.settle_seconds,
    }
    if prepared.names.design != REFERENCE:
        plan["design"] = recorded(prepared.names.design)
    as_kept: dict[str, Any] = json.loads(json.dumps(plan))  # lists for tuples, as when it is read
    return as_kept


def _without_account(plan: dict[str, Any], account: str) -> dict[str, Any]:
    """Return a plan that tells another account from this one, and does not tell which it is."""
    shown: dict[str, Any] = storable(plan, account)
    # So short that tens of millions of accounts have the same.
    digest = hashlib.sha256(account.encode()).hexdigest()[:4]
    return {**shown, "account_id": f"hash {digest}"}


def _scope(options: CaptureOptions, known: Sequence[Captured], mask: Mask) -> dict[str, Any]:
    has_raw = any(one.table == "raw" and (one.kept or one.in_place) for one in known)
    scope: dict[str, Any] = {
        "entities": list(options.entities),
        "event_dates": list(dates_of(options.window)) if has_raw else None,
    }
    if options.mask:
        scope["masked"] = {name: name in mask.seen for name in options.mask}
    return scope


def _read_all(source: Source, wanted: Sequence[str]) -> list[Captured]:
    """Return what is known of every table; what an earlier run has finished is not read again.

    Once AWS did not answer, however often it was asked, the following tables are settled only at
    the end, as they may depend on it: a capture that stops before asks again when it goes on.
    """
    begun = source.connection.given_up
    units = {f"tables {' '.join(tables)}": tables for tables in CAPTURES}
    unsettled: dict[str, list[Captured]] = {}
    for unit, tables in units.items():
        if source.draft.note(unit) is None:
            found = _read(source, tables, CAPTURES[tables], wanted)
            received = set(tables) & SAMPLED and any(one.rows for one in found)
            if received or source.connection.given_up == begun:
                _settle(source, unit, found)
            else:
                unsettled[unit] = found
    for unit, found in unsettled.items():
        _settle(source, unit, found)
    return [
        Captured(
            one["table"],
            Coverage.of_json(one["coverage"]),
            kept=one["kept"],
            in_place=InPlace.of_json(one["in_place"]) if "in_place" in one else None,
        )
        for unit in units
        for one in (source.draft.note(unit) or {})["tables"]
    ]


def _settle(source: Source, unit: str, found: Sequence[Captured]) -> None:
    rows = {one.table: one.rows for one in found if one.rows is not None}
    told = [
        {
            "table": one.table,
            "coverage": one.coverage.as_json(),
            "kept": one.kept or one.rows is not None,
            **({"in_place": one.in_place.as_json()} if one.in_place else {}),
        }
        for one in found
    ]
    source.keep(unit, rows, {"tables": told})


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
        found = [_broken_off(source, table, coverage_of_error(error)) for table in tables]
    unasked = Coverage("skipped", "not asked for (--only)")
    return [one if one.table in wanted else Captured(one.table, unasked) for one in found]


def _broken_off(source: Source, table: str, known: Coverage) -> Captured:
    """Return a table whose reader failed: partial, if it had kept some rows before."""
    if not source.draft.rows(table):
        return Captured(table, known)
    return Captured(table, Coverage("partial", known.reason), kept=True)


def _all(tables: tuple[str, ...], coverage: Coverage) -> list[Captured]:
    return [Captured(table, coverage) for table in tables]


def _plain(names: PipelineNames) -> dict[str, Any]:
    """Return the names of a pipeline without its design, which a case records apart."""
    return {name: value for name, value in asdict(names).items() if name != "design"}


def _description(source: Source, account: str, mask: Mask) -> dict[str, Any]:
    described = {
        **_plain(source.names),
        "region": source.connection.region,
        "account_id": account,
        "dead_letter_queue_urls": list(source.names.dead_letter_queue_urls),
    }
    for name in ("raw_folder", "raw_copied_at"):  # of no pipeline on AWS, and of few cases
        if described[name] is None:
            del described[name]
    shown: dict[str, Any] = storable(described, mask.account)
    return shown
