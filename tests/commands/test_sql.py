"""`investigate sql`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import HEALTHY, LOST


def test_a_check_is_printed_as_one_statement_with_its_heading(ask):
    code, out, err = ask("sql", LOST, "--check", "raw/missing", "--database", "incident")
    assert (code, err) == (0, "")
    assert out.startswith("-- investigate sql: raw/missing of the case lost-events, for athena\n")
    assert 'FROM "incident"."events"' in out
    assert out.endswith('SELECT * FROM "offending_rows" ORDER BY "key";\n')


def test_the_installed_script_prints_what_is_asked_of_an_entity():
    """Its own name is that of the package, and stands in the path of its file."""
    script = Path(sys.executable).with_name("investigate")
    asked = [script, "sql", LOST, "--check", "raw/missing", "--entity"]
    done = subprocess.run([*asked, "raw-corrupt"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "'raw-corrupt'" in done.stdout
    done = subprocess.run([*asked, "nobody"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown entity 'nobody'" in done.stderr


def test_several_checks_stand_in_the_order_of_the_book(ask):
    _, out, _ = ask(
        "sql", LOST, "--check", "sqs/poison", "--check", "raw/late", "--dialect", "duckdb"
    )
    heads = [line for line in out.splitlines() if line.startswith("-- investigate sql: ")]
    assert [head.split()[3] for head in heads] == ["raw/late", "sqs/poison"]


def test_the_window_and_the_thresholds_of_the_question_are_in_the_statement(ask, tmp_path):
    config = tmp_path / "pipeline.toml"
    config.write_text("[thresholds]\nlate_seconds = 7\n")
    asked = ("--start", "2026-03-11T00:00:00Z", "--config", config)
    _, out, _ = ask("sql", LOST, "--check", "raw/late", *asked)
    assert "--   window: 2026-03-11T00:00:00Z to 2026-03-13T00:00:00Z" in out
    assert "--   threshold late_seconds = 7" in out
    assert "CAST('2026-03-11 00:00:00' AS TIMESTAMP(6))" in out


def test_the_tables_are_printed_alone(ask):
    code, out, _ = ask("sql", LOST, "--tables", "--location", "s3://bucket/case/")
    assert code == 0
    assert "CREATE EXTERNAL TABLE IF NOT EXISTS `raw`" in out
    assert "WITH" not in out


def test_a_check_that_the_case_cannot_answer_is_said_and_is_exit_code_3(ask, case):
    code, out, err = ask("sql", case, "--check", "raw/late", "--check", "sqs/poison")
    assert code == 3
    assert "raw/late of the case" in out
    assert "investigate: no statement for sqs/poison: needs messages: skipped" in err


def test_a_folder_gets_a_file_per_check_and_again_without_those_of_before(ask, tmp_path):
    folder = tmp_path / "new" / "sql"
    assert ask("sql", LOST, "--check", "sqs/poison", "--out", folder)[0] == 0
    first = {path.name for path in folder.iterdir()}
    assert {"tables.sql", "sqs-poison.sql"} <= first
    ask("sql", LOST, "--check", "raw/late", "--out", folder)
    assert {path.name for path in folder.iterdir()} == {"tables.sql", "raw-late.sql"}


@pytest.mark.parametrize("name", ["notes.txt", "mine.sql"])
def test_a_folder_of_somebody_else_is_left_alone(ask, tmp_path, name):
    (tmp_path / name).write_text("select 1")
    code, out, err = ask("sql", LOST, "--check", "raw/late", "--out", tmp_path)
    assert (code, out) == (2, "")
    assert f"holds what this command did not write: {name}" in err
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--dialect", "oracle"), "unknown dialect 'oracle' (known: athena, trino, duckdb)"),
        (("--check", "raw/mising"), "did you mean 'raw/missing'"),
        (("--check", "raw/late", "--step", "raw"), "--step has no meaning"),
        (("--tables", "--location", "bucket/case"), "is no address in S3"),
    ],
)
def test_a_wrong_question_is_one_message(ask, wrong, told):
    code, out, err = ask("sql", HEALTHY, *wrong)
    assert (code, out) == (2, "")
    assert told in err
