"""What a message says, what it never says, and that it fits."""

from __future__ import annotations

import pytest

from investigate.model import Severity
from investigate.notify.message import LONGEST, ReportPaths, compose
from investigate.notify.news import News, at_or_above
from tests.report.samples import HOSTILE, document, entry

WHERE = ReportPaths("cases/incident-42", "reports/index.html")
KEYS = [f"k{number}" for number in range(8)]


def told(*entries, level=Severity.DANGEROUS, limit=LONGEST, **changes):
    page = document(*entries, **changes)
    return compose(page, at_or_above(page, level), WHERE, limit=limit)


def test_a_message_says_how_bad_it_is_where_it_began_what_to_do_and_where_there_is_more():
    message = told(entry("raw/missing", severity="escalate", keys=KEYS), entry("events/reused-id"))
    assert message.title == "ESCALATE  sample: 2 findings to look at"
    assert message.severity is Severity.ESCALATE
    assert message.body == (
        "ESCALATE  sample\n"
        "Data is lost, or is being lost now: wake the owner.\n"
        "Window: 2026-03-10T00:00:00Z <= event time < 2026-03-11T00:00:00Z\n"
        "First broken step: raw\n"
        "\n"
        "escalate  raw/missing: 8 (new)\n"
        "  8 of raw/missing.\n"
        "  event_id: k0, k1, k2, k3, k4 and 3 more\n"
        "  Do: Mend raw/missing. Then rest.\n"
        "  Do not: Hide raw/missing.\n"
        "\n"
        "dangerous  events/reused-id: 1 (new)\n"
        "  1 of events/reused-id.\n"
        "  event_id: k1\n"
        "  Do: Mend events/reused-id. Then rest.\n"
        "  Do not: Hide events/reused-id.\n"
        "\n"
        "The rows: investigate check cases/incident-42 --rows raw/missing\n"
        "The report: reports/index.html"
    )


def test_a_change_says_how_many_there_were():
    page = document(entry("raw/missing", keys=KEYS))
    message = compose(page, [News(page["checks"][0], before=5)], WHERE)
    assert "raw/missing: 8 (changed, 5 before)" in message.body


def test_an_entity_that_was_asked_for_is_named():
    assert "\nOnly: checkout-1\n" in told(entry("raw/missing"), entities=["checkout-1"]).body


def test_what_is_below_the_level_passed_or_could_not_be_told_is_left_out():
    page = document(
        entry("raw/late", severity="suspect"),
        entry("raw/missing", outcome="passed"),
        entry("raw/gap", outcome="not-evaluated"),
        entry("sqs/poison"),
    )
    assert [news.code for news in at_or_above(page, Severity.DANGEROUS)] == ["sqs/poison"]
    assert [news.code for news in at_or_above(page, Severity.SUSPECT)] == ["sqs/poison", "raw/late"]


def test_nothing_in_an_id_breaks_a_line_turns_the_writing_or_calls_people_out():
    keys = [HOSTILE, "a\nb", "@everyone", "<!channel>", "<@U024BE7LH>", "six"]
    body = told(entry("raw/missing", keys=keys)).body
    listed = next(line for line in body.splitlines() if "event_id:" in line)
    assert "a\\nb" in listed
    assert "\x1b" not in body
    assert "\u202e" not in body
    assert not any(call in body for call in ("@everyone", "<!channel>", "<@U"))


def test_secrets_of_aws_do_not_get_into_a_message():
    signed = "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + "a1" * 32
    message = told(
        entry("raw/missing", keys=[signed], summary=f"See {signed}"), case=f"case {signed}"
    )
    assert "a1a1a1a1" not in message.body + message.title
    assert "X-Amz-Signature=***" in message.body


@pytest.mark.parametrize("limit", [0, 1, 150, 400, 1_022, 2_000, LONGEST])
def test_a_message_fits_however_much_there_is_to_tell(limit):
    many = [entry(f"raw/{number}", keys=["k" * 900] * 7) for number in range(40)]
    body = told(*many, limit=limit).body
    assert len(body) <= max(limit, 1)


def test_what_does_not_fit_becomes_lines_and_then_a_number():
    many = [entry(f"raw/c{number}", summary="long " * 60) for number in range(30)]
    body = told(*many).body
    assert body.count("Do: ") in range(1, 10)
    assert all(f"raw/c{number}: 1 (new)" in body for number in range(30))
    short = told(*many, limit=600).body
    assert "Do: " not in short
    assert " findings more\n\nThe rows: investigate check" in short
