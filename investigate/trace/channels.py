"""Who would have heard of a failure: the places for failed work, and the alarms that are wired."""

from __future__ import annotations

from investigate.analysis.queues import replay_queues
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence


def channels_of(evidence: Evidence) -> list[str]:
    """Return, for each place where an event can fail, which channel tells somebody: one sentence
    each; where the evidence does not say, why not."""
    return [_ingest(evidence), _queue(evidence), _alarms(evidence)]


def _ingest(evidence: Evidence) -> str:
    return "ingest: the client is told by the answer, and nobody else"


def _queue(evidence: Evidence) -> str:
    """What the queue does with a message that keeps failing."""
    if not evidence.has("queue_state"):
        return f"queue: not known ({evidence.absence('queue_state')})"
    try:
        rows = evidence.engine.rows(replay_queues(evidence).select("name", "dead_letter_arn"))
    except NotEvaluable as unknown:
        return f"queue: not known ({unknown.message})"
    bare = sorted(row["name"] for row in rows if not row["dead_letter_arn"])
    if bare:
        return (
            f"queue: nobody; {', '.join(bare)} has no dead-letter queue, so what keeps failing "
            "comes back until its retention ends"
        )
    return "queue: its dead-letter queue keeps what keeps failing"


def _alarms(evidence: Evidence) -> str:
    if not evidence.has("alarms"):
        return f"alarms: not known ({evidence.absence('alarms')})"
    alarms = evidence["alarms"]
    listed = evidence.engine.rows(alarms.select("name", "actions", "actions_enabled"))
    wired = sorted(row["name"] for row in listed if row["actions"] and row["actions_enabled"])
    mute = sorted(row["name"] for row in listed if row["name"] not in wired)
    if not listed:
        return "alarms: nobody; no alarm watches this pipeline"
    told = f"alarms: {', '.join(wired)}" if wired else "alarms: nobody; no alarm has an action"
    return f"{told} (without an action: {', '.join(mute)})" if mute else told
