"""The replay queues: how much waits in them, who reads them, and whether that is wholly known."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.errors import NotEvaluable
from investigate.evidence import Evidence


def replay_queues(evidence: Evidence) -> ir.Table:
    """Return the queues of role replay with `waiting`, all messages in whatever state, and `ready`,
    those that nobody holds. Raises `NotEvaluable` if there is none or a count is unknown."""
    queues = evidence["queue_state"]
    queues = queues.filter(queues.role == "replay")
    queues = queues.mutate(
        ready=queues.visible + queues.delayed,
        waiting=queues.visible + queues.delayed + queues.not_visible,
    )
    known = evidence.engine.rows(queues.agg(queues=queues.count(), counted=queues.waiting.count()))
    if not known[0]["queues"]:
        raise NotEvaluable("queue_state: no queue has the role replay")
    if known[0]["counted"] < known[0]["queues"]:
        raise NotEvaluable("queue_state: the number of waiting messages is unknown")
    return queues


def waiting_gap(evidence: Evidence) -> str:
    """Return why a message may be waiting that the case does not hold; empty if all are known:
    the sample is whole, or every replay queue is empty."""
    if evidence.is_whole("messages"):
        return ""
    if evidence.is_listed("queue_state"):
        queues = replay_queues(evidence)
        if not evidence.engine.scalar(queues.waiting.sum()):
            return ""
    return evidence.capture_gap("messages")


def dead_letter_gap(evidence: Evidence) -> str:
    """Return why a dead letter may exist that the case does not hold; empty if all are known:
    they were captured wholly, or there is no dead-letter queue."""
    whole = evidence.is_whole("dead_letters")
    if whole and not (expired := evidence.gaps(("dead_letters",))):
        return ""
    if evidence.is_listed("queue_state"):
        queues = evidence["queue_state"]
        dead = (queues.role == "dead-letter") | queues.dead_letter_arn.notnull()
        if not evidence.engine.count(queues.filter(dead.fill_null(False))):
            return ""
    return expired[0] if whole else evidence.capture_gap("dead_letters")


def named(function: ir.StringValue) -> ir.StringValue:
    """Return the name in a function's ARN, qualified or not, or the text itself if it is a name."""
    name = function.re_extract(":function:([^:]+)", 1)
    return ibis.ifelse(name == "", function, name)


def last_part(arn: ir.StringValue) -> ir.StringValue:
    """Return the name with which the ARN of a queue or a stream ends."""
    return arn.re_extract(r"([^:/]+)\z", 1)


def readers(evidence: Evidence) -> ir.Table:
    """Return the mappings of the replay queues: queue (name), function (name), state,
    reserved_concurrency (null: none, or the function was not captured) and `reads`."""
    queues = replay_queues(evidence).select(queue="name", source_arn="arn")
    mappings = evidence["mappings"].select("source_arn", "function", "state", "last_result")
    joined = queues.inner_join(mappings, "source_arn")
    joined = joined.mutate(function=named(joined.function))
    if evidence.has("functions"):
        functions = evidence["functions"].select("name", "reserved_concurrency")
        joined = joined.left_join(functions, joined.function == functions.name).drop("name")
    else:
        joined = joined.mutate(reserved_concurrency=ibis.null("int64"))
    blocked = (joined.reserved_concurrency == 0).fill_null(False)
    return joined.mutate(reads=(joined.state == "Enabled").fill_null(False) & ~blocked)
