"""What a person sees, and which checks answer it: the way in for who does not know the steps.

The headings are those of the troubleshooting guide of the pipeline (source 001), the rows those of
the checklist that says where the guide is right; tests hold both complete. `mind` says what the
guide, or common sense, gets wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symptom:
    """What is seen, in the words of who sees it; the guide's heading; the checks that answer it,
    the most telling first; the tables without which nothing can be said; the roles whose silence in
    the logs is part of the answer; what to mind; and the rows of the checklist."""

    seen: str
    heading: str
    checks: tuple[str, ...]
    tables: tuple[str, ...]
    mind: str
    rows: tuple[int, ...]
    silent: tuple[str, ...] = ()
    words: str = ""  # others for the same


def _rows(first: int, last: int, *others: int) -> tuple[int, ...]:
    return (*range(first, last + 1), *others)


SYMPTOMS: Mapping[str, Symptom] = {
    "ingest-duplicate": Symptom(
        "ingest says DUPLICATE, and nobody sent the event twice",
        "Ingest returns DUPLICATE unexpectedly",
        (
            "dedupe/orphan",
            "raw/missing",
            "events/payload-conflict",
            "events/reused-id",
            "dedupe/collision-risk",
            "dedupe/expired-block",
            "dedupe/reaccepted",
            "events/dangling-key",
            "events/semantic-duplicate",
            "events/duplicate",
        ),
        ("events", "dedupe", "raw"),
        "A DUPLICATE is harmless only if the event it repeats is stored: look at what each repeat "
        "is in 02 · Events table before you call it expected.",
        _rows(19, 27, 33, 34),
        words="twice doubled refused repeated",
    ),
    "accepted-but-gone": Symptom(
        "ingest says ACCEPTED, and nothing arrives downstream",
        "Ingest accepts but no data appears downstream",
        (
            "dedupe/orphan",
            "raw/missing",
            "events/missing-row",
            "events/dangling-key",
            "events/unreplayable",
            "raw/corrupt",
            "raw/ingest-failures",
            "replay/dry-run",
            "sqs/lost",
            "aggregates/missing",
        ),
        ("raw", "events", "dedupe", "functions"),
        "A raw object does not prove that ingest works: the row can still be missing. In DRY_RUN "
        "ingest answers ACCEPTED and writes nothing.",
        _rows(28, 32, 35),
        words="the events are lost missing vanished not stored",
    ),
    "replay-sent-0": Symptom(
        "the replay answers sent = 0",
        "Replay returns sent = 0",
        (
            "replay/dry-run",
            "replay/nothing-sent",
            "replay/boundary",
            "events/unreplayable",
            "events/missing-row",
            "replay/failures",
        ),
        ("log_lines", "events", "functions"),
        "include_duplicates=false alone never makes it 0, and a scan of the whole table is billed "
        "as a whole: `investigate replay-plan` tells what each row would do.",
        _rows(36, 43),
        ("replay",),
    ),
    "replay-scans-sends-nothing": Symptom(
        "the replay scans rows and sends none, or too few",
        "Replay scans items but sends nothing",
        (
            "events/unreplayable",
            "replay/nothing-sent",
            "replay/truncated",
            "replay/boundary",
            "replay/would-fail",
            "sqs/duplicate-messages",
        ),
        ("log_lines", "events"),
        "The status of a row plays no part in a replay. The limit counts rows before they are "
        "filtered, and a client that tries again sends everything twice.",
        _rows(44, 49),
        ("replay",),
    ),
    "processor-idle": Symptom(
        "messages wait, and the processor does nothing",
        "Processor not consuming messages",
        (
            "processor/not-consuming",
            "sqs/backlog",
            "sqs/expiring",
            "processor/throttles",
            "sqs/poison",
        ),
        ("queue_state", "mappings", "functions"),
        "One zero of the queue's numbers proves no emptiness, and a mapping that is there can be "
        "disabled, blocked by concurrency or without permission.",
        _rows(50, 55),
    ),
    "counts-wrong": Symptom(
        "the processor runs, and the counts are wrong",
        "Processor runs but aggregates are wrong",
        (
            "aggregates/partial",
            "aggregates/inflated",
            "aggregates/overwritten",
            "aggregates/unexplained",
            "aggregates/missing",
            "aggregates/split",
            "aggregates/stale",
            "sqs/lost",
            "processor/swallowed-errors",
            "raw/late",
        ),
        ("aggregates", "raw", "events"),
        "Wrong counts are not simply expected: say how many events are missing, doubled or late. "
        "A version counts one batch, not the day.",
        _rows(56, 60),
        words="the dashboard is wrong shows events are numbers totals missing doubled miscounted "
        "late fewer less lower few drop dropped low more higher",
    ),
    "errors-but-queue-drains": Symptom(
        "the processor reports errors, and the queue drains all the same",
        "Processor errors but queue drains",
        (
            "processor/swallowed-errors",
            "sqs/lost",
            "processor/dry-run-loss",
            "raw/missing",
            "replay/would-fail",
            "processor/errors",
        ),
        ("log_lines", "invocations", "events", "queue_state"),
        "If so, events are being lost now: disable the event source mapping; do not deploy with "
        "EnableProcessor=false, which deletes the AggregatesTable as well. Retention runs on.",
        _rows(61, 64),
        ("processor",),
    ),
    "messages-disappear": Symptom(
        "messages disappear from the queue",
        "Messages disappear",
        (
            "sqs/lost",
            "processor/dry-run-loss",
            "processor/swallowed-errors",
            "sqs/expiring",
            "dead-letters/expiring",
            "dead-letters/silent-discard",
            "dead-letters/waiting",
            "sqs/malformed",
            "sqs/poison",
            "configuration/no-dead-letter-queue",
        ),
        ("messages", "queue_state", "mappings", "log_lines"),
        "A visibility timeout that runs out makes them appear again, not disappear, and without a "
        "dead-letter queue they loop until retention ends. Reading a queue changes its receive "
        "counts.",
        _rows(65, 69),
        ("processor",),
    ),
    "queue-stays-empty": Symptom(
        "the queue stays empty after a replay",
        "SQS stays empty after replay",
        (
            "replay/nothing-sent",
            "replay/dry-run",
            "replay/failures",
            "replay/truncated",
            "processor/dry-run-loss",
            "processor/swallowed-errors",
        ),
        ("log_lines", "functions", "queue_state", "metric_points"),
        "A processor that is quick leaves the queue empty too: compare what was sent with what was "
        "deleted in the same minutes. Replay lines of level INFO may never reach CloudWatch.",
        _rows(70, 74),
        ("replay",),
    ),
    "query-finds-nothing": Symptom(
        "a scan finds the rows, and a query does not",
        "Scan works but query doesn’t",
        ("events/key-mismatch", "replay/boundary", "dedupe/collision-risk", "events/unreplayable"),
        ("events",),
        "The sort key is text: a time with a fraction of a second sorts before the whole second, "
        "and lags are not padded with zeros.",
        _rows(75, 79),
    ),
    "aggregates-overwritten": Symptom(
        "an aggregate was overwritten",
        "Unexpected aggregate overwrites",
        ("aggregates/overwritten", "aggregates/unexplained", "aggregates/churn"),
        ("aggregates", "log_lines"),
        "The table is not append-only: two batches of one second share a sort key, and the second "
        "one wins.",
        _rows(80, 83),
        ("processor",),
    ),
    "no-logs": Symptom(
        "there are no logs",
        "No logs in CloudWatch",
        (
            "logs/missing",
            "configuration/log-retention",
            "configuration/log-level",
            "processor/errors",
            "processor/timeouts",
            "raw/ingest-failures",
            "replay/failures",
        ),
        ("log_lines", "invocations", "functions"),
        "Invocations without lines of level INFO are a matter of the log format, not of "
        "permissions. Check group, region and role with `investigate doctor`.",
        _rows(84, 87),
        ("replay", "processor"),
    ),
    "metrics-missing": Symptom(
        "metrics are missing, or do not fit the tables",
        "Metrics missing",
        (
            "metrics/missing",
            "metrics/disagree",
            "processor/errors",
            "processor/timeouts",
            "processor/throttles",
            "processor/swallowed-errors",
            "replay/failures",
        ),
        ("metric_points", "log_lines", "invocations"),
        "Metrics of this pipeline are log lines. An invocation that fails prints none, so its own "
        "error count misses exactly the batches that raised.",
        _rows(88, 93),
        ("replay", "processor"),
    ),
    "works-locally": Symptom(
        "it works locally, and not in AWS",
        "Works locally but not in AWS",
        (
            "access/denied",
            "configuration/change-before-failure",
            "raw/ingest-failures",
            "replay/failures",
            "processor/errors",
            "replay/dry-run",
            "processor/not-consuming",
            "processor/out-of-memory",
            "processor/timeouts",
        ),
        ("invocations", "functions", "mappings"),
        "Read the error texts of the failed invocations first: a denied action or a missing "
        "variable names itself. `investigate doctor` tries the reads; do not invoke a function to "
        "compare, it has effects.",
        _rows(94, 97),
    ),
}


_COMMON = frozenset(
    ("and", "are", "but", "for", "has", "not", "than", "that", "the", "was", "with")
)


def matching(text: str) -> list[str]:
    """Return the names of the symptoms that fit a text best; all of them for an empty text.

    A word fits, singular or plural, in what is seen, in the guide's heading, in the name or among
    the other words of a symptom. Those that hold every word fit; if none does, those that hold the
    most of the words that tell anything, and none if no such word fits.
    """
    asked = [_stem(word) for word in text.casefold().split()]
    known = {name: _all_words(name, symptom) for name, symptom in SYMPTOMS.items()}
    if fitting := [name for name in known if all(word in known[name] for word in asked)]:
        return fitting
    telling = [word for word in asked if len(word) > 2 and word not in _COMMON]
    fits = {name: sum(word in words for word in telling) for name, words in known.items()}
    most = max(fits.values())
    return [name for name in known if most and fits[name] == most]


def _all_words(name: str, symptom: Symptom) -> str:
    return f"{name} {symptom.seen} {symptom.heading} {symptom.words}".casefold()


def _stem(word: str) -> str:
    return word.removesuffix("s") if len(word) > 3 else word
