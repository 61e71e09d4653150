"""What the checks computed is read by a notebook only if it answers for the very same question."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from investigate import precomputed
from investigate.case import open_case
from investigate.engine import DuckDBEngine
from investigate.evidence import Evidence
from investigate.findings import dump, examine
from investigate.ledger.rows import ledger
from investigate.precomputed import SHOWN_ROWS, first_rows, read_precomputed, write_precomputed
from investigate.settings import Thresholds
from tests.builders import evidence_of
from tests.complete import troubled


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Evidence, Path]:
    """An examined case and the path of its findings, with what was computed beside them."""
    evidence = evidence_of(tmp_path_factory.mktemp("case"), **troubled())
    findings = tmp_path_factory.mktemp("place") / "findings.json"
    examination = examine(evidence)
    findings.write_text(dump(examination.document), encoding="utf-8")
    write_precomputed(evidence, examination, findings)
    return evidence, findings


@pytest.fixture
def copied(written, tmp_path) -> Path:
    """The findings in a folder of their own, where what lies beside them may be changed."""
    _, findings = written
    shutil.copytree(findings.parent, tmp_path / "copy")
    return tmp_path / "copy" / findings.name


def again(evidence: Evidence) -> Evidence:
    """The same case in an engine that has computed nothing yet."""
    return Evidence(open_case(evidence.case.folder))


def uses(evidence: Evidence, findings: Path) -> bool:
    """Whether this evidence, which has computed nothing, takes what lies beside these findings."""
    read_precomputed(evidence, findings)
    return bool(evidence._given or evidence._facts)


def test_a_table_that_was_computed_is_read_and_holds_the_same_rows(written, monkeypatch):
    evidence, findings = written
    other = again(evidence)
    read_precomputed(other, findings)
    built = []
    monkeypatch.setattr(DuckDBEngine, "materialise", lambda _, table: built.append(table))
    tables, _ = evidence.computed()
    assert "ledger" in tables
    for name, table in tables.items():
        found = other.derived(name, lambda known: pytest.fail("it was computed again"))
        assert other.engine.rows(found) == evidence.engine.rows(table), name
        assert found.schema() == table.schema(), name
    assert built == []


def test_the_rows_to_show_are_those_that_a_notebook_would_find_itself(written):
    evidence, findings = written
    given, alone = again(evidence), again(evidence)
    read_precomputed(given, findings)
    document = json.loads(findings.read_text(encoding="utf-8"))
    found = [one["code"] for one in document["checks"] if one["outcome"] == "found"]
    assert found
    for code in found[::5]:
        assert first_rows(given, code, SHOWN_ROWS) == first_rows(alone, code, SHOWN_ROWS)


def test_only_the_first_rows_are_shown_and_all_are_counted(written):
    evidence, _ = written
    rows, total = first_rows(evidence, "events/duplicate", 50)
    assert len(rows) == total > 1
    assert first_rows(evidence, "events/duplicate", 1) == (rows[:1], total)


def test_facts_are_plain_values_and_come_back_as_they_are(written):
    evidence, findings = written
    other = again(evidence)
    read_precomputed(other, findings)
    assert "accounting_gaps" in other._facts
    assert all(evidence._facts[name] == value for name, value in other._facts.items())


def test_a_part_cut_from_the_case_computes_its_own(written):
    evidence, findings = written
    other = again(evidence)
    read_precomputed(other, findings)
    none = other.cut({"events": other["events"].limit(0), "raw": other["raw"].limit(0)})
    assert other.engine.rows(ledger(none)) != other.engine.rows(ledger(other))


def test_without_anything_beside_the_findings_all_is_computed(written, tmp_path):
    evidence, findings = written
    shutil.copy(findings, tmp_path)
    assert not uses(again(evidence), tmp_path / findings.name)


def test_other_thresholds_are_another_question(written):
    evidence, findings = written
    assert uses(again(evidence), findings)
    stricter = replace(Thresholds(), late_seconds=1)
    assert not uses(Evidence(evidence.case, thresholds=stricter), findings)


def test_other_findings_are_not_those_that_the_tables_belong_to(written, copied):
    evidence, _ = written
    document = json.loads(copied.read_text(encoding="utf-8"))
    copied.write_text(dump({**document, "entities": ["e1"]}), encoding="utf-8")
    assert not uses(again(evidence), copied)


def test_another_case_of_the_same_name_is_not_answered(written, tmp_path):
    _, findings = written
    events = troubled()["events"][1:]
    other = evidence_of(tmp_path, **{**troubled(), "events": events})
    assert not uses(other, findings)


def test_another_version_is_not_answered(written, monkeypatch):
    evidence, findings = written
    monkeypatch.setattr(precomputed, "version", lambda _: "0.0.1")
    assert not uses(again(evidence), findings)


def test_a_file_that_was_changed_is_not_read(written, copied):
    evidence, _ = written
    first, second, *_ = sorted((copied.parent / "findings.precomputed").glob("*.parquet"))
    first.write_bytes(second.read_bytes())
    assert not uses(again(evidence), copied)


def test_a_file_outside_the_folder_is_not_read(written, copied):
    evidence, _ = written
    folder = copied.parent / "findings.precomputed"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    told = index["tables"]["ledger"]
    (folder / told["path"]).rename(copied.parent / "outside.parquet")
    told["path"] = "../outside.parquet"
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    assert not uses(again(evidence), copied)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}"])
def test_an_index_that_makes_no_sense_is_left_alone(written, copied, text):
    evidence, _ = written
    (copied.parent / "findings.precomputed" / "index.json").write_text(text, encoding="utf-8")
    assert not uses(again(evidence), copied)


def test_what_is_written_is_json_and_parquet_only(written):
    _, findings = written
    kinds = {path.suffix for path in (findings.parent / "findings.precomputed").iterdir()}
    assert kinds == {".json", ".parquet"}
