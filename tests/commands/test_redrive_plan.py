"""`investigate redrive-plan`: a decision for each dead letter, edited by hand and read back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from investigate.errors import UsageError
from investigate.redrive_plan import (
    PlannedLetter,
    RedrivePlan,
    as_csv,
    document,
    of_document,
    plan_of,
    with_decisions,
)
from tests.builders import Event, aggregate_row, at
from tests.checks.test_dead_letters import THROTTLED, a_case, letter_row, pointer

A, B = Event("a", at(1)), Event("b", at(2))


def letters():
    return [
        letter_row(A, "d1", **THROTTLED),
        letter_row(B, "d2", error_message="KeyError: 'x'", expires_utc=at(60)),
        letter_row(None, "d3", error_message="odd"),
        pointer("d4", "17"),
    ]


@cache
def case_folder(root: Path) -> Path:
    return a_case(root, letters(), aggregates=[aggregate_row([A])]).case.folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return case_folder(tmp_path_factory.mktemp("redrive"))


def planned(**changes) -> PlannedLetter:
    known = PlannedLetter(
        message_id="d1", queue_arn="q", channel="sqs-redrive", destination="q0", event_id="e",
        function="processor", fingerprint="odd", lasting="unknown", times=1, attempts=5,
        processed=False, deployed_since=False, consumers=1, fifo=False, pointer=False,
        until="2026-03-20T00:00:00Z", expired=False, body_sha="0", decision="escalate",
        reason="nothing tells",
    )  # fmt: skip
    return replace(known, **changes)


def plan(*some: PlannedLetter) -> RedrivePlan:
    return RedrivePlan("test", "2026-03-12T00:00:00Z", "0" * 64, some or (planned(),))


def table(*rows: tuple[str, ...], header=("message_id", "queue_arn", "decision", "note")) -> str:
    sink = io.StringIO()
    csv.writer(sink).writerows([header, *rows])
    return sink.getvalue()


def test_a_plan_says_how_many_and_names_the_most_urgent_first(ask, folder):
    code, out, _ = ask("redrive-plan", folder)
    assert code == 0
    assert out.startswith("REDRIVE of test: a plan; nothing is sent")
    assert "4 dead letters: 2 repair, 1 archive, 1 escalate" in out
    assert "first ends 2026-03-12T12:00:00Z (d2)" in out
    urgent = out[out.index("THE MOST URGENT FIRST") :]
    assert urgent.index(" d2 ") < urgent.index(" d1 ")
    assert "a version counts its event" in urgent


def test_a_plan_as_json_is_of_this_capture_and_holds_every_letter(ask, folder):
    told = json.loads(ask("redrive-plan", folder, "--format", "json")[1])
    assert told["schema"] == "investigate.redrive-plan/1"
    assert told["counts"] == {"retry": 0, "repair": 2, "archive": 1, "escalate": 1}
    assert [one["message_id"] for one in told["letters"]] == ["d2", "d1", "d3", "d4"]
    assert len(told["manifest"]) == 64
    assert document(of_document(told)) == told


def test_an_edited_table_is_read_back(ask, folder, tmp_path):
    text = ask("redrive-plan", folder, "--format", "csv")[1]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["decision"] for row in rows] == ["repair", "archive", "escalate", "repair"]
    rows[2] |= {"decision": "retry", "note": "Ann: seen in the console"}
    edited = tmp_path / "decisions.csv"
    edited.write_text(table(*(tuple(row.values()) for row in rows), header=tuple(rows[0])))
    _, out, _ = ask("redrive-plan", folder, "--decisions", edited)
    assert "1 retry" in out
    assert "decided by hand: Ann: seen in the console" in out


def test_a_case_without_letters_has_nothing_to_decide(ask, tmp_path):
    code, out, _ = ask("redrive-plan", a_case(tmp_path).case.folder)
    assert (code, out) == (0, "REDRIVE of test: no dead letter, so nothing to decide\n")


def test_letters_that_were_not_received_are_no_empty_plan(ask, tmp_path):
    code, _, err = ask("redrive-plan", a_case(tmp_path, None).case.folder)
    assert code == 3
    assert "dead_letters: skipped" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            table(("d1", "q", "retry", "me"), header=("a", "b", "c", "d")),
            "has no column message_id",
        ),
        (table(("d9", "q", "retry", "me")), "decides about 'd9'"),
        (table(("d1", "q", "resend", "me")), "unknown decision 'resend'"),
        (table(("d1", "q", "archive", " ")), "the note does not say why"),
        (table(("d1", "q", "archive", "x"), ("d1", "q", "retry", "x")), "decides twice about 'd1'"),
    ],
)
def test_a_table_that_cannot_hold_is_refused(text, said):
    with pytest.raises(UsageError, match=said) as refused:
        with_decisions(plan(), text)
    assert refused.value.hint or "known:" in refused.value.message


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expired": True}, "expired"),
        ({"processed": True}, "counted twice"),
        ({"pointer": True}, "no record"),
    ],
)
def test_no_note_justifies_sending_what_cannot_be_sent(changes, why):
    with pytest.raises(UsageError, match=why):
        with_decisions(plan(planned(**changes)), table(("d1", "q", "retry", "me: please")))


def test_a_note_stays_where_the_decision_is_the_same():
    (letter,) = with_decisions(plan(), table(("d1", "q", "escalate", "told Ben"))).letters
    assert (letter.decision, letter.note) == ("escalate", "told Ben")


def test_letters_that_the_table_leaves_out_keep_their_decision():
    two = plan(planned(), planned(message_id="d2"))
    found = with_decisions(two, table(("d2", "q", "retry", "me")))
    assert [letter.decision for letter in found.letters] == ["escalate", "retry"]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "'=x", "'", "plain", 'a,b"c', "ü"])
def test_a_table_holds_no_formula_and_reads_back_what_it_says(name):
    known = plan(planned(message_id=name, queue_arn=name))
    text = as_csv(known)
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["message_id"][0] not in "=+-@"
    assert with_decisions(known, text) == known


@pytest.mark.parametrize("told", [{"schema": "x"}, {"schema": "investigate.redrive-plan/1"}])
def test_what_is_no_plan_is_refused(told):
    with pytest.raises(UsageError, match="redrive plan"):
        of_document(told)


def test_a_file_that_cannot_be_read_is_named(ask, folder, tmp_path):
    code, _, err = ask("redrive-plan", folder, "--decisions", tmp_path / "none.csv")
    assert code == 2
    assert "none.csv cannot be read" in err


def test_the_plan_is_the_same_twice(tmp_path):
    evidence = a_case(tmp_path, letters())
    assert document(plan_of(evidence)) == document(plan_of(evidence))
