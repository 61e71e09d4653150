from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate.case import Coverage
from investigate.checks.registry import book, offending_rows
from investigate.evidence import Evidence, Scope
from investigate.model import Finding, Outcome, Step, Window
from investigate.settings import Thresholds
from tests.builders import (
    END,
    Event,
    aggregate_row,
    at,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    mapping_row,
    message_row,
    queue_row,
    raw_row,
)
from tests.spark import spark_sql

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3))
FROM, TO = "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"
REPLAYED = log_line(
    "replay_enqueued", at(30), "p1", entity_id="e1", start=FROM, end=TO, scanned=3, sent=3
)
STARTED = log_line("processor_start", at(31), records=3)
FAILED = log_line("processor_record_failed", at(31), err="NoSuchKey")
PARTIAL = {"messages": Coverage("partial", "1 of 9 messages")}
DAY = 86_400


def loaded(event: Event) -> dict[str, Any]:
    return log_line(
        "processor_record_loaded", at(31), event_id=event.id, entity_id=event.entity_id,
        event_time=event.body["event_time"],
    )  # fmt: skip


LOADED = [loaded(event) for event in (A, B, C)]


def a_case(folder: Path, **changes: Any) -> Evidence:
    """Three events, replayed, consumed and aggregated; the queue is empty and is read."""
    tables: dict[str, Any] = {
        "events": [event_row(event) for event in (A, B, C)],
        "raw": [raw_row(event) for event in (A, B, C)],
        "log_lines": [REPLAYED, STARTED, *LOADED],
        "aggregates": [aggregate_row([A, B, C], at(31))],
        "functions": [function_row("replay"), function_row("processor")],
        "invocations": [
            invocation_row("p1", at(30), function="replay"),
            invocation_row("r1", at(31)),
        ],
        "queue_state": [queue_row()],
        "mappings": [mapping_row()],
        "messages": [],
        **changes,
    }
    options = {name: tables.pop(name, None) for name in ("coverage", "thresholds")}
    present = {name: rows for name, rows in tables.items() if rows is not None}
    return evidence_of(folder, **options, **present)


def the(finding: Finding) -> tuple[Outcome, tuple[str, ...]]:
    return finding.outcome, finding.keys


def found(*keys: str) -> tuple[Outcome, tuple[str, ...]]:
    return Outcome.FOUND, tuple(sorted(keys))


def unknown(finding: Finding, reason: str) -> bool:
    return finding.outcome is Outcome.NOT_EVALUATED and reason in str(finding.reason)


PASSED = (Outcome.PASSED, ())
CODES = [check.code for check in book.of(Step.SQS)]
OF_MESSAGES = ["sqs/malformed", "sqs/poison", "sqs/duplicate-messages"]


@pytest.mark.parametrize("code", CODES)
def test_a_drained_queue_passes_every_check(tmp_path: Path, code: str) -> None:
    assert the(finding_of(code, a_case(tmp_path))) == PASSED


@pytest.mark.parametrize("code", CODES)
def test_a_check_without_its_evidence_is_not_evaluated(tmp_path: Path, code: str) -> None:
    assert unknown(finding_of(code, evidence_of(tmp_path)), "not in this test")


@pytest.mark.parametrize("code", CODES)
def test_every_check_is_an_expression_of_spark_too(tmp_path: Path, code: str) -> None:
    case = a_case(tmp_path, log_lines=[REPLAYED, STARTED, FAILED], messages=[message_row(A)])
    assert "SELECT" in spark_sql(offending_rows(book[code], case).rows.select("key"))


@pytest.mark.parametrize("code", OF_MESSAGES)
def test_a_sample_of_sound_messages_is_no_pass(tmp_path: Path, code: str) -> None:
    case = a_case(tmp_path, messages=[message_row(A)], coverage=PARTIAL)
    assert unknown(finding_of(code, case), "1 of 9 messages")


def test_a_message_that_cannot_be_parsed_is_malformed(tmp_path: Path) -> None:
    broken = {"message_id": "m2", "body": "{", "well_formed": False, "receive_count": 1}
    case = a_case(tmp_path, messages=[message_row(A), broken], coverage=PARTIAL)
    assert the(finding_of("sqs/malformed", case)) == found("m2")


def test_a_message_is_poison_from_the_threshold_on(tmp_path: Path) -> None:
    messages = [message_row(A, "m4", receive_count=4), message_row(B, "m5", receive_count=5)]
    assert the(finding_of("sqs/poison", a_case(tmp_path, messages=messages))) == found("m5")


def test_an_event_in_two_messages_is_a_duplicate(tmp_path: Path) -> None:
    messages = [message_row(A, "m1"), message_row(A, "m2"), message_row(B, "m3")]
    case = a_case(tmp_path, messages=messages)
    assert the(finding_of("sqs/duplicate-messages", case)) == found(A.id)


def test_a_malformed_message_duplicates_nothing(tmp_path: Path) -> None:
    messages = [message_row(A, "m1"), message_row(A, "m2", well_formed=False)]
    case = a_case(tmp_path, messages=messages)
    assert the(finding_of("sqs/duplicate-messages", case)) == PASSED


def test_messages_that_name_no_event_duplicate_nothing(tmp_path: Path) -> None:
    nameless = [message_row(A, name, event_id=None) for name in ("m1", "m2")]
    case = a_case(tmp_path, messages=nameless)
    assert the(finding_of("sqs/duplicate-messages", case)) == PASSED


UNREAD: dict[str, dict[str, Any]] = {
    "no mapping": {"mappings": []},
    "a mapping from another queue": {"mappings": [mapping_row(source_arn="arn:other")]},
    "a disabled mapping": {"mappings": [mapping_row(state="Disabled")]},
    "a mapping that is being created": {"mappings": [mapping_row(state="Creating")]},
    "a blocked function": {"functions": [function_row("processor", reserved_concurrency=0)]},
}


@pytest.mark.parametrize("changes", UNREAD.values(), ids=UNREAD)
@pytest.mark.parametrize("counts", [{"visible": 4}, {"delayed": 4}])
def test_messages_that_nothing_reads_are_a_backlog(
    tmp_path: Path, changes: dict[str, Any], counts: dict[str, int]
) -> None:
    case = a_case(tmp_path, queue_state=[queue_row(**counts)], **changes)
    assert the(finding_of("sqs/backlog", case)) == found("replay-queue")


@pytest.mark.parametrize(
    "name", ["processor", "arn:aws:lambda:eu-west-1:123456789012:function:processor:live"]
)
def test_messages_that_a_mapping_reads_are_no_backlog(tmp_path: Path, name: str) -> None:
    mappings = [mapping_row(function=name)]
    case = a_case(tmp_path, queue_state=[queue_row(visible=4)], mappings=mappings)
    assert the(finding_of("sqs/backlog", case)) == PASSED


def test_messages_that_somebody_holds_are_no_backlog(tmp_path: Path) -> None:
    case = a_case(tmp_path, queue_state=[queue_row(not_visible=4)], mappings=[])
    assert the(finding_of("sqs/backlog", case)) == PASSED


def test_a_reader_that_may_be_blocked_is_no_pass(tmp_path: Path) -> None:
    case = a_case(tmp_path, queue_state=[queue_row(visible=4)], functions=None)
    assert unknown(finding_of("sqs/backlog", case), "whether a reader is blocked")


def test_without_all_mappings_nobody_knows_who_reads(tmp_path: Path) -> None:
    partial = {"mappings": Coverage("partial", "one page")}
    case = a_case(tmp_path, queue_state=[queue_row(visible=4)], mappings=[], coverage=partial)
    assert unknown(finding_of("sqs/backlog", case), "one page")


def test_a_dead_letter_queue_is_no_replay_queue(tmp_path: Path) -> None:
    case = a_case(tmp_path, queue_state=[queue_row(visible=4, role="dead-letter")])
    assert unknown(finding_of("sqs/backlog", case), "no queue has the role replay")


@pytest.mark.parametrize(
    ("age", "outcome"), [(3 * DAY + 1, Outcome.FOUND), (3 * DAY, Outcome.PASSED)]
)
def test_messages_with_less_than_a_day_to_live_are_expiring(
    tmp_path: Path, age: int, outcome: Outcome
) -> None:
    case = a_case(tmp_path, queue_state=[queue_row(visible=1, oldest_age_s=age)])
    assert finding_of("sqs/expiring", case).outcome is outcome


@pytest.mark.parametrize(("age", "outcome"), [(31, Outcome.FOUND), (30, Outcome.PASSED)])
def test_a_queue_that_keeps_messages_briefly_expires_them_from_half_of_that_on(
    tmp_path: Path, age: int, outcome: Outcome
) -> None:
    queue = queue_row(visible=1, oldest_age_s=age, retention_s=60)
    assert finding_of("sqs/expiring", a_case(tmp_path, queue_state=[queue])).outcome is outcome


def test_waiting_messages_in_a_queue_of_unknown_retention_are_not_evaluated(
    tmp_path: Path,
) -> None:
    queue = queue_row(visible=1, oldest_age_s=5, retention_s=None)
    case = a_case(tmp_path, queue_state=[queue])
    assert unknown(finding_of("sqs/expiring", case), "the retention of 1 waiting queue")


def test_the_oldest_sampled_message_tells_the_age_where_the_queue_does_not(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, queue_state=[queue_row(visible=2, retention_s=DAY)],
        messages=[message_row(A, sent_utc=at(47)), message_row(B, "m2", sent_utc=at(23))],
        thresholds=Thresholds(expiring_seconds=10),
    )  # fmt: skip
    assert the(finding_of("sqs/expiring", case)) == found("replay-queue")


def test_a_sampled_message_older_than_the_queue_says_counts(tmp_path: Path) -> None:
    """The queue leaves messages that were received three times out of its figure."""
    case = a_case(
        tmp_path, queue_state=[queue_row(visible=2, retention_s=DAY, oldest_age_s=5)],
        messages=[message_row(A, sent_utc=at(23))], thresholds=Thresholds(expiring_seconds=10),
    )  # fmt: skip
    assert the(finding_of("sqs/expiring", case)) == found("replay-queue")


def test_a_young_message_of_a_sample_does_not_prove_that_all_are_young(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, queue_state=[queue_row(visible=9)], messages=[message_row(A)], coverage=PARTIAL
    )
    assert unknown(
        finding_of("sqs/expiring", case), "the oldest message may be one that nobody saw"
    )


def test_a_queue_leaves_messages_received_three_times_out_of_its_age(tmp_path: Path) -> None:
    young = {"queue_state": [queue_row(visible=1, oldest_age_s=5)]}
    part = a_case(tmp_path, **young, messages=[message_row(A)], coverage=PARTIAL)
    assert unknown(
        finding_of("sqs/expiring", part), "the oldest message may be one that nobody saw"
    )
    none = a_case(tmp_path, **young, messages=None)
    assert unknown(finding_of("sqs/expiring", none), "messages: skipped")
    assert the(
        finding_of("sqs/expiring", a_case(tmp_path, **young, messages=[message_row(A)]))
    ) == (PASSED)


@pytest.mark.parametrize("messages", [None, []])
def test_waiting_messages_of_unknown_age_are_not_evaluated(
    tmp_path: Path, messages: list[Any] | None
) -> None:
    case = a_case(tmp_path, queue_state=[queue_row(visible=9)], messages=messages)
    assert unknown(finding_of("sqs/expiring", case), "age of the oldest message")


def test_an_event_that_was_sent_and_is_nowhere_is_lost(tmp_path: Path) -> None:
    case = a_case(tmp_path, log_lines=[REPLAYED, STARTED, loaded(A)], aggregates=[],
                  messages=[message_row(B)])  # fmt: skip
    assert the(finding_of("sqs/lost", case)) == found(C.id)


def test_an_event_outside_the_scope_that_may_wait_unseen_is_no_gap(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, **GONE, queue_state=[queue_row(visible=9)], messages=[], coverage=PARTIAL
    )
    assert unknown(finding_of("sqs/lost", case), "2 sent events are not accounted for")
    later = Scope(Window(END, END + timedelta(days=1)))
    case.scope = later
    assert the(finding_of("sqs/lost", case)) == PASSED


def test_an_event_in_an_aggregate_is_not_lost(tmp_path: Path) -> None:
    case = a_case(tmp_path, log_lines=[REPLAYED, STARTED])
    assert the(finding_of("sqs/lost", case)) == PASSED


def test_an_event_known_as_failed_is_not_lost(tmp_path: Path) -> None:
    lines = [REPLAYED, STARTED, loaded(A), loaded(B), FAILED]
    case = a_case(tmp_path, log_lines=lines, aggregates=[])
    assert the(finding_of("sqs/lost", case)) == PASSED


def test_a_failure_made_good_by_a_later_replay_does_not_explain_another_event(
    tmp_path: Path,
) -> None:
    """C failed, was sent again and counted; then B's message vanished: the failure is not B's."""
    lines = [REPLAYED, STARTED, FAILED, loaded(A), loaded(C)]
    again = {**REPLAYED, "request_id": "p2", "logged_utc": at(32)}
    runs = [
        *(invocation_row(name, at(30), function="replay") for name in ("p1", "p2")),
        invocation_row("r1", at(31)),
    ]
    case = a_case(tmp_path, log_lines=[*lines, again, loaded(A)], aggregates=[], invocations=runs)
    assert unknown(finding_of("sqs/lost", case), "sent again and processed")
    swallowed = finding_of("processor/swallowed-errors", case)
    assert unknown(swallowed, "sent again and processed")


def test_an_event_in_a_dead_letter_is_not_lost(tmp_path: Path) -> None:
    letter = {"channel": "sqs-redrive", "message_id": "m1", "event_id": C.id}
    case = a_case(
        tmp_path, log_lines=[REPLAYED, STARTED, loaded(A), loaded(B)], aggregates=[],
        dead_letters=[letter],
    )  # fmt: skip
    assert the(finding_of("sqs/lost", case)) == PASSED


GONE = {"log_lines": [REPLAYED, STARTED, loaded(A)], "aggregates": []}


def test_what_the_logs_cannot_tell_of_yet_is_not_lost(tmp_path: Path) -> None:
    told = {"log_lines": Coverage("captured", None, "../2026-03-11T06:01:00Z")}
    just_sent = a_case(tmp_path, **GONE, coverage=told)
    assert the(finding_of("sqs/lost", just_sent)) == PASSED
    later = {"log_lines": Coverage("captured", None, "../2026-03-11T06:05:00Z")}
    assert the(finding_of("sqs/lost", a_case(tmp_path, **GONE, coverage=later))) == found(
        B.id, C.id
    )


def test_lines_that_have_expired_may_have_told_of_a_replay(tmp_path: Path) -> None:
    told = {"log_lines": Coverage("captured", None, "2026-03-10T12:00:00Z/..")}
    assert unknown(
        finding_of("sqs/lost", a_case(tmp_path, coverage=told)),
        "log_lines: tells nothing before 2026-03-10T12:00:00Z",
    )


def test_dead_letters_that_have_expired_may_have_held_the_event(tmp_path: Path) -> None:
    told = {"dead_letters": Coverage("captured", None, "2026-03-10T12:00:00Z/..")}
    queue = queue_row(dead_letter_arn="arn:aws:sqs:eu-west-1:123456789012:dlq")
    case = a_case(tmp_path, **GONE, queue_state=[queue], dead_letters=[], coverage=told)
    assert unknown(finding_of("sqs/lost", case), "dead_letters: tells nothing before")


def test_with_an_empty_queue_no_message_need_be_sampled(tmp_path: Path) -> None:
    case = a_case(tmp_path, **GONE, messages=None)
    assert the(finding_of("sqs/lost", case)) == found(B.id, C.id)


@pytest.mark.parametrize("counts", [{"visible": 9}, {"not_visible": 9}, {"delayed": 9}])
def test_nothing_is_called_lost_while_it_may_be_waiting(
    tmp_path: Path, counts: dict[str, int]
) -> None:
    case = a_case(
        tmp_path, **GONE, queue_state=[queue_row(**counts)], messages=[message_row(B)],
        coverage=PARTIAL,
    )  # fmt: skip
    assert unknown(finding_of("sqs/lost", case), "1 sent events are not accounted for")


def test_a_dead_letter_queue_that_was_not_captured_may_hold_the_event(tmp_path: Path) -> None:
    queue = queue_row(dead_letter_arn="arn:aws:sqs:eu-west-1:123456789012:dlq")
    case = a_case(tmp_path, **GONE, queue_state=[queue])
    assert unknown(finding_of("sqs/lost", case), "dead_letters")


def test_an_unexplained_version_may_hold_the_event_where_the_processor_is_silent(
    tmp_path: Path,
) -> None:
    strange = aggregate_row([B, C], inputs_hash="0" * 64)
    case = a_case(tmp_path, log_lines=[REPLAYED], aggregates=[strange])
    assert unknown(finding_of("sqs/lost", case), "unexplained")


def test_a_replay_that_cannot_be_reconstructed_is_no_pass(tmp_path: Path) -> None:
    strange = log_line(
        "replay_enqueued", at(30), "p1", entity_id="e1", start=FROM, end=TO, scanned=9, sent=8
    )
    case = a_case(tmp_path, log_lines=[strange, STARTED, *LOADED])
    assert unknown(finding_of("sqs/lost", case), "1 logged replay sent cannot be reconstructed")


def test_thin_logs_never_pass(tmp_path: Path) -> None:
    functions = [function_row(role, log_format="Text") for role in ("replay", "processor")]
    case = a_case(tmp_path, log_lines=[], functions=functions)
    assert unknown(finding_of("sqs/lost", case), "D20")


def test_where_no_replay_ran_nothing_is_lost(tmp_path: Path) -> None:
    case = a_case(tmp_path, log_lines=[], invocations=[], aggregates=[])
    assert the(finding_of("sqs/lost", case)) == PASSED
