"""The faults of a synthetic case: what each does to one entity's day, and what must be found."""

from __future__ import annotations

from dataclasses import dataclass

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
BEFORE_REPLAY = DAY + 21 * MINUTE  # since the start of the event's day; replays begin at 00:40
AFTER_PROCESSING = DAY + 23 * HOUR


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one entity's day of `size` events; `hits` are the positions it is about.

    `found` has a code and whose keys it finds: see `truth.KEYS`. Times are in milliseconds.
    """

    name: str
    found: tuple[tuple[str, str], ...] = ()
    verdict: str = "complete"  # of the day; empty: the document does not list it
    size: int = 8
    hits: tuple[int, ...] = (3,)
    source: str = ""  # how the name of the day's own source begins
    shape: str = ""  # of the day's event times and ids: edge, silence, twin, keyed
    # What became of the events that are hit.
    stored: str = "kept"  # none, deleted, corrupt, tampered, renamed, moved, rewritten, twice
    row: str = "kept"  # none, no-refs, repeated, accepted-again, conflict, status, index, second
    gate: str = "kept"  # none, again, expired
    asked: str = "ok"  # how the first request to ingest ended; empty: there was none
    lag: int | None = None  # from event to ingest
    arrives: int | None = None  # since the start of the day
    repeats: tuple[int, ...] = ()  # how long the client waits before each further attempt, at most
    least_wait: float = 1.0  # of that time; below 1 the client waits a random part of it
    repeats_at: int | None = None  # since the start of the day: one repeat long after
    pattern: str = ""  # in which the client repeats its attempts
    sent: bool = True  # whether a replay sends the events that are hit
    loaded: bool = True  # whether the processor could load them
    # What became of the day.
    work: str = "batch"  # backfill; none: not replayed; purged, waiting: sent and not received
    replays: int = 1
    runs: int = 1  # how often the day's batches were handed over
    attempts: tuple[str, ...] = ("ok",)  # how the invocations of a batch ended
    version: str = "kept"  # none, lost, forged, last, doubled, cut
    failed_replay: str = ""  # how a replay ended that was asked for before
    messages: int = 0  # that wait of each event sent
    receives: int = 1
    letters: bool = False  # whether the events that are hit ended in the dead-letter queue


def _hit(*codes: str) -> tuple[tuple[str, str], ...]:
    return tuple((code, "hit") for code in codes)


_FAILS = "replay/would-fail"
_SWALLOWED = "processor/swallowed-errors"
_PARTIAL = ("aggregates/partial", "day")
_REQUEST = ("raw/ingest-failures", "request")
_RUNS = ("processor/errors", "failed-run")

_STORES = (
    Fault("raw-deleted-processed", _hit("raw/missing", _FAILS), stored="deleted"),
    Fault(
        "raw-deleted-unprocessed", (*_hit("raw/missing", _FAILS, _SWALLOWED), _PARTIAL), "partial",
        stored="deleted", loaded=False,
    ),
    Fault(
        "raw-corrupt",
        (("raw/corrupt", "key"), *_hit("raw/overwritten", _FAILS, _SWALLOWED), _PARTIAL), "partial",
        stored="corrupt", loaded=False,
    ),
    Fault(
        "raw-tampered", _hit("raw/payload-mismatch", "raw/overwritten"), stored="tampered"
    ),
    Fault("raw-id-tampered", _hit("raw/id-mismatch", "raw/overwritten"), stored="renamed"),
    Fault(
        "raw-misplaced",
        (("raw/misplaced", "moved-key"),
         *_hit("raw/overwritten", "events/dangling-key", _FAILS)),
        stored="moved",
    ),
    Fault("raw-rewritten", _hit("raw/overwritten"), stored="rewritten"),
    Fault(
        "index-key-mismatch", (("events/key-mismatch", "sk"),), row="index"
    ),
    Fault("unknown-status", (("events/unknown-status", "sk"),), row="status"),
    Fault(
        "other-writer", _hit("events/unreplayable"), "", stored="none", row="no-refs", gate="none",
        asked="", sent=False, work="none",
    ),
    Fault("dedupe-row-lost", _hit("dedupe/missing"), gate="none"),
    Fault(
        "reaccepted", _hit("dedupe/reaccepted", "raw/duplicate-objects"), stored="twice",
        row="accepted-again", gate="again", repeats_at=AFTER_PROCESSING,
    ),
    Fault(
        "delimiter", (("dedupe/collision-risk", "event"),), hits=(), source="basket|"
    ),
)  # fmt: skip

_INGEST = (
    Fault(
        "crash-dedupe-lost", (*_hit("dedupe/orphan"), _REQUEST), stored="none", row="none",
        asked="error", sent=False,
    ),
    Fault(
        "crash-dedupe-retried",
        (*_hit("raw/missing", _FAILS, _SWALLOWED), _REQUEST, _PARTIAL), "partial",
        stored="none", row="repeated", asked="error", repeats=(39 * SECOND,), loaded=False,
    ),
    Fault(
        "crash-raw-row-lost", (*_hit("events/missing-row"), _REQUEST, _PARTIAL), "partial",
        row="none", asked="error", sent=False,
    ),
    Fault(
        "crash-raw-row-healed", (*_hit("events/duplicate"), _REQUEST), row="repeated",
        asked="error", repeats=(31 * SECOND,),
    ),
    Fault(
        "timeout-after-row", (*_hit("events/duplicate"), _REQUEST), row="repeated",
        asked="timeout", repeats=(69 * SECOND,),
    ),
    *(
        Fault(
            f"client-retry-{number}", _hit("events/duplicate"), hits=(2, 3, 5), row="repeated",
            repeats=(wait * SECOND,),
        )
        for number, wait in enumerate((2, 5, 31, 140))
    ),
    Fault(
        "duplicate-after-processing", _hit("events/duplicate", "events/dangling-key", _FAILS),
        row="repeated", repeats_at=AFTER_PROCESSING,
    ),
    Fault(
        "duplicate-next-day",
        (*_hit("events/duplicate", "events/dangling-key", _FAILS, _SWALLOWED), _PARTIAL),
        "partial", row="repeated", repeats_at=BEFORE_REPLAY, loaded=False,
    ),
    Fault(
        "key-reused-other-payload", _hit("events/payload-conflict"), shape="keyed", row="conflict",
        repeats=(40 * SECOND,),
    ),
    Fault(
        "key-reused-other-time", _hit("events/reused-id", "events/dangling-key"), shape="keyed",
        row="second", repeats=(2 * HOUR,),
    ),
    Fault(
        "expired-gate",
        _hit("dedupe/expired-block", "events/dangling-key", "events/reused-id", _FAILS), "",
        shape="keyed", row="repeated", gate="expired", asked="", repeats=(0,), sent=False,
        source="billing-", work="none",
    ),
    Fault("double-charge", _hit("events/semantic-duplicate"), shape="twin"),
)  # fmt: skip

_ARRIVAL = (
    Fault("very-late", _hit("raw/late"), hits=(0,), lag=8 * HOUR),
    Fault(
        "late-after-aggregate", (*_hit("raw/late"), ("aggregates/stale", "day")), "stale",
        hits=(5,), arrives=AFTER_PROCESSING, sent=False,
    ),
    Fault("clock-skew", _hit("raw/clock-skew"), lag=-90 * SECOND),
    Fault(
        "window-edge", (*_hit("replay/boundary"), _PARTIAL), "partial", hits=(0,), shape="edge",
        sent=False,
    ),
    Fault(
        "silent-gap", (("raw/gap", "silence"),), size=30, hits=(), source="meter-",
        shape="silence", work="backfill",
    ),
)  # fmt: skip

_STORM = ("retries/storm", "source")
_EVERY = tuple(range(8))


def _retries(pattern: str, waits: tuple[float, ...], least: float = 1.0, *codes: str) -> Fault:
    found = (*_hit("events/duplicate"), _STORM, *((code, "source") for code in codes))
    return Fault(
        f"retries-{pattern}", found, hits=_EVERY, source=f"client-{pattern}-", row="repeated",
        repeats=tuple(round(wait * SECOND) for wait in waits), least_wait=least, pattern=pattern,
    )  # fmt: skip


_RETRIES = (
    _retries("fixed", (4,) * 5, 1.0, "retries/no-backoff"),
    _retries("exponential", tuple(2**n for n in range(6))),
    _retries("truncated-exponential", tuple(min(16, 2**n) for n in range(8))),
    _retries("jittered-exponential", tuple(2**n for n in range(9)), 0.2),
    _retries("randomised", (9,) * 8, 0.11),
)

_AGGREGATES = (
    Fault(
        "batch-split", (("aggregates/split", "day"), ("aggregates/churn", "day")), "split",
        size=25, hits=(),
    ),
    Fault("doubled-batch", (("aggregates/inflated", "day"),), "inflated", size=4, hits=(),
          replays=2, version="doubled"),
    Fault(
        "same-second-overwrite", (("aggregates/overwritten", "day"), _PARTIAL), "overwritten",
        size=15, hits=(), version="last",
    ),
    Fault("aggregate-deleted", (("aggregates/missing", "day"),), "missing", hits=(),
          version="none"),
    Fault("aggregate-rewritten", (("aggregates/unexplained", "day"),), "unexplained", hits=(),
          version="forged"),
    Fault("processed-twice", (("aggregates/churn", "day"),), hits=(), replays=2, runs=2),
    Fault("backfill-cut", (_PARTIAL,), "partial", size=15, hits=(0, 13, 14), work="backfill",
          loaded=False),
    Fault("backfill-doubled", (("aggregates/inflated", "day"),), "inflated", hits=(),
          work="backfill", version="doubled"),
    Fault(
        "backfill-without-missing", (*_hit("raw/missing", _FAILS), _PARTIAL), "partial", size=14,
        hits=(3, 8), stored="deleted", work="backfill", loaded=False,
    ),
)  # fmt: skip

_REPLAYS = (
    Fault("limit-truncation", (("replay/truncated", "entity"), _PARTIAL), "partial",
          hits=(5, 6, 7), sent=False, shape="limit"),
    Fault("replay-empty-window", (("replay/nothing-sent", "entity"),), hits=(), shape="nothing"),
    Fault("replay-error", (("replay/failures", "replay"),), hits=(), failed_replay="error"),
    Fault("replay-timeout", (("replay/failures", "replay"),), hits=(), failed_replay="timeout"),
)  # fmt: skip

_QUEUE = (
    Fault("queue-purged", (("sqs/lost", "event"), ("aggregates/missing", "day")), "missing",
          hits=(), work="purged"),
    Fault("messages-waiting", (), "pending", hits=(), work="waiting", messages=1),
    Fault("doubled-messages-waiting", (("sqs/duplicate-messages", "event"),), "pending", hits=(),
          size=4, work="waiting", replays=2, messages=2),
    Fault("poison", (("sqs/poison", "message"),), "pending", hits=(), size=4, work="waiting",
          messages=1, receives=5),
    Fault("malformed", (("sqs/malformed", "malformed"),), "pending", hits=(), size=4,
          shape="malformed", work="waiting", messages=1),
    Fault("processor-error", (_RUNS,), hits=(), attempts=("error", "ok")),
    Fault("processor-timeout", (("processor/timeouts", "failed-run"),), hits=(),
          attempts=("timeout", "ok")),
    Fault("processor-out-of-memory", (("processor/out-of-memory", "failed-run"),), hits=(),
          attempts=("out-of-memory", "ok")),
    Fault(
        "dead-lettered",
        (_RUNS, ("dead-letters/waiting", "letter"), ("aggregates/missing", "day")), "missing",
        size=4, hits=(0, 1, 2, 3), attempts=("error",) * 5, letters=True,
    ),
)  # fmt: skip

# The first is what happens to all other days: nothing.
USUAL = Fault("", hits=())
FAULTS = (
    USUAL, *_STORES, *_INGEST, *_ARRIVAL, *_RETRIES, *_AGGREGATES, *_REPLAYS, *_QUEUE,
)  # fmt: skip
