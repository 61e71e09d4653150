"""What retries cost, whether clients keep in step, what is nested, who is sent back with whom."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from investigate.analysis.amplification import amplification
from investigate.analysis.collateral import failed_batches
from investigate.analysis.nested_retries import nested
from investigate.analysis.synchrony import synchrony
from investigate.case import Coverage
from investigate.settings import Thresholds
from tests.builders import (
    Event,
    at,
    event_row,
    evidence_of,
    invocation_row,
    letter_row,
    log_line,
    queue_row,
    raw_row,
)
from tests.spark import spark_sql

EVENTS = [Event(f"e{n}", at(n)) for n in range(6)]


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def a_case(folder, **tables):
    options = {name: tables.pop(name) for name in ("thresholds", "coverage") if name in tables}
    stores = {
        "events": [event_row(event) for event in EVENTS],
        "raw": [raw_row(event) for event in EVENTS],
        "queue_state": [queue_row()],
        "log_lines": [],
        "invocations": [],
    }
    return evidence_of(folder, **options, **{**stores, **tables})


def ingested(event, moment, request):
    return log_line(
        "event_ingested", moment, request, event_id=event.id, status="ACCEPTED",
        s3_key=event.s3_key,
    )  # fmt: skip


def loads(*batches):
    """Lines and invocations of batches: request id, start, status and the events it loaded."""
    lines, calls = [], []
    for request, started, status, events in batches:
        calls.append(invocation_row(request, started, status=status, memory_mb=1024))
        lines += [
            log_line(
                "processor_record_loaded", started + seconds(n / 1000), request, event_id=e.id,
                entity_id=e.entity_id, event_time=e.body["event_time"],
            )
            for n, e in enumerate(events, 1)
        ]  # fmt: skip
    return {"log_lines": lines, "invocations": calls}


def rows(evidence, question):
    table = question(evidence)
    assert "SELECT" in spark_sql(table)
    return evidence.engine.rows(table)


def test_a_batch_is_parted_among_its_records_when_it_is_paid(tmp_path):
    told = loads(
        ("p1", at(30), "error", EVENTS[:2]),
        ("p2", at(30) + seconds(61), "ok", [EVENTS[0], EVENTS[2]]),
    )
    (row,) = rows(a_case(tmp_path, **told), amplification)
    assert (row["group"], row["channel"]) == ("replay-queue", "queue")
    assert (row["firsts"], row["repeats"]) == (3, 1)
    assert row["wasted_gb_s"] == pytest.approx(0.120 / 2)  # one of two records


def test_without_invocations_the_price_is_unknown_and_not_nothing(tmp_path):
    lines = [ingested(EVENTS[0], at(1) + seconds(n), f"r{n}") for n in range(3)]
    skipped = {"invocations": Coverage("skipped", "no")}
    evidence = evidence_of(tmp_path, coverage=skipped, log_lines=lines)
    (row,) = rows(evidence, amplification)
    assert (row["attempts"], row["wasted_gb_s"]) == (3, None)


def test_what_a_rule_delivered_at_once_nobody_counted(tmp_path):
    rule = "arn:aws:events:eu-west-1:123456789012:rule/nightly"
    letter = letter_row(channel="eventbridge-dlq", attempts=185, source_arn=rule)
    (row,) = rows(a_case(tmp_path, dead_letters=[letter]), amplification)
    assert (row["group"], row["repeats"], row["amplification"]) == ("nightly", 185, None)


def test_attempts_that_were_seen_are_not_counted_again_from_their_letter(tmp_path):
    calls = [
        invocation_row("r1", at(30) + seconds(60 * n), function="job", status="error")
        for n in range(3)
    ]
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:job"
    letter = letter_row(channel="lambda-destination", attempts=3, target_arn=arn)
    (row,) = rows(a_case(tmp_path, invocations=calls, dead_letters=[letter]), amplification)
    assert (row["group"], row["firsts"], row["repeats"]) == ("job", 1, 2)


def clients(spread):
    """Forty clients whose requests failed within one second, and who all wait a minute; or each of
    them a random time."""
    rng, lines = Random(5), []  # noqa: S311
    for n in range(40):
        event = Event(f"c{n}", at(5), source="herd")
        first = at(5) + seconds(2 + rng.random() / 10)
        lines.append(ingested(event, first, f"c{n}-0"))
        wait = 60 + (rng.random() * spread if spread else 0)
        lines.append(ingested(event, first + seconds(wait), f"c{n}-1"))
    return lines


@pytest.mark.parametrize(("spread", "beat"), [(0, "synchronised"), (300, "spread")])
def test_clients_without_jitter_come_back_in_step(tmp_path, spread, beat):
    evidence = a_case(tmp_path, log_lines=clients(spread))
    (row,) = rows(evidence, synchrony)
    assert (row["group"], row["sequences"], row["beat"]) == ("herd", 40, beat)
    assert row["fano"] > 20 if beat == "synchronised" else row["fano"] < 2


def test_of_few_clients_it_is_not_told_whether_they_keep_in_step(tmp_path):
    lines = clients(0)
    evidence = a_case(tmp_path, log_lines=lines, thresholds=Thresholds(synchronised_sequences=41))
    (row,) = rows(evidence, synchrony)
    assert row["beat"] == "insufficient"


def test_chance_alone_is_seldom_a_beat(tmp_path):
    lines = []
    for group in range(12):
        rng = Random(group)  # noqa: S311
        for n in range(30):
            event = Event(f"g{group}-{n}", at(5), source=f"g{group}")
            first = at(5) + seconds(2 + rng.random() * 120)
            lines.append(ingested(event, first, f"{group}-{n}-0"))
            again = first + seconds(rng.random() * 60 + 1)
            lines.append(ingested(event, again, f"{group}-{n}-1"))
    beats = [row["beat"] for row in rows(a_case(tmp_path, log_lines=lines), synchrony)]
    assert beats == ["spread"] * 12


def test_a_client_that_repeats_what_lambda_repeats_multiplies(tmp_path):
    lines, calls = [], []
    for request in ("r1", "r2"):
        for n in range(3):
            start = at(1) + seconds((0 if request == "r1" else 400) + 90 * n)
            calls.append(invocation_row(request, start, function="ingest", status="error"))
            lines.append(ingested(EVENTS[0], start, request))
    (row,) = rows(a_case(tmp_path, log_lines=lines, invocations=calls), nested)
    assert (row["outer"], row["inner"]) == ("client", "lambda-async")
    assert (row["outer_attempts"], row["attempts"], row["most"]) == (2, 6, 6)


def test_an_sdk_that_gave_up_in_every_delivery_multiplies_the_receives(tmp_path):
    told = loads(*((f"p{n}", at(30) + seconds(65 * n), "error", EVENTS[:1]) for n in range(3)))
    words = "An error occurred (reached max retries: 4): Internal server error"
    calls = [{**call, "error_message": words} for call in told["invocations"]]
    (row,) = rows(a_case(tmp_path, log_lines=told["log_lines"], invocations=calls), nested)
    assert (row["group"], row["outer"], row["inner"]) == ("replay-queue", "queue", "sdk")
    assert (row["outer_attempts"], row["attempts"]) == (3, 15)


def test_one_layer_of_retries_is_not_nested(tmp_path):
    lines = [ingested(EVENTS[0], at(1) + seconds(n), f"r{n}") for n in range(3)]
    assert rows(a_case(tmp_path, log_lines=lines), nested) == []


def test_healthy_records_of_a_batch_with_a_bad_one_are_collateral(tmp_path):
    good = EVENTS[1:4]
    told = loads(
        ("p1", at(30), "error", [EVENTS[0], *good]),
        ("p2", at(30) + seconds(61), "ok", good),
        ("p3", at(30) + seconds(62), "error", EVENTS[:1]),
    )
    first, last = sorted(
        rows(a_case(tmp_path, **told), failed_batches), key=lambda row: row["request_id"]
    )
    assert (first["cause"], first["bad"], first["collateral"]) == ("a record", 1, 3)
    assert (first["records"], first["again"]) == (4, 4)
    assert first["wasted_gb_s"] == pytest.approx(0.120 * 3 / 4)
    assert (last["request_id"], last["collateral"]) == ("p3", 0)


def test_a_batch_that_succeeds_as_a_whole_later_had_no_bad_record(tmp_path):
    told = loads(
        ("p1", at(30), "timeout", EVENTS[:3]), ("p2", at(30) + seconds(61), "ok", EVENTS[:3])
    )
    (row,) = rows(a_case(tmp_path, **told), failed_batches)
    assert (row["cause"], row["bad"], row["collateral"]) == ("the invocation", 0, 0)


def test_of_a_batch_that_never_succeeds_nobody_knows_which_record_is_bad(tmp_path):
    told = loads(("p1", at(30), "error", EVENTS[:3]))
    (row,) = rows(a_case(tmp_path, **told), failed_batches)
    assert (row["cause"], row["bad"], row["collateral"]) == ("not known", 0, 0)


def test_the_measure_of_synchrony_does_not_depend_on_the_order_of_minutes(tmp_path):
    lines, client = [], 0
    for minute, retries in enumerate(([0, 0, 0], [0, 0, 0], [0, 0, 1])):
        for second in retries:
            event, client = Event(f"c{client}", at(5), source="herd"), client + 1
            again = at(5) + seconds(60 * (minute + 1) + second)
            lines.append(ingested(event, again - seconds(30), f"{client}-0"))
            lines.append(ingested(event, again, f"{client}-1"))
    (row,) = rows(a_case(tmp_path, log_lines=lines), synchrony)
    # Summed as fractions these are off in the last digit, whatever the order.
    assert (row["fano"], row["pairs"], row["pairs_by_chance"]) == (1353 / 531, 7, 18 / 120)
