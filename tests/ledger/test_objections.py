"""Which checks object to an event: some of them, asked first, do not stand for all."""

from __future__ import annotations

from investigate.ledger.objections import CODES, objections, objections_of
from tests.builders import Event, at, with_a_lost_object


def codes(evidence, rows):
    return {row["code"] for row in evidence.engine.rows(rows)}


def test_the_objections_of_some_checks_are_not_taken_for_those_of_all(tmp_path):
    evidence = with_a_lost_object(tmp_path, Event("a", at(1)), Event("b", at(2)))
    assert codes(evidence, objections_of(evidence, ["dedupe/orphan"])) == set()
    assert codes(evidence, objections_of(evidence, ["raw/missing"])) == {"raw/missing"}
    assert "raw/missing" in codes(evidence, objections(evidence))
    assert objections_of(evidence, CODES) is objections(evidence)
