"""The judge of the reliability campaign can fail: a product broken on purpose is found out."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.reliability import captures, reports
from benchmarks.reliability.captures import Pipeline, judged, pipeline
from benchmarks.reliability.commands import Said, said
from benchmarks.reliability.document import plain
from benchmarks.reliability.trial import unclear
from investigate.case import DEMO_CASES
from investigate.sandbox.weather import CALM, Weather

QUIET = Said(0, "", "")


def writes_in_place() -> None:
    """A writer that puts the case together where it will be found."""
    from investigate.case_writer import CaseWriter

    begin = CaseWriter.__post_init__

    def in_place(writer: CaseWriter) -> None:
        begin(writer)
        writer._draft = writer.folder

    CaseWriter.__post_init__ = in_place  # type: ignore[method-assign]


def takes_anything_for_an_answer() -> None:
    """A client to which an answer without content is a page without rows."""
    from investigate.aws import answers

    answers._refuse_other_json = lambda shape, page: None
    answers._OF_ITEMS = ()  # nor are the items of a page looked for


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with pipeline(tmp_path_factory.mktemp("pipeline")) as whole:
        case = whole.config.parent / "dedupe" / "case"
        yield captures.quiet(replace(whole, tables="dedupe", quiet=case))


def test_a_writer_that_writes_in_place_is_found_to_leave_half_a_case(known, tmp_path):
    known.served.become(CALM)
    folder = tmp_path / "case"
    dies = ("investigate.case_writer", "CaseWriter._write_manifest", 1)
    told = said(*known.arguments(folder), dies=dies, breaks=writes_in_place)
    assert told.code == -signal.SIGKILL
    verdict = judged(known, "dynamodb", folder, told, passes=False)
    assert verdict.half_written == "case is there without being a case"


def test_a_client_that_takes_anything_for_an_answer_is_found_to_lose_rows(known, tmp_path):
    known.served.become(Weather(emptied=1, only=frozenset({"dynamodb"})))
    folder = tmp_path / "case"
    told = said(*known.arguments(folder), breaks=takes_anything_for_an_answer)
    verdict = judged(known, "dynamodb", folder, told, passes=False)
    assert verdict.lost == "dedupe is called captured, and is not what a quiet capture holds"


def test_a_failure_that_passes_must_leave_no_trace(known, tmp_path):
    known.served.become(Weather(denied=frozenset({"dynamodb:Scan"})))
    folder = tmp_path / "case"
    told = said(*known.arguments(folder))
    assert not judged(known, "dynamodb", folder, told, passes=False).faults
    passing = judged(known, "dynamodb", folder, told, passes=True)
    assert passing.wrong.startswith("what passes left its traces")


def test_a_traceback_and_a_good_exit_code_without_a_case_are_wrong(known, tmp_path):
    bug = Said(1, "", "Traceback (most recent call last):\n  KeyError")
    (tmp_path / "bug").mkdir()
    assert "bug" in judged(known, "dynamodb", tmp_path / "bug" / "case", bug, passes=False).wrong
    (tmp_path / "quiet").mkdir()
    folder = tmp_path / "quiet" / "case"
    assert judged(known, "dynamodb", folder, QUIET, passes=False).wrong == "exit code 0 and no case"


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("", "nothing is said"),
        ("sqs:SendMessage failed → run the same again", ""),
        ("something failed → run the same again", "it does not name sqs:"),
        ("the queue of sqs: is away", "it does not say what to type next"),
    ],
)
def test_a_message_names_the_resource_and_what_to_type_next(sentence, why):
    assert unclear(sentence, "sqs:").startswith(why)
    assert bool(unclear(sentence, "sqs:")) == bool(why)


def test_half_a_page_and_a_run_that_is_not_there_are_found(tmp_path):
    out = tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    (out / "index.html").write_text("<html><body>", encoding="utf-8")
    (out / "findings.json").write_text("{", encoding="utf-8")
    found = reports.half_written(out)
    assert "index.html has no end" in found
    assert "findings.json is no JSON" in found
    assert "a first page and no list of runs" in found


def test_what_differs_between_two_cases_is_named(tmp_path):
    from benchmarks.reliability.judge import differences, half_written_case

    case = Path(shutil.copytree(DEMO_CASES / "healthy", tmp_path / "healthy"))
    assert differences(case, DEMO_CASES / "healthy") == []
    assert half_written_case(case) == ""
    manifest = json.loads((case / "case.json").read_text(encoding="utf-8"))
    file = case / manifest["tables"]["raw"]["files"][0]["path"]
    file.write_bytes(file.read_bytes()[:-1])
    assert differences(case, DEMO_CASES / "healthy") == ["raw/part-0.parquet"]
    assert "raw/part-0.parquet has" in half_written_case(case)


def test_the_table_holds_nothing_of_one_machine_or_run():
    text = "cases: /tmp/x/rel-ab12_/t3/case, http://127.0.0.1:40123/q, after 1.5 s | and more"
    assert plain(text) == "cases: case, https://AWS/q, after … s \\| and more"
