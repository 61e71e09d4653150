"""What became of a finding: nothing is called resolved that could not be seen."""

from __future__ import annotations

import pytest

from investigate.report.changes_since import NEW, NOT_ASKED, NOT_TOLD, PERSISTING, RESOLVED, compare
from tests.report.samples import document, entry

CODE = "raw/missing"
FOUND = entry(CODE, keys=["a", "b"])
PASSED = entry(CODE, "passed")
UNTOLD = entry(CODE, "not-evaluated")
WIDE = {"start": "2026-03-09T00:00:00Z", "end": "2026-03-12T00:00:00Z"}
NARROW = {"start": "2026-03-10T00:00:00.000001Z", "end": "2026-03-11T00:00:00Z"}


def changes(before, after, **kwargs):
    old, new = kwargs.pop("last", {}), kwargs.pop("now", {})
    return compare(
        document(*[before] if before else [], **old), document(*[after] if after else [], **new),
        **kwargs,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        (PASSED, FOUND, NEW),
        (UNTOLD, FOUND, NEW),
        (None, FOUND, NEW),
        (FOUND, FOUND, PERSISTING),
        (FOUND, PASSED, RESOLVED),
        (FOUND, UNTOLD, NOT_TOLD),
        (FOUND, entry(CODE, "error"), NOT_TOLD),
        (FOUND, None, NOT_ASKED),
    ],
)
def test_each_pair_of_outcomes_has_its_state(before, after, state):
    (change,) = changes(before, after)
    assert (change.code, change.state) == (CODE, state)


@pytest.mark.parametrize(
    ("before", "after"),
    [(PASSED, PASSED), (PASSED, UNTOLD), (UNTOLD, PASSED), (UNTOLD, UNTOLD), (None, PASSED)],
)
def test_what_was_never_found_is_no_change(before, after):
    assert changes(before, after) == ()


@pytest.mark.parametrize(
    ("last", "now", "why"),
    [
        ({}, {"window": NARROW}, "window"),
        ({"window": WIDE}, {}, "window"),
        ({}, {"entities": ["e1"]}, "fewer entities"),
        ({"entities": ["e1", "e2"]}, {"entities": ["e1"]}, "fewer entities"),
        ({"captured_at": "2026-03-12T00:00:00.5Z"}, {}, "captured before"),
        ({}, {"settled_until": "2026-03-10T12:00:00Z"}, "judges less"),
    ],
)
def test_a_narrower_question_resolves_nothing(last, now, why):
    (change,) = changes(FOUND, PASSED, last=last, now=now)
    assert change.state == NOT_ASKED
    assert why in change.reason


@pytest.mark.parametrize(
    ("last", "now"),
    [
        ({}, {"window": WIDE}),
        ({"entities": ["e1"]}, {}),
        ({"entities": ["e1"]}, {"entities": ["e2", "e1"]}),
        ({"captured_at": "2026-03-11T23:00:00Z"}, {}),
    ],
)
def test_a_wider_or_later_question_resolves(last, now):
    (change,) = changes(FOUND, PASSED, last=last, now=now)
    assert change.state == RESOLVED
    assert (change.before, change.count, change.removed) == (2, 0, 2)


def test_another_reason_why_less_can_be_seen_is_told_too():
    (change,) = changes(FOUND, PASSED, otherwise="other thresholds")
    assert (change.state, change.reason) == (NOT_ASKED, "other thresholds")


def test_a_persisting_finding_tells_which_keys_came_and_went():
    (change,) = changes(FOUND, entry(CODE, keys=["b", "c", "d"]))
    assert (change.before, change.count, change.added, change.removed) == (2, 3, 2, 1)
    assert (change.added_keys, change.removed_keys) == (("c", "d"), ("a",))
    assert change.reason is None


def test_keys_that_went_from_a_finding_with_gaps_are_not_called_resolved():
    (change,) = changes(FOUND, entry(CODE, keys=["b"], reason="raw: partial"))
    assert (change.removed, change.reason) == (1, "raw: partial")


def test_of_keys_that_were_cut_nobody_knows_which_came_and_went():
    cut = entry(CODE, keys=["a", "c"], count=12_000)
    (change,) = changes(FOUND, cut)
    assert (change.count, change.added, change.removed) == (12_000, None, None)
    assert change.added_keys == change.removed_keys == ()


def test_a_check_that_had_no_answer_before_is_told_as_such():
    assert [change.was for change in changes(UNTOLD, FOUND)] == ["not-evaluated"]
    assert [change.was for change in changes(None, FOUND)] == [None]


def test_the_worst_changes_come_first():
    now = document(entry("raw/late", severity="suspect"), entry("sqs/lost", severity="escalate"))
    told = compare(document(FOUND), now)
    assert [change.severity for change in told] == ["escalate", "dangerous", "suspect"]


WIDER = [
    ({"window": NARROW}, {}, "window of the last run"),
    ({}, {"window": WIDE}, "window of the last run"),
    ({"entities": ["e1"]}, {}, "fewer entities than this one"),
    ({"entities": ["e1"]}, {"entities": ["e1", "e2"]}, "fewer entities than this one"),
    ({"settled_until": "2026-03-10T12:00:00Z"}, {}, "judged less"),
]


@pytest.mark.parametrize(("last", "now", "why"), WIDER)
def test_what_the_last_run_could_not_see_is_new_with_a_reason(last, now, why):
    (change,) = changes(PASSED, FOUND, last=last, now=now)
    assert (change.state, change.was) == (NEW, "passed")
    assert why in change.reason


@pytest.mark.parametrize(("last", "now", "why"), WIDER)
def test_keys_that_the_last_run_could_not_see_are_told_with_a_reason(last, now, why):
    (change,) = changes(entry(CODE, keys=["b"]), FOUND, last=last, now=now)
    assert (change.state, change.added_keys, change.reason) == (PERSISTING, ("a",), None)
    assert why in change.unseen


@pytest.mark.parametrize(
    ("last", "now"),
    [
        ({}, {}),
        ({}, {"window": NARROW}),
        ({}, {"entities": ["e1"]}),
        ({"captured_at": "2026-03-11T23:00:00Z"}, {}),
    ],
)
def test_what_the_last_run_could_have_seen_is_new_without_a_reason(last, now):
    (change,) = changes(PASSED, FOUND, last=last, now=now)
    assert (change.state, change.reason) == (NEW, None)
