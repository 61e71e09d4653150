"""Who would have heard of a failure: the places for failed work, and the alarms that are wired."""

from __future__ import annotations

from investigate.analysis.alarms import unwired
from investigate.evidence import Evidence

_INGEST = "ingest: the client is told by the answer, and nobody else"


def channels_of(evidence: Evidence) -> list[str]:
    """Return, for each place where an event can fail, which channel tells somebody: one sentence
    each; where the evidence does not say, why not. "Nobody" is said only of what was listed."""
    return [_INGEST, _queue(evidence), _alarms(evidence)]


def _queue(evidence: Evidence) -> str:
    """What the queue does with a message that keeps failing."""
    unlisted = _unlisted(evidence, "queue_state")
    if not evidence.has("queue_state"):
        return f"queue: not known ({unlisted})"
    queues = evidence["queue_state"]
    rows = queues.filter(queues.role == "replay").select("name", "dead_letter_arn")
    known = evidence.engine.rows(rows)
    if not known:
        return f"queue: not known ({unlisted or 'queue_state: no queue has the role replay'})"
    bare = sorted(row["name"] for row in known if not row["dead_letter_arn"])
    if bare and not unlisted:
        return (
            f"queue: nobody; {', '.join(bare)} has no dead-letter queue, so what keeps failing "
            "comes back until its retention ends"
        )
    if bare:
        return f"queue: no dead-letter queue of {', '.join(bare)} is known ({unlisted})"
    kept = "queue: its dead-letter queue keeps what keeps failing"
    return f"{kept} ({unlisted})" if unlisted else kept


def _alarms(evidence: Evidence) -> str:
    unlisted = _unlisted(evidence, "alarms")
    if not evidence.has("alarms"):
        return f"alarms: not known ({unlisted})"
    names = {row["name"] for row in evidence.engine.rows(evidence["alarms"].select("name"))}
    mute = {row["name"] for row in evidence.engine.rows(unwired(evidence).select("name"))}
    if not names:
        none = f"not known ({unlisted})" if unlisted else "nobody; no alarm watches this pipeline"
        return f"alarms: {none}"
    unwatched = "none known that has an action" if unlisted else "nobody; no alarm has an action"
    silent = f"without an action: {', '.join(sorted(mute))}" if mute else ""
    more = "; ".join(filter(None, [silent, unlisted]))
    told = f"alarms: {', '.join(sorted(names - mute)) or unwatched}"
    return f"{told} ({more})" if more else told


def _unlisted(evidence: Evidence, table: str) -> str:
    """Why there may be more than a table holds; empty if all are listed."""
    return "" if evidence.is_listed(table) else evidence.capture_gap(table)
