"""The proving ground scores as it says, and the mutants are what they say."""

from __future__ import annotations

import ast

import pytest

from benchmarks.__main__ import main
from benchmarks.diagnosis.knowable import SUFFICES, is_knowable
from benchmarks.diagnosis.levels import FULL, KINDS, LEVELS
from benchmarks.diagnosis.prove import level_of, prove
from benchmarks.diagnosis.scoring import retry_is_right, score
from benchmarks.mutants.document import row_of, write_lines
from benchmarks.mutants.mutate import mutants
from benchmarks.mutants.subjects import TESTS
from investigate.checks import book
from investigate.model import Finding, Outcome
from investigate.sandbox.incidents import draw
from investigate.sandbox.truth import GroundTruth
from tests.layers import ROOT

SEED = 77


def found(code, *keys, outcome=Outcome.FOUND):
    check = book[code]
    reason = None if outcome in (Outcome.FOUND, Outcome.PASSED) else "why"
    return Finding(
        code=code, step=check.step, outcome=outcome, severity=check.severity, question="?",
        summary="", count=len(keys), key=check.key, keys=keys, reason=reason, advice="", avoid="",
    )  # fmt: skip


def scored(findings, truth, level="full", retries=(), days=()):
    document = {"retries": list(retries), "aggregates": list(days)}
    return score(findings, document, truth, LEVELS[level], draw(SEED, 1))


def test_a_seed_and_a_number_are_one_incident():
    assert draw(SEED, 3) == draw(SEED, 3)
    assert draw(SEED, 3) != draw(SEED, 4)
    assert draw(SEED, 3) != draw(SEED + 1, 3)
    assert level_of(SEED, 3) == level_of(SEED, 3)
    assert {level_of(SEED, number).name for number in range(200)} == set(LEVELS)


def test_every_check_is_scored_by_what_it_takes_to_know():
    assert set(SUFFICES) == {check.code for check in book}
    assert {kind for sets in SUFFICES.values() for kinds in sets for kind in kinds} <= set(KINDS)
    assert all(level.lacks <= set(KINDS) for level in LEVELS.values())
    assert all(is_knowable(code, FULL.lacks) for code in SUFFICES)


def test_what_was_found_is_held_against_what_happened_key_by_key():
    truth = GroundTruth()
    truth.add("raw/missing", "a", "b")
    result = scored([found("raw/missing", "b", "c")], truth)
    assert result.found["raw/missing"] == 1
    assert result.missed == [("raw/missing", "a")]
    assert result.extra == [("raw/missing", "c")]
    assert result.misses == ["missed raw/missing a", "extra raw/missing c"]


def test_what_the_evidence_cannot_show_is_not_missed_but_must_not_pass():
    truth = GroundTruth()
    truth.add("raw/missing", "a")
    unsure = scored([found("raw/missing", outcome=Outcome.NOT_EVALUATED)], truth, "raw-denied")
    assert (unsure.missed, unsure.unknowable["raw/missing"], unsure.misses) == ([], 1, [])
    passed = scored([found("raw/missing", outcome=Outcome.PASSED)], truth, "raw-denied")
    assert passed.misses == ["passed raw/missing"]


def test_a_check_that_failed_to_run_is_wrong_whatever_happened():
    result = scored([found("raw/missing", outcome=Outcome.ERROR)], GroundTruth())
    assert result.misses == ["error raw/missing: why"]


def test_a_verdict_of_a_day_is_wrong_only_where_the_evidence_is_full():
    truth = GroundTruth()
    truth.day("e1", "2026-03-10", "split")
    days = [{"entity_id": "e1", "day": "2026-03-10", "verdict": "complete"}]
    assert scored([], truth, days=days).misses == ["day e1 2026-03-10: complete instead of split"]
    assert scored([], truth, "no-dedupe", days=days).misses == []


@pytest.mark.parametrize(
    ("true", "told", "enough", "right"),
    [
        ("fixed", "fixed", True, True),
        ("fixed", "insufficient", True, False),
        ("fixed", "insufficient", False, True),
        ("fixed", "randomised", False, False),
        ("none", "sdk", True, False),
    ],
)
def test_no_answer_is_right_only_where_there_is_too_little(true, told, enough, right):
    assert retry_is_right(true, told, enough=enough) is right


def test_a_queue_that_is_said_to_try_again_and_does_not_is_wrong():
    row = {"group": "q", "channel": "queue", "pattern": "sqs-visibility"}
    result = scored([], GroundTruth(), retries=[row])
    assert result.misses == ["retries: sqs-visibility instead of none"]


@pytest.mark.parametrize(("number", "level"), [(1, "full"), (2, "text-logs")])
def test_an_incident_is_told_as_it_happened(number, level):
    proved = prove(SEED, number, level)
    assert proved.score.misses == []
    assert sum(proved.score.found.values()) > 10


# Mutants

SAMPLE = """
@check("x", whole=("raw",), needs=("events",))
def asked(evidence):
    rows = evidence.settled(table, "at")
    late = (rows.lag > 5) & ~rows.fine
    return rows.filter(late.fill_null(False)).anti_join(known, "id")
"""


def test_a_mutant_is_the_module_with_one_change():
    changes = {mutant.change: mutant.source for mutant in mutants(SAMPLE)}
    assert set(changes) == {
        "whole=('raw',) is only needed", "drop settled of table, 'at'",
        "only the left of (rows.lag > 5) & ~rows.fine",
        "only the right of (rows.lag > 5) & ~rows.fine", "invert rows.lag > 5",
        "edge rows.lag > 5", "no ~rows.fine", "semi_join for anti_join(known, 'id')",
        "drop filter(late.fill_null(False))", "fill_null(True) for False",
    }  # fmt: skip
    assert "rows.lag >= 5" in changes["edge rows.lag > 5"]
    assert "rows.lag <= 5" in changes["invert rows.lag > 5"]
    assert "rows = table\n" in changes["drop settled of table, 'at'"]
    assert "needs=(*('raw',), *('events',))" in changes["whole=('raw',) is only needed"]
    original = ast.unparse(ast.parse(SAMPLE)).splitlines()
    for source in changes.values():
        lines = zip(original, source.splitlines(), strict=True)
        assert sum(before != after for before, after in lines) == 1


def test_the_methods_of_classes_have_mutants_too():
    source = (
        "class Window:\n    def whole(self):\n        found: int | str = self.start < self.end\n"
    )
    changes = [(mutant.function, mutant.change) for mutant in mutants(source)]
    assert changes == [
        ("whole", "invert self.start < self.end"), ("whole", "edge self.start < self.end"),
    ]  # fmt: skip


def test_the_lines_of_a_module_replace_those_of_its_last_run_and_no_others(tmp_path):
    document = tmp_path / "mutation.md"
    raw, sqs = row_of("checks.raw", 40, 20, 19, 61.4), row_of("checks.sqs", 1_000, 4, 4, 5.0)
    write_lines(
        document, [[*raw, "2026-11-29"]], ["checks.raw:7 lost line 3: only the left of a | b"]
    )
    write_lines(document, [[*sqs, "2026-11-30"]], [])
    told = document.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told if line[:2] == "| "]
    assert rows[2:] == [
        ["`checks.raw`", "40", "20", "19", "95.0", "61", "2026-11-29"],
        ["`checks.sqs`", "1,000", "4", "4", "100.0", "5", "2026-11-30"],
        ["all", "1,040", "24", "23", "95.8", "66", ""],
    ]
    assert r"* `checks.raw:7` lost line 3: only the left of a \| b" in told
    assert any(line.startswith("No run of these") and "ledger.rows" in line for line in told)
    write_lines(document, [[*row_of("checks.raw", 40, 40, 40, 99.0), "2026-11-30"]], [])
    told = document.read_text(encoding="utf-8").splitlines()
    assert told[-1] == "None."
    assert len([line for line in told if "`checks.raw" in line]) == 1


def test_every_module_of_the_diagnosis_that_judges_has_its_mutants_and_their_tests():
    package = ROOT / "investigate"
    judging = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for part in ("analysis", "checks", "ledger")
        for path in (package / part).rglob("*.py")
        if mutants(path.read_text(encoding="utf-8"))
    }
    assert judging - {"checks.registry"} <= set(TESTS), "the registry only calls them"
    assert all((ROOT / "tests" / path).is_file() for paths in TESTS.values() for path in paths)
    assert {check.ask.__module__.removeprefix("investigate.") for check in book} <= set(TESTS)


@pytest.mark.parametrize(
    "wrong", [["--every", "0"], ["--number", "1", "--write", "x"], ["--number", "999999"]]
)
def test_a_run_of_mutants_that_would_say_what_is_not_so_is_refused(wrong, capsys):
    assert main(["mutants", "--only", "ledger.summary", "--show", *wrong]) == 2
    assert capsys.readouterr().err
