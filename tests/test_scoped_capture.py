"""A capture with a scope says of its scope what a whole capture says of it, or that it cannot.

`make test` compares four captures: of a window at the beginning and within a day, of entities, and
of both; EACH_SCOPE=1 compares seven, in a minute more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from investigate.case import Coverage, open_case
from investigate.checks import book
from investigate.errors import UsageError
from investigate.evidence import Evidence, Scope
from investigate.findings import examine
from investigate.model import Finding, Outcome, Window
from investigate.opening import evidence_for
from investigate.parameters import Parameters
from tests.builders import (
    DEAD_LETTERS_ARN,
    END,
    START,
    Event,
    aggregate_row,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    message_row,
    queue_row,
    raw_row,
)
from tests.scoped import Cut, days_around

CASES = Path(__file__).parent.parent / "data" / "cases"


def hours(start: str, end: str) -> Window:
    return Window.parse(f"2026-03-{start}:00:00Z", f"2026-03-{end}:00:00Z")


FIRST_DAY, SECOND_DAY, LAST_DAY = (hours(f"{n}T00", f"{n + 1}T00") for n in (10, 11, 12))
WORKDAY, ALL_DAYS = hours("11T08", "11T18"), hours("10T00", "13T00")
TROUBLED = (
    "consumer-stopped", "crash-dedupe-lost", "crash-raw-row-lost", "customer-1", "doubled-batch",
    "key-reused-other-time", "late-after-aggregate", "limit-truncation", "processor-error",
    "queue-purged", "raw-copied", "raw-corrupt", "raw-misplaced", "source-stopped", "window-edge",
)  # fmt: skip
LOSERS = ("crash-dedupe-lost", "crash-raw-row-lost", "customer-1", "queue-purged", "raw-corrupt")


@dataclass(frozen=True)
class Asked:
    """One capture with a scope, and the question that a whole capture is asked in its stead."""

    case: str
    window: Window
    entities: tuple[str, ...] = ()

    def __str__(self) -> str:
        window = f"{self.window.start:%dT%H}-{self.window.end:%dT%H}"
        return f"{self.case} {window} {len(self.entities) or 'all'}"


CAPTURES = [
    Asked("everything", FIRST_DAY),
    Asked("everything", WORKDAY),
    Asked("everything", ALL_DAYS, TROUBLED),
    Asked("wrong-aggregates", SECOND_DAY, ("customer-2", "batch-split")),
]
if os.environ.get("EACH_SCOPE"):
    CAPTURES += [
        Asked("everything", SECOND_DAY),
        Asked("everything", LAST_DAY),
        Asked("lost-events", ALL_DAYS, LOSERS),
    ]


@dataclass(frozen=True)
class Answers:
    """What both captures say: findings by code, and the days of the findings document."""

    findings: Mapping[str, Finding]
    days: Mapping[str, dict]


def answers(evidence: Evidence) -> Answers:
    examined = examine(evidence)
    days = {f"{row['entity_id']} {row['day']}": row for row in examined.document["aggregates"]}
    return Answers({finding.code: finding for finding in examined.findings}, days)


@cache
def both(asked: Asked, folder: Path) -> tuple[Answers, Answers]:
    whole = open_case(CASES / asked.case)
    narrow = Cut(asked.window, asked.entities).of(whole, folder / str(asked).replace(" ", "-"))
    question = Scope(asked.window, asked.entities)
    return answers(Evidence(whole, scope=question)), answers(Evidence(narrow))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scoped")


def wrong(whole: Finding, narrow: Finding) -> str:
    """What a capture with a scope must not say where a whole one says this; empty if it may."""
    if narrow.outcome is Outcome.NOT_EVALUATED:
        return ""
    if (narrow.outcome, narrow.keys) == (whole.outcome, whole.keys):
        return ""
    extra = sorted(set(narrow.keys) - set(whole.keys))
    if extra or narrow.outcome is not Outcome.FOUND:
        return f"{narrow.outcome.value} {extra} instead of {whole.outcome.value}"
    return "" if narrow.reason else f"{len(whole.keys) - len(narrow.keys)} fewer, without a reason"


@pytest.mark.parametrize("code", [check.code for check in book])
@pytest.mark.parametrize("asked", CAPTURES, ids=str)
def test_a_scoped_capture_says_what_a_whole_one_says(asked: Asked, code: str, folder: Path) -> None:
    whole, narrow = both(asked, folder)
    assert wrong(whole.findings[code], narrow.findings[code]) == ""


@pytest.mark.parametrize("asked", CAPTURES, ids=str)
def test_the_days_of_a_scoped_capture_are_those_of_a_whole_one(asked: Asked, folder: Path) -> None:
    whole, narrow = both(asked, folder)
    assert narrow.days.items() <= whole.days.items()


def untold(asked: Asked, folder: Path) -> set[str]:
    """The checks that only the whole capture can answer."""
    whole, narrow = both(asked, folder)
    silent, spoken = (
        {f.code for f in one.findings.values() if f.outcome is Outcome.NOT_EVALUATED}
        for one in (narrow, whole)
    )
    return silent - spoken


# Which of the sent events failed while success was reported, the objects of all days tell.
BY_WINDOW = {"processor/swallowed-errors"}
# Ids that rows name do not lead to an object of which no row knows, nor to the gate's row of an
# event that has nothing else; a hidden failure's line does not say whose record it was.
BY_ENTITY = BY_WINDOW | {
    "raw/corrupt", "raw/payload-mismatch", "raw/id-mismatch", "raw/overwritten",
    "raw/duplicate-objects", "raw/misplaced", "raw/gap", "raw/late", "raw/clock-skew",
    "events/missing-row", "dedupe/orphan", "dedupe/missing", "dedupe/reaccepted",
    "dedupe/collision-risk", "sqs/lost", "aggregates/partial", "aggregates/split",
    "aggregates/stale", "aggregates/unexplained",
}  # fmt: skip


@pytest.mark.parametrize("asked", CAPTURES, ids=str)
def test_a_scope_leaves_few_checks_without_an_answer(asked: Asked, folder: Path) -> None:
    assert untold(asked, folder) <= (BY_ENTITY if asked.entities else BY_WINDOW)


# a window: other event dates were not listed

NEXT_DAYS = timedelta(days=3)
HERE, THERE = Event("here", at(6)), Event("there", at(6) + NEXT_DAYS)


def of_window(tmp_path: Path, **tables: object) -> Evidence:
    whole = evidence_of(tmp_path, **tables).case  # type: ignore[arg-type]
    narrow = tmp_path / f"narrow-{whole.folder.name}"
    return Evidence(Cut(Window(START, END)).of(whole, narrow))


def test_one_more_event_date_on_either_side_is_listed():
    assert days_around(Window(START, END)) == ("2026-03-09", "2026-03-11")
    assert days_around(Window(START, END + timedelta(seconds=1))) == ("2026-03-09", "2026-03-12")


@pytest.mark.parametrize("code", ["raw/missing", "replay/would-fail", "dedupe/orphan"])
def test_what_stands_under_another_date_is_not_missing(tmp_path, code):
    stores = {
        "raw": [raw_row(e) for e in (HERE, THERE)],
        "events": [event_row(e, event_time_utc=None) for e in (HERE, THERE)],
        "dedupe": [dedupe_row(e) for e in (HERE, THERE)],
    }
    assert finding_of(code, of_window(tmp_path, **stores)).keys == ()


def reused(**changes: object) -> list[dict]:
    """Rows of one id: the event of the window, and one of three days later that was stored."""
    later = event_row(THERE)
    return [event_row(HERE, event_id=THERE.id, **changes), later]


def test_an_id_with_a_row_of_another_date_may_have_its_object_there(tmp_path):
    # A copy of a later ingest date: its key is none that a row names.
    there = raw_row(THERE, s3_key=THERE.but(lag=timedelta(days=2)).s3_key)
    evidence = of_window(tmp_path, raw=[there], events=reused())
    for code in ("raw/missing", "events/dangling-key", "events/payload-conflict"):
        finding = finding_of(code, evidence)
        assert finding.outcome is Outcome.NOT_EVALUATED
        assert "1 event may be stored under event dates outside 2026-03-09" in finding.reason


def test_an_object_of_another_date_that_a_row_of_the_id_names_was_asked_for_by_name(tmp_path):
    evidence = of_window(tmp_path, raw=[raw_row(THERE)], events=reused())
    assert finding_of("raw/missing", evidence).outcome is Outcome.PASSED
    assert finding_of("events/dangling-key", evidence).keys == (THERE.id,)


def test_a_row_that_names_a_key_of_another_date_proves_nothing(tmp_path):
    rows = [event_row(HERE, s3_key=THERE.s3_key)]
    evidence = of_window(tmp_path, raw=[raw_row(HERE)], events=rows)
    assert finding_of("replay/would-fail", evidence).outcome is Outcome.NOT_EVALUATED
    assert finding_of("events/dangling-key", evidence).outcome is Outcome.NOT_EVALUATED


def regular(source: str, start: float, end: float) -> list[Event]:
    """An event every quarter of an hour."""
    times = range(round(start * 4), round(end * 4))
    return [Event(f"{source}{n}", at(n / 4), source=source) for n in times]


def test_a_silence_that_began_and_ends_on_other_dates_is_told_by_the_index(tmp_path):
    spoken = [*regular("web", -72, -60), *regular("web", 72, 84), *regular("app", 0, 24)]
    stores = {"raw": [raw_row(e) for e in spoken], "events": [event_row(e) for e in spoken]}
    whole = evidence_of(tmp_path, **stores)
    narrow = Cut(Window(START, END)).of(whole.case, tmp_path / "narrow")
    assert finding_of("raw/gap", whole).keys == (
        "web order 2026-03-07T11:45:00Z 2026-03-13T00:00:00Z",
    )
    assert finding_of("raw/gap", Evidence(narrow)).keys == finding_of("raw/gap", whole).keys


def test_without_the_index_no_silence_is_told_from_some_dates(tmp_path):
    finding = finding_of("raw/gap", of_window(tmp_path, raw=[raw_row(HERE)]))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "other event dates were not listed; events: skipped" in finding.reason


def test_a_silence_between_two_objects_is_told_without_the_index(tmp_path):
    spoken = [*regular("web", 0, 10), *regular("web", 20, 24)]
    finding = finding_of("raw/gap", of_window(tmp_path, raw=[raw_row(e) for e in spoken]))
    assert finding.keys == ("web order 2026-03-10T09:45:00Z 2026-03-10T20:00:00Z",)
    assert "other event dates were not listed; events: skipped" in finding.reason


def test_an_index_that_ends_early_tells_no_silence_from_some_dates(tmp_path):
    spoken = regular("web", 0, 24)
    stores = {"raw": [raw_row(e) for e in spoken], "events": [event_row(e) for e in spoken]}
    early = {"events": Coverage("captured", None, "../2026-03-10T12:00:00Z")}
    assert finding_of("raw/gap", of_window(tmp_path, **stores)).outcome is Outcome.PASSED
    finding = finding_of("raw/gap", of_window(tmp_path, **stores, coverage=early))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "events: tells nothing after 2026-03-10T12:00:00Z" in finding.reason


def test_a_pass_of_a_scoped_capture_says_that_it_is_one(tmp_path):
    stores = {"raw": [raw_row(HERE)], "events": [event_row(HERE)]}
    passed = finding_of("raw/missing", of_window(tmp_path, **stores))
    assert passed.summary == "Nothing found, with all evidence of the capture's scope at hand."


# entities: other entities' rows, and objects that no row names, were not captured

OTHER = HERE.but(name="other", entity_id="e2")


def of_entity(tmp_path: Path, **tables: object) -> Evidence:
    whole = evidence_of(tmp_path, **tables).case  # type: ignore[arg-type]
    return Evidence(Cut(Window(START, END), ("e1",)).of(whole, tmp_path / "narrow"))


def test_the_entities_of_the_case_are_the_scope_of_a_question_without_any(tmp_path):
    evidence = of_entity(tmp_path, events=[event_row(HERE)], raw=[], aggregates=[], dedupe=[])
    assert evidence.entities == ("e1",)


def test_another_entity_than_those_captured_is_refused(tmp_path):
    evidence = of_entity(tmp_path, events=[event_row(HERE)], raw=[], aggregates=[], dedupe=[])
    with pytest.raises(UsageError, match="holds nothing of entity 'e2': it was captured for e1"):
        Evidence(evidence.case, scope=Scope(evidence.window, ("e2",)))


def test_a_case_of_an_entity_that_no_row_knows_is_refused(tmp_path):
    stores = {"events": [event_row(OTHER)], "raw": [], "aggregates": [], "dedupe": []}
    folder = of_entity(tmp_path, **stores).case.folder
    with pytest.raises(UsageError, match="unknown entity 'e1'"):
        evidence_for(Parameters(str(folder)))


def test_lines_and_messages_of_other_entities_are_no_findings(tmp_path):
    window = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    evidence = of_entity(
        tmp_path,
        events=[event_row(HERE), event_row(OTHER)],
        raw=[raw_row(HERE), raw_row(OTHER)],
        dedupe=[dedupe_row(HERE), dedupe_row(OTHER)],
        aggregates=[aggregate_row([HERE]), aggregate_row([OTHER])],
        functions=[function_row(role) for role in ("ingest", "replay", "processor")],
        invocations=[invocation_row("w1", at(30)), invocation_row("p1", at(29), function="replay")],
        queue_state=[queue_row(dead_letter_arn=DEAD_LETTERS_ARN)],
        messages=[message_row(OTHER, "m1"), message_row(OTHER, "m2", entity_id=None)],
        log_lines=[
            log_line("event_ingested", at(6), "i1", event_id=OTHER.id, status="ACCEPTED"),
            log_line("event_ingested", at(7), "i2", event_id=OTHER.id, status="ACCEPTED"),
            log_line("replay_enqueued", at(29), "p1", entity_id="e2", scanned=1, sent=1, **window),
            log_line("processor_start", at(30), "w1", records=1),
        ],
    )
    found = {f.code for f in answers(evidence).findings.values() if f.outcome is Outcome.FOUND}
    assert found == set()
    twice = finding_of("dedupe/reaccepted", evidence)
    assert "1 event that no row names may be of these entities" in twice.reason


def test_an_object_that_no_row_names_may_be_of_the_entity(tmp_path):
    stores = {"events": [event_row(HERE)], "raw": [raw_row(HERE)], "dedupe": [dedupe_row(HERE)]}
    evidence = of_entity(tmp_path, aggregates=[aggregate_row([HERE])], **stores)
    for code in ("raw/late", "events/missing-row", "dedupe/orphan", "aggregates/partial"):
        assert finding_of(code, evidence).outcome is Outcome.NOT_EVALUATED
    for code in ("raw/missing", "events/dangling-key", "events/payload-conflict"):
        assert finding_of(code, evidence).outcome is Outcome.PASSED


def test_an_id_whose_fields_hold_the_mark_between_them_may_stand_on_rows_of_others(tmp_path):
    plain = of_entity(tmp_path, events=[event_row(HERE)], raw=[], aggregates=[], dedupe=[])
    assert finding_of("events/reused-id", plain).outcome is Outcome.PASSED
    marked = event_row(HERE.but(source="a|b"))
    (tmp_path / "marked").mkdir()
    risky = of_entity(tmp_path / "marked", events=[marked], raw=[], aggregates=[], dedupe=[])
    assert "rows of other entities may share 1 id" in str(finding_of("events/reused-id", risky))


def test_an_object_under_a_key_without_the_layout_is_kept_and_is_not_missing(tmp_path):
    moved = {name: None for name in raw_row(HERE) if name.startswith("key_")}
    stores = {"events": [event_row(HERE)], "raw": [raw_row(HERE, s3_key="raw/x.json", **moved)]}
    evidence = of_entity(tmp_path, aggregates=[], dedupe=[dedupe_row(HERE)], **stores)
    assert finding_of("raw/missing", evidence).outcome is Outcome.PASSED
    assert finding_of("events/dangling-key", evidence).keys == (HERE.id,)
