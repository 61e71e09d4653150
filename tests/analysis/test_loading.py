from __future__ import annotations

from pathlib import Path

import pytest

from investigate.analysis.loading import count_unverifiable, unloadable
from investigate.case import Coverage
from investigate.evidence import Evidence
from tests.builders import Event, at, event_row, evidence_of, raw_row, unreadable_row

A, B = Event("a"), Event("b")


def reasons(case: Evidence) -> dict[str, str]:
    return {
        row["event_id"]: row["why"] for row in case.engine.rows(unloadable(case, case["events"]))
    }


@pytest.mark.parametrize("error", ["not-json at line 1", "gone", "archived in Glacier"])
def test_an_object_that_cannot_be_read_cannot_be_loaded(tmp_path: Path, error: str) -> None:
    rows = [event_row(A), event_row(B)]
    case = evidence_of(tmp_path, events=rows, raw=[raw_row(A), unreadable_row(B, error)])
    assert reasons(case) == {B.id: error}


@pytest.mark.parametrize("error", ["denied", "failed"])
def test_an_object_the_capture_could_not_look_at_is_no_proof(tmp_path: Path, error: str) -> None:
    case = evidence_of(tmp_path, events=[event_row(A)], raw=[unreadable_row(A, error)])
    assert reasons(case) == {}
    assert count_unverifiable(case, case["events"]) == 1


def test_a_key_without_an_object_is_proof_only_where_all_objects_were_listed(
    tmp_path: Path,
) -> None:
    whole = evidence_of(tmp_path, events=[event_row(A)], raw=[])
    assert reasons(whole) == {A.id: "no object has this key"}
    part = {"raw": Coverage("partial", "one page")}
    assert reasons(evidence_of(tmp_path, events=[event_row(A)], raw=[], coverage=part)) == {}


def test_the_newest_version_of_a_key_is_the_one_that_is_loaded(tmp_path: Path) -> None:
    versions = [raw_row(A, version_id="1"), unreadable_row(A, version_id="2", last_modified=at(9))]
    case = evidence_of(tmp_path, events=[event_row(A)], raw=versions)
    assert reasons(case) == {A.id: "not-json"}


def test_a_key_with_one_readable_version_can_be_loaded(tmp_path: Path) -> None:
    versions = [raw_row(A, version_id="2"), unreadable_row(A, version_id="1")]
    case = evidence_of(tmp_path, events=[event_row(A)], raw=versions)
    assert reasons(case) == {}
