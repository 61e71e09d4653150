"""Why retries may be unseen: what recognises them was not captured, or tells too little."""

from __future__ import annotations

import ibis.expr.types as ir

from investigate.analysis import logs, replays
from investigate.analysis.amplification import amplification
from investigate.analysis.managed_retries import RULE, stream_readers
from investigate.analysis.redeliveries import replay_queue
from investigate.analysis.roles import functions_of
from investigate.engine import differ
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import counted

_LOADED, _FAILED = "processor_record_loaded", "processor_record_failed"


def of_queue(evidence: Evidence) -> list[str]:
    """Return why what a queue handed out again may be unseen; nothing without a processor.

    A record that came back is told from one sent anew by the queue's visibility timeout, and by
    what replays sent. Of a record that was returned by a partial answer only a line without its id
    tells, unless it was loaded before it failed.
    """
    if not _processes(evidence):
        return []
    told = [*evidence.gaps(("queue_state",))]
    if evidence.has("queue_state"):
        try:
            replay_queue(evidence)
        except NotEvaluable as unknown:
            told.append(str(unknown))
    return [*told, *filter(None, (_sent_anew(evidence), _returned(evidence)))]


def of_loads(evidence: Evidence) -> list[str]:
    """Return why the records that a processor loaded may be unknown, by which it is told whether
    one came back; nothing without a processor."""
    if not (evidence.has("log_lines") and _processes(evidence)):
        return []
    return list(filter(None, [logs.message_gap(evidence, "processor", _LOADED)]))


def of_streams(evidence: Evidence) -> list[str]:
    """Return why a repeated batch of a stream may be unseen."""
    told = evidence.gaps(("mappings",))
    if not (evidence.has("mappings") and evidence.has("invocations")):
        return told
    readers = stream_readers(evidence)
    open_ = readers.filter(readers.abreast, readers.failed > 0).order_by("function")
    return told + [
        f"{row['function']} handles batches of a stream side by side: which run repeats a failed "
        "one is unknown"
        for row in evidence.engine.rows(open_.select("function"))
    ]


def of_letters(evidence: Evidence) -> list[str]:
    """Return for which groups only dead letters or receives count attempts, so that how far these
    multiply the load is unknown, although there were as many repeats as a storm has."""
    rows = amplification(evidence)
    enough = rows.repeats >= evidence.thresholds.storm_repeats
    rows = rows.filter(rows.amplification.isnull(), rows.channel != RULE, enough)
    return [
        f"{row['group']}: {counted(row['repeats'], 'repeat')} counted by what failed alone, so how "
        "far they multiply the load is unknown"
        for row in evidence.engine.rows(rows.order_by("group"))
    ]


def _processes(evidence: Evidence) -> bool:
    """Whether a processor is known, by its configuration or its lines."""
    if evidence.has("functions") and _any(evidence, functions_of(evidence, "processor")):
        return True
    if not evidence.has("log_lines"):
        return False
    lines = evidence["log_lines"]
    return _any(evidence, lines.filter(lines.message.startswith("processor_")))


def _sent_anew(evidence: Evidence) -> str:
    if evidence.has("events") or not evidence.has("log_lines"):
        return ""
    if not _any(evidence, replays.logged(evidence)):
        return ""
    return f"what replays sent anew is unknown ({evidence.capture_gap('events')})"


def _returned(evidence: Evidence) -> str:
    if not evidence.has("log_lines"):
        return ""
    if evidence.has("mappings"):
        maps = evidence["mappings"]
        maps = maps.filter(maps.source_arn.contains(":sqs:"))
        if not _any(evidence, maps.filter(maps.partial_batch_response.fill_null(True))):
            return ""
    lines = logs.lines(evidence, _FAILED)
    if evidence.has("invocations"):
        calls = evidence["invocations"]
        lines = lines.anti_join(calls.filter(differ(calls.status, "ok")), "request_id")
    failed = evidence.engine.count(lines)
    if not failed:
        return ""
    return (
        f"{counted(failed, 'record')} failed in a run that may have returned it to the queue "
        "(partial batch responses), and the line does not name it"
    )


def _any(evidence: Evidence, rows: ir.Table) -> bool:
    return bool(evidence.engine.count(rows))
