"""The nouns: ordered steps and severities, half-open windows, findings that cite rows."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone

import pytest

from investigate.errors import UsageError
from investigate.model import (
    CHAPTERS,
    STEPS,
    Finding,
    Outcome,
    Severity,
    Step,
    Window,
    counted,
    isoformat,
    parse_time,
    verdict,
)

START, END = "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)


def finding(outcome: Outcome, severity: Severity = Severity.SUSPECT, **changes) -> Finding:
    found = {"count": 1, "keys": ("k",)} if outcome is Outcome.FOUND else {}
    unsure = outcome in (Outcome.NOT_EVALUATED, Outcome.ERROR)
    about = {"reason": "no evidence"} if unsure else {}
    texts = ("Is it?", "It is.", "event_id")
    return Finding("raw/x", Step.RAW, outcome, severity, *texts, **{**found, **about, **changes})


FOUND, PASSED = Outcome.FOUND, Outcome.PASSED
UNKNOWN, ERROR = Outcome.NOT_EVALUATED, Outcome.ERROR


# steps and severities


def test_the_steps_stand_in_the_order_of_the_pipeline_and_the_chapters_after_them():
    assert [step.value for step in STEPS] == [
        "raw", "events", "replay", "sqs", "processor", "aggregates",
    ]  # fmt: skip
    assert [step.value for step in Step if step.is_chapter] == [
        "retries", "dead-letters", "configuration",
    ]  # fmt: skip
    assert set(STEPS) | CHAPTERS == set(Step)


def test_severities_compare():
    assert sorted(Severity) == [
        Severity.EXPECTED, Severity.SUSPECT, Severity.DANGEROUS, Severity.ESCALATE,
    ]  # fmt: skip


@pytest.mark.parametrize("severity", Severity, ids=lambda severity: severity.label)
def test_a_severity_is_read_by_its_label(severity):
    assert Severity.parse(severity.label) is severity


@pytest.mark.parametrize("step", Step, ids=lambda step: step.value)
def test_a_step_is_read_by_its_name(step):
    assert Step.parse(step.value) is step


@pytest.mark.parametrize(("kind", "near"), [(Step, "aggregate"), (Severity, "Dangerous")])
def test_a_name_that_nobody_knows_is_refused_with_the_nearest(kind, near):
    with pytest.raises(UsageError, match=f"unknown {kind.__name__.lower()} '{near}'") as error:
        kind.parse(near)
    assert "did you mean" in error.value.hint


# windows and times


def test_a_window_holds_its_start_and_not_its_end():
    window = Window.parse(START, END)
    assert window.contains(MIDNIGHT)
    assert window.contains(MIDNIGHT + timedelta(hours=24, microseconds=-1))
    assert not window.contains(MIDNIGHT + timedelta(hours=24))
    assert not window.contains(MIDNIGHT - timedelta(microseconds=1))


@pytest.mark.parametrize(("start", "end"), [(END, START), (START, START)])
def test_an_empty_window_is_refused(start, end):
    with pytest.raises(UsageError, match="the window is empty") as error:
        Window.parse(start, end)
    assert "--start" in error.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-10T00:00:00Z", "2026-03-10T00:00:00+00:00", "2026-03-10T01:00:00+01:00",
        "2026-03-09T19:00:00.000-05:00", "20260310T000000Z",
    ],
)  # fmt: skip
def test_a_time_of_any_offset_is_read_as_utc(text):
    assert parse_time(text) == MIDNIGHT
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2026-13-01T00:00:00Z", "1773100800", None, 5,
        "9999-12-31T23:00:00-05:00", "0001-01-01T00:00:00+05:00",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_by_the_name_of_the_option(text):
    with pytest.raises(UsageError, match=r"start: .* is not an ISO 8601 time"):
        Window.parse(text, END)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("2026-03-11T14:30:00", "2026-03-11T14:30:00"), ("2026-03-11", "2026-03-11T00:00:00")],
)
def test_a_time_without_an_offset_is_refused_and_not_guessed(text, meant):
    with pytest.raises(UsageError, match=r"end: .* has no offset from UTC") as error:
        Window.parse(START, text)
    assert error.value.hint == f"write {meant}Z if it is UTC, else its offset, as in {meant}+01:00"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (MIDNIGHT, "2026-03-10T00:00:00Z"),
        (MIDNIGHT.replace(microsecond=500_000), "2026-03-10T00:00:00.500000Z"),
        (MIDNIGHT.astimezone(timezone(timedelta(hours=9))), "2026-03-10T00:00:00Z"),
    ],
)
def test_a_time_is_written_in_utc(moment, text):
    assert isoformat(moment) == text
    assert parse_time(text) == moment


# findings and verdicts


def test_a_finding_cites_keys_and_only_a_finding_does():
    with pytest.raises(ValueError, match="a finding cites keys"):
        finding(FOUND, keys=())
    with pytest.raises(ValueError, match="only a finding does"):
        finding(PASSED, keys=("k",))


@pytest.mark.parametrize("outcome", [UNKNOWN, ERROR])
def test_what_could_not_be_told_needs_a_reason(outcome):
    with pytest.raises(ValueError, match="needs a reason"):
        finding(outcome, reason="")


def test_a_finding_does_not_change():
    with pytest.raises(FrozenInstanceError):
        finding(PASSED).count = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([], "not-evaluated"),
        ([finding(PASSED), finding(PASSED)], "passed"),
        ([finding(PASSED), finding(UNKNOWN)], "not-evaluated"),
        ([finding(PASSED), finding(ERROR)], "not-evaluated"),
        ([finding(UNKNOWN), finding(FOUND, Severity.EXPECTED)], "expected"),
        ([finding(FOUND, Severity.ESCALATE), finding(FOUND), finding(ERROR)], "escalate"),
        ([finding(PASSED, Severity.ESCALATE), finding(FOUND)], "suspect"),
    ],
    ids=[
        "nobody looked", "all passed", "one could not be told", "one failed",
        "a finding outweighs what could not be told", "the worst counts",
        "a pass has no severity",
    ],
)  # fmt: skip
def test_the_verdict_is_the_worst_that_was_found(findings, expected):
    assert verdict(findings) == expected
    assert verdict(iter(findings)) == expected


@pytest.mark.parametrize(
    ("count", "nouns", "said"),
    [(1, "entries", "1 entry"), (2, "entries", "2 entries"), (0, "", "0 entrys"),
     (2_300, "", "2,300 entrys")],
)  # fmt: skip
def test_a_number_has_its_noun_in_the_right_form(count, nouns, said):
    assert counted(count, "entry", nouns) == said
