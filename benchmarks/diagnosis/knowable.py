"""Which evidence suffices to know of a finding: from the pipeline's facts, not from the checks.

Every code has one set of kinds of evidence or several; one whole set is enough. Some need more than
is strictly necessary: then a finding on less is welcome, but not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

_RAW = ("raw_list", "raw_bodies")
_STORES = ("raw_list", "raw_bodies", "events")
_QUEUE = ("queues", "messages")
_SENT = ("lines", "calls", "functions", *_STORES, "aggregates", *_QUEUE)

SUFFICES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    # What lies in the bucket, and what the index says must lie there.
    "raw/missing": (("raw_list", "events"),),
    "raw/expired": (("raw_list", "events"),),
    "raw/corrupt": (_RAW,),
    "raw/payload-mismatch": (_RAW,),
    "raw/id-mismatch": (_RAW,),
    # When a body was first written that is no body any more, only gate and row still know.
    "raw/overwritten": ((*_RAW, "dedupe"), (*_RAW, "events")),
    "raw/duplicate-objects": (("raw_list",),),
    "raw/misplaced": (_RAW,),
    "raw/gap": (_RAW,),
    "raw/late": (_RAW,),
    "raw/clock-skew": (_RAW,),
    "raw/ingest-failures": (("calls", "functions"),),
    # Rows against objects.
    "events/missing-row": (_STORES,),
    "events/dangling-key": (_STORES,),  # a key of another layout leaves the id to the body
    "events/payload-conflict": (_STORES,),
    "events/reused-id": (("events",),),
    "events/unreplayable": (("events",),),
    "events/key-mismatch": (("events",),),
    "events/unknown-status": (("events",),),
    "events/duplicate": (_STORES,),
    "events/semantic-duplicate": (("events",),),
    "dedupe/orphan": (("dedupe", "raw_list", "events"),),
    "dedupe/missing": (("dedupe", *_STORES),),
    "dedupe/reaccepted": (_RAW,),
    "dedupe/collision-risk": (("events",),),
    "dedupe/expired-block": (("events", "dedupe"),),
    # What replays did stands only in their lines, and their windows in the index.
    "replay/truncated": (("lines", "events"),),
    "replay/boundary": (("lines", "events"),),
    "replay/would-fail": (_STORES,),
    "replay/nothing-sent": (("lines", "events"),),
    "replay/dry-run": (("functions",),),
    "replay/failures": (("calls", "functions"),),
    "sqs/malformed": (("messages",),),
    "sqs/poison": (("messages",),),
    "sqs/duplicate-messages": (("messages",),),
    "sqs/backlog": (("queues", "mappings", "functions"),),
    "sqs/expiring": (("queues", "messages"),),
    # An event is lost only if it was sent, and is in no other place where it could be.
    "sqs/lost": (_SENT,),
    # No line says which record failed: its event is what was sent and did not arrive.
    "processor/swallowed-errors": (_SENT,),
    "processor/not-consuming": (("queues", "mappings", "functions"),),
    "processor/errors": (("calls", "functions"),),
    "processor/timeouts": (("calls", "functions"),),
    "processor/out-of-memory": (("calls", "functions"),),
    "processor/throttles": (("metrics", "functions"),),
    # The period of a metric may begin before the switch, and then tells nothing.
    "processor/dry-run-loss": (("functions", "calls", "lines"),),
    "aggregates/missing": (_SENT,),
    "aggregates/partial": ((*_STORES, "aggregates", *_QUEUE),),
    "aggregates/split": ((*_STORES, "aggregates"),),
    "aggregates/inflated": ((*_STORES, "aggregates"),),
    "aggregates/stale": ((*_STORES, "aggregates"),),
    "aggregates/overwritten": (("lines",),),
    "aggregates/unexplained": ((*_STORES, "aggregates"),),
    "aggregates/churn": (("aggregates",),),
    # Attempts stand in the lines of clients, and in the calls that AWS repeats.
    "retries/storm": (("lines", "calls", *_QUEUE, "mappings"),),
    "retries/no-backoff": (("lines", "calls"),),
    "retries/side-effects": (("lines", "calls", "queues", "events"),),
    # Without a place for failures there are no dead letters, which the settings say.
    "dead-letters/waiting": (("queues", "functions", "mappings"),),
    "dead-letters/expiring": (("queues", "functions", "mappings"),),
    "dead-letters/looping": (("queues", "functions", "mappings"),),
    "dead-letters/silent-discard": (("calls", "functions", "metrics"),),
    # Settings say of themselves what they are.
    **{
        f"configuration/{name}": (("queues",),)
        for name in ("no-dead-letter-queue", "dead-letter-retention", "max-receive-count")
    },
    **{
        f"configuration/{name}": (("mappings",),)
        for name in (
            "partial-batch-response",
            "endless-retries",
            "no-bisect",
            "no-stream-destination",
        )
    },
    **{
        f"configuration/{name}": (("functions",),)
        for name in (
            "no-async-destination",
            "useless-dead-letters",
            "unqualified-invoke-settings",
            "api-timeout",
            "tracing",
            "log-level",
            "log-retention",
            "delivery-dead-letters",
            "delivery-retries",
        )
    },
    "configuration/visibility-timeout": (("queues", "mappings", "functions"),),
    "configuration/mapping-disabled": (("mappings", "functions"),),
    "configuration/concurrency": (("mappings", "functions"),),
    "configuration/response-ignored": (("mappings", "lines", "metrics"),),
    "configuration/timeout-headroom": (("functions", "calls"),),
    "configuration/memory-headroom": (("functions", "calls"),),
    "configuration/no-alarm": (("queues", "functions"),),
    "configuration/alarm-unwired": ((),),
    "configuration/alarm-misses-first": (("queues",),),
    "configuration/alarm-silent": (("metrics",),),
    "configuration/change-before-failure": (("functions", "calls", "lines"),),
    "logs/missing": (("functions", "metrics", "calls", "lines"),),
    "metrics/missing": (("functions", "metrics", "calls"),),
    "metrics/disagree": (("functions", "metrics", "calls", "lines"),),
    "access/denied": ((),),
}


def is_knowable(code: str, lacks: frozenset[str]) -> bool:
    """Return whether evidence without these kinds suffices to know a finding of this code."""
    return any(not lacks & set(kinds) for kinds in SUFFICES[code])
