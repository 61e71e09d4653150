"""Checks of replays: did one leave events out, and would one that is planned do it again?"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, replays
from investigate.analysis.loading import count_unverifiable, unloadable
from investigate.analysis.roles import invocations_of, require_role, unended_gap
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity, counted, joined
from investigate.pipeline import QUERY_PAGE_BYTES, format_time


@check(
    "replay/truncated",
    Severity.DANGEROUS,
    key="entity_id",
    needs=("events",),
    found="{count} of the entities {have} more rows in a window than one replay reads.",
    advice="A replay is one query page: it stops at its limit (500 unless asked otherwise) or at "
    "1 MB, counts before it filters duplicates, and drops the continuation key. Split the window "
    "with `investigate replay-plan` until every part holds fewer rows than the limit, replay the "
    "parts that were left out, and compare `scanned` with the plan each time.",
    avoid="Do not repeat the same replay: it reads the same first rows again and doubles their "
    "messages. Do not take a response with `sent` below the limit as complete; the limit is "
    "applied to `scanned`.",
)
def truncated(evidence: Evidence) -> PartialRows:
    """Did (or would) a replay stop at its limit or page while the window holds more rows?"""
    rows, unknown = _would_stop(evidence), ""
    if evidence.has("log_lines"):
        rows = rows.union(_did_stop(evidence).cast(rows.schema()))
        unknown = _windowless(evidence)
    return PartialRows(rows.mutate(key=rows.entity_id), joined(_unlogged(evidence), unknown))


def _would_stop(evidence: Evidence) -> ir.Table:
    rows = replays.in_text_window_asked(evidence)
    held = rows.group_by("pk").agg(
        entity_id=rows.entity_id.min(),
        rows=rows.count(),
        bytes=rows.attributes.length().fill_null(0).sum(),
    )
    limit, page = evidence.thresholds.replay_limit, QUERY_PAGE_BYTES
    more = held.filter((held.rows > limit) | (held.bytes > page))
    return more.select(
        entity_id=more.entity_id.fill_null(more.pk),
        how=ibis.ifelse(more.rows > limit, "would stop at the limit", "would stop at 1 MB"),
        rows=more.rows,
        scanned=ibis.null("int64"),
        start=ibis.literal(format_time(evidence.window.start)),
        end=ibis.literal(format_time(evidence.window.end)),
        logged_utc=ibis.null("timestamp"),
    )


def _did_stop(evidence: Evidence) -> ir.Table:
    done = evidence.settled(replays.outcomes(evidence), "logged_utc", "events")
    short = done.filter(replays.stopped_early(done))
    return short.select(
        "entity_id", "scanned", "start", "end", "logged_utc",
        how=ibis.literal("did stop early"), rows="rows_there",
    )  # fmt: skip


def _windowless(evidence: Evidence) -> str:
    """Say in words of how many replays in scope the line does not tell whether they stopped early;
    empty if all tell."""
    done = evidence.settled(replays.outcomes(evidence), "logged_utc", "events")
    unknown = evidence.in_scope(done.filter(replays.stopped_early(done).isnull()))
    count = evidence.engine.count(unknown)
    what = counted(count, "logged replay")
    return f"{what} whose window or scanned rows are not in the log" if count else ""


@check(
    "replay/boundary",
    Severity.SUSPECT,
    key="event_id",
    needs=("events",),
    found="{count} event{s} at the edge of a window {are} in it by time or by text, not by both.",
    advice="A replay compares sort keys as text, where '.' sorts before 'Z': an event at "
    "00:00:00.500 is left out of a window that starts at 00:00:00, and one at the next day's "
    "00:00:00.250 is sent along. To reach those left out, start the window one second earlier and "
    "expect the events of that second too: the day they belong to gets one more aggregate version.",
    avoid="Do not judge a day's aggregate by a replay of that day before you have moved these "
    "events: it lacks those outside by text and counts none of its own for those outside by time.",
)
def boundary(evidence: Evidence) -> PartialRows:
    """Is an event in or out of the window by time but not by the text comparison the replay
    uses?"""
    columns = ("event_id", "sk", "entity_id", "event_time", "reason")
    rows = replays.at_the_edges(evidence)
    asked = rows.filter(rows.event_time_utc.notnull())
    asked = asked.mutate(
        start=ibis.literal(format_time(evidence.window.start)),
        end=ibis.literal(format_time(evidence.window.end)),
        request_id=ibis.null("string"),
    )
    found = asked.select(*columns, "start", "end", "request_id")
    if evidence.has("log_lines"):
        found = found.union(_boundaries_of_replays(evidence).select(*found.columns))
    found = found.mutate(key=found.event_id.fill_null(found.sk))
    return PartialRows(found, _unlogged(evidence))


def _boundaries_of_replays(evidence: Evidence) -> ir.Table:
    done = replays.bounds(replays.logged(evidence))
    done = done.select("request_id", "entity_id", "start", "end", "start_utc", "end_utc")
    done = done.mutate(replay_pk=ibis.literal(evidence.design.event_pk("")) + done.entity_id)
    rows = evidence["events"].drop("entity_id")
    joined = done.inner_join(rows, done.replay_pk == rows.pk)
    known = joined.filter(
        joined.start_utc.notnull(), joined.end_utc.notnull(), joined.event_time_utc.notnull()
    )
    by_text = replays.in_text_window(evidence.design, known.sk, known.start, known.end)
    by_time = replays.in_time_window(known.event_time_utc, known.start_utc, known.end_utc)
    reason = ibis.ifelse(by_text, replays.BY_TEXT_ONLY, replays.BY_TIME_ONLY)
    return known.mutate(reason=reason).filter(by_text != by_time)


@check(
    "replay/would-fail",
    Severity.DANGEROUS,
    key="event_id",
    needs=("events", "raw"),
    found="{count} event{s} that a replay of this window would send {have} no readable raw object "
    "under the key in {their} row.",
    advice="Repair before you replay. Where the object exists under another key (see "
    "`events/dangling-key`), correct the row's `s3_key` first; the true key has the ingest date of "
    "the dedupe row's first sighting. Where it exists under no key, leave the event out: "
    "`investigate replay-plan` of its entity lists under WOULD FAIL what to repair or leave out.",
    avoid="Do not replay the window as it is: the processor catches the error of each such record, "
    "reports success, and SQS deletes the message, so the failure leaves almost no trace.",
)
def would_fail(evidence: Evidence) -> PartialRows:
    """Would a planned message point at a raw object that does not exist or cannot be read?"""
    plan = replays.planned(evidence)
    sends = evidence.settled(plan.filter(plan.decision == "send"), "ingest_time_utc", "raw")
    hopeless = unloadable(evidence, sends)
    rows = hopeless.select(
        "entity_id", "event_time", "s3_key", "why", key=hopeless.event_id.fill_null(hopeless.sk)
    )
    unknown = count_unverifiable(evidence, sends)
    return PartialRows(
        rows, f"{unknown:,} of the objects could not be looked at" if unknown else ""
    )


@check(
    "replay/nothing-sent",
    Severity.SUSPECT,
    key="entity_id",
    needs=("log_lines", "events"),
    found="For {count} of the entities a replay sent nothing.",
    advice="Look at `why`. No rows in the window: check the entity's spelling and the window's "
    "time zone, then whether ingest wrote rows at all (step 2). No row has refs: see "
    "`events/unreplayable`. Nothing scanned although rows are there: the function ran in DRY_RUN, "
    "which answers 0 without querying, or it reads another table. Try again with a narrow window "
    "of which the plan says that it must send something.",
    avoid="Do not scan the EventsTable to look for them: it reads and bills the whole table, and "
    "its first page shows 1 MB. Do not look for a status that blocks the replay; status plays no "
    "part in it, and `include_duplicates=false` alone never makes `sent` 0.",
)
def nothing_sent(evidence: Evidence) -> PartialRows:
    """Did a replay scan rows and send none, or find none, and why?"""
    done = evidence.settled(replays.outcomes(evidence), "logged_utc", "events")
    none = done.filter(done.sent == 0)
    why = ibis.cases(
        (none.scanned > 0, "no row has refs"),
        (none.rows_there.isnull(), "its window is not in the log"),
        (none.rows_there > 0, "nothing scanned although rows are there"),
        else_="no rows in the window",
    )
    rows = none.select(
        "entity_id", "start", "end", "scanned", "rows_there", "logged_utc", "request_id",
        key="entity_id", why=why,
    )  # fmt: skip
    return PartialRows(rows, logs.info_lines_gap(evidence, "replay"))


@check(
    "replay/dry-run",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    found="{count} function{s} {have} DRY_RUN set, so that {their} answers show nothing.",
    advice="In DRY_RUN the replay answers scanned=0, sent=0 without querying, ingest answers "
    "ACCEPTED and stores nothing, and the processor lets messages be deleted unread. Find out "
    "since when (`last_modified_utc`, CloudTrail UpdateFunctionConfiguration) and treat all that "
    "these functions answered since then as unproven. Preview a replay with `investigate "
    "replay-plan` instead.",
    avoid="Do not use the replay's DRY_RUN as a preview, and do not switch it off on the processor "
    "before you have stopped the mapping and seen what is in the queue.",
)
def dry_run(evidence: Evidence) -> PartialRows:
    """Is a function in DRY_RUN, so that its answers show nothing?"""
    functions = evidence["functions"]
    unknown = functions.filter(functions.dry_run.isnull())
    count = evidence.engine.count(unknown)
    rows = functions.filter(functions.dry_run.fill_null(False))
    rows = rows.select("role", "last_modified_utc", key="name")
    return PartialRows(rows, f"DRY_RUN of {counted(count, 'function')} is unknown" if count else "")


@check(
    "replay/failures",
    Severity.DANGEROUS,
    key="request_id",
    needs=("invocations", "functions"),
    found="{count} replay request{s} did not end well.",
    advice="A replay sends one message per call within 30 s and logs only after the last one, so "
    "a failed one may have sent any part of its window and says nothing of it. Compare the "
    "queue's NumberOfMessagesSent of that minute with the `sent` of the replays that were logged, "
    "and look for duplicate messages (`sqs/duplicate-messages`) before anything else. Then replay "
    "smaller windows.",
    avoid="Do not simply repeat the request, and switch off the client's own retry: each repeat "
    "sends the first part of the window again.",
)
def failures(evidence: Evidence) -> PartialRows:
    """Did a replay fail or run into its time limit?"""
    require_role(evidence, "replay")
    runs = evidence.settled(invocations_of(evidence, "replay"), "ended_utc")
    ended_badly = runs.filter(runs.status != "ok")
    rows = ended_badly.select(
        "function", "status", "started_utc", "duration_ms", "error_type", "error_message",
        key="request_id",
    )  # fmt: skip
    return PartialRows(rows, unended_gap(evidence, "replay"))


def _unlogged(evidence: Evidence) -> str:
    """Why a replay may have run that the logs do not show; empty if none can have."""
    if not evidence.has("log_lines"):
        return "replays that ran: " + evidence.capture_gap("log_lines")
    gaps = [*evidence.gaps(("log_lines",)), logs.info_lines_gap(evidence, "replay")]
    return "; ".join(f"replays that ran: {gap}" for gap in gaps if gap)
