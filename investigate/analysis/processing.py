"""Where the events that were sent for processing are now: processed, waiting, dead or failed."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, replays
from investigate.analysis.capture_scope import of_entities
from investigate.analysis.explanation import is_explainable, version_inputs
from investigate.analysis.loading import NOT_THEN, count_unverifiable, unloadable
from investigate.analysis.queues import dead_letter_gap, waiting_gap
from investigate.engine import literal_rows
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import counted

_SENT = ("event_id", "entity_id", "event_time_utc", "s3_key", "sent_utc")


def sent(evidence: Evidence) -> ir.Table:
    """Return one row per event known to have been sent for processing: event_id, entity_id,
    event_time_utc, day, s3_key (the key its message named, if a row tells), sent_utc (earliest)
    and last_sent_utc.

    From reconstructed logged replays and from `processor_record_loaded` lines. `sent_gaps` says
    which sent events it may lack. Raises `NotEvaluable` if log lines were not captured.
    """
    return evidence.derived("sent", _build_sent)


def _build_sent(evidence: Evidence) -> ir.Table:
    loaded = logs.lines(evidence, "processor_record_loaded")
    seen = loaded.select(
        "event_id",
        "entity_id",
        event_time_utc=logs.moment_of(logs.text_in(loaded.fields, "event_time")),
        s3_key=ibis.null("string"),
        sent_utc=loaded.logged_utc,
    )
    if evidence.has("events"):
        rows = replays.reconstructed(evidence)
        seen = seen.union(rows.select(*_SENT[:-1], sent_utc=rows.logged_utc).cast(seen.schema()))
    seen = seen.filter(seen.event_id.notnull() & of_entities(evidence, seen.entity_id))
    events = seen.group_by("event_id").agg(
        **{name: seen[name].min() for name in _SENT[1:]}, last_sent_utc=seen.sent_utc.max()
    )
    return events.mutate(day=evidence.period_of(events.event_time_utc))


def unreconstructed(evidence: Evidence) -> int:
    """Return how many logged replays sent events that recomputation cannot name."""
    if not evidence.has("events"):
        replayed = replays.logged(evidence)
        return evidence.engine.count(replayed.filter((replayed.sent > 0).fill_null(True)))
    done = replays.outcomes(evidence)
    return evidence.engine.count(done.filter(done.mode.isnull() & (done.sent > 0).fill_null(True)))


def sent_gaps(evidence: Evidence) -> list[str]:
    """Return in words why `sent` may lack events; empty if it has all that replays sent."""
    return list(evidence.fact("sent_gaps", _find_sent_gaps))


def _find_sent_gaps(evidence: Evidence) -> list[str]:
    gaps = [logs.info_lines_gap(evidence, "replay")]
    unknown = unreconstructed(evidence)
    if unknown:
        gaps.append(f"what {counted(unknown, 'logged replay')} sent cannot be reconstructed")
    return [gap for gap in gaps if gap]


def processed(evidence: Evidence) -> ir.Table:
    """Return (event_id) of the events that were loaded by a processor, by its log, or are an input
    of an explained aggregate version."""
    return evidence.derived("processed", _build_processed)


def _build_processed(evidence: Evidence) -> ir.Table:
    known = []
    if evidence.has("log_lines"):
        known.append(logs.lines(evidence, "processor_record_loaded").select("event_id"))
    if is_explainable(evidence):
        known.append(version_inputs(evidence).select("event_id"))
    if not known:
        raise NotEvaluable("what was processed is told by log_lines or aggregates; neither is here")
    ids = ibis.union(*known)
    return ids.filter(ids.event_id.notnull()).distinct()


def processed_gap(evidence: Evidence) -> str:
    """Return why an event may have been processed without being in `processed`; empty if not."""
    lacking = evidence.gaps(("log_lines",))
    silence = lacking[0] if lacking else logs.info_lines_gap(evidence, "processor")
    if not silence:
        return ""
    if gap := evidence.absence_gaps(("aggregates",)):
        return f"{silence}; {gap[0]}"
    if not is_explainable(evidence):
        return f"{silence}; aggregates cannot be explained without raw or events"
    known = evidence["aggregates"].select("pk", "sk", "entity_id", "day").distinct()
    versions = evidence.in_scope(known)
    explained = version_inputs(evidence).select("pk", "sk").distinct()
    unknown = evidence.engine.count(versions.anti_join(explained, ["pk", "sk"]))
    return f"{silence}; {counted(unknown, 'unexplained aggregate version')}" if unknown else ""


def waiting(evidence: Evidence) -> ir.Table:
    """Return (event_id) of the events that stand in a well-formed message; `waiting_gap` of
    `investigate.analysis.queues` says whether they are all."""
    if not evidence.has("messages"):
        return _no_ids()
    messages = evidence["messages"]
    formed = messages.filter(messages.well_formed.fill_null(False), messages.event_id.notnull())
    return formed.select("event_id").distinct()


def dead_lettered(evidence: Evidence) -> ir.Table:
    """Return (event_id) of the events that stand in a captured dead letter."""
    if not evidence.has("dead_letters"):
        return _no_ids()
    letters = evidence["dead_letters"]
    return letters.filter(letters.event_id.notnull()).select("event_id").distinct()


def unaccounted(evidence: Evidence) -> ir.Table:
    """Return the sent and settled events that are not known as processed, waiting or dead; where
    `accounting_gaps` is not empty, some of them may be."""
    return evidence.derived("unaccounted", _build_unaccounted)


def _build_unaccounted(evidence: Evidence) -> ir.Table:
    rows = evidence.settled(sent(evidence), "last_sent_utc", "log_lines")
    for known in (processed(evidence), waiting(evidence), dead_lettered(evidence)):
        rows = rows.anti_join(known, "event_id")
    return rows


def accounting_gaps(evidence: Evidence) -> list[str]:
    """Return in words where an unaccounted event may be without our seeing it."""
    return list(evidence.fact("accounting_gaps", _find_accounting_gaps))


def _find_accounting_gaps(evidence: Evidence) -> list[str]:
    gaps = [processed_gap(evidence), waiting_gap(evidence), dead_letter_gap(evidence)]
    return [gap for gap in gaps if gap]


def failed_records(evidence: Evidence) -> int:
    """Return how many records failed in invocations that ended ok, so that their messages were
    deleted (D11)."""
    if evidence.whole:  # a failure's line does not say whose record it was
        return failed_records(evidence.whole)
    failures, runs = logs.lines(evidence, "processor_record_failed"), evidence["invocations"]
    return evidence.engine.count(failures.semi_join(runs.filter(runs.status == "ok"), "request_id"))


def failed(evidence: Evidence) -> ir.Table:
    """Return the events whose failure the processor swallowed, as rows of `unaccounted`.

    All of the unaccounted if every sent event is known and at least as many records failed as they
    had messages, without those that a later message may have made good; else those whose message
    named a key that holds no readable object. Raises `NotEvaluable` if records failed and it
    cannot be told which events they were.
    """
    rows: ir.Table = evidence.fact("failed_events", _build_failed)
    return rows


def _build_failed(evidence: Evidence) -> ir.Table:
    records, missing = failed_records(evidence), unaccounted(evidence)
    if evidence.whole and records and evidence.engine.count(missing):
        return failed(evidence.whole).semi_join(missing, "event_id")
    unjudged = _unjudged_failures(evidence)
    if not records and not unjudged:
        return missing.filter(ibis.literal(False))
    size = evidence.engine.count(missing)
    gaps = [*accounting_gaps(evidence), *unjudged]
    if size and gaps:
        raise NotEvaluable(
            f"{swallowed(records)}, but which events they were is unknown: {gaps[0]}"
        )
    if not size:
        return missing
    if _knows_all_failures(evidence) and records - _made_good(evidence) >= _messages(
        evidence, missing
    ):
        return missing
    return _failed_by_their_objects(evidence, missing, records)


def _knows_all_failures(evidence: Evidence) -> bool:
    """Whether no record can have failed whose event is not among those that are known as sent."""
    entities = evidence.case.scope_entities  # a failure's line does not say whose record it was
    return not (entities or sent_gaps(evidence) or evidence.gaps(("log_lines",)))


def _failed_by_their_objects(evidence: Evidence, missing: ir.Table, records: int) -> ir.Table:
    size = evidence.engine.count(missing)
    unknown = f"{swallowed(records)}, but which of {size:,} events they were is unknown: "
    if lacking := evidence.gaps(("raw",)):
        raise NotEvaluable(unknown + lacking[0])
    broken = evidence.engine.materialise(unloadable(evidence, missing, hidden=NOT_THEN))
    whole = evidence.in_scope(missing.anti_join(broken, "event_id"))
    hidden = count_unverifiable(evidence, whole, hidden=NOT_THEN)
    if hidden:
        raise NotEvaluable(f"{unknown}{counted(hidden, 'object')} could not be looked at")
    told = evidence.has("events") and records <= _messages(evidence, broken)
    if evidence.engine.count(whole) and (
        (records >= size and not told) or evidence.case.scope_entities
    ):
        # The failures may be those of sent events that nobody knows of, or that were sent again.
        gaps = [*sent_gaps(evidence), "some may be of events that were sent again and processed"]
        raise NotEvaluable(unknown + gaps[0])
    return broken


def _made_good(evidence: Evidence) -> int:
    """Return how many messages of processed events did not get them processed, as far as logged
    replays tell: their records may have failed."""
    if not evidence.has("events"):
        return 0
    rows = replays.reconstructed(evidence).semi_join(processed(evidence), "event_id")
    sent_times = rows.group_by("event_id").agg(messages=rows.count())
    loaded = logs.lines(evidence, "processor_record_loaded")
    times = loaded.group_by("event_id").agg(loads=loaded.count())
    counts = sent_times.left_join(times, "event_id")
    spare = ibis.greatest(counts.messages - counts.loads.fill_null(1), 0)
    return int(evidence.engine.scalar(spare.sum()) or 0)


def _messages(evidence: Evidence, missing: ir.Table) -> int:
    """Return how many messages the logged replays sent of these events; each can have failed once
    in an invocation that ended ok, which deletes it. What was sent twice and failed twice leaves
    room for no other failure."""
    return evidence.engine.count(replays.reconstructed(evidence).semi_join(missing, "event_id"))


def _unjudged_failures(evidence: Evidence) -> list[str]:
    """Say in words that records failed in invocations whose end was not captured."""
    failures, calls = logs.lines(evidence, "processor_record_failed"), evidence["invocations"]
    said = []
    if not evidence.is_whole("invocations"):
        unknown = evidence.engine.count(failures.anti_join(calls, "request_id"))
        reason = evidence.capture_gap("invocations")
        said.append((unknown, f"failed in invocations unknown: {reason}"))
    open_ended = failures.semi_join(calls.filter(calls.status.isnull()), "request_id")
    said.append(
        (evidence.engine.count(open_ended), "failed in invocations whose end is not in the log")
    )
    return [f"{counted(many, 'record')} {what}" for many, what in said if many]


def swallowed(records: int) -> str:
    """Say how many records failed without anybody being told."""
    return f"{counted(records, 'record')} failed in invocations that reported success"


def _no_ids() -> ir.Table:
    return literal_rows([], {"event_id": "string"})
