from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from investigate.analysis import logs
from investigate.engine import DuckDBEngine, literal_rows
from investigate.errors import NotEvaluable
from tests.builders import at, evidence_of, function_row, invocation_row, log_line
from tests.spark import spark_sql


def read(json: str | None, *, text: str = "", whole: str = "") -> Any:
    table = literal_rows([{"json": json}], {"json": "string"})
    value = logs.text_in(table.json, text) if text else logs.whole_in(table.json, whole)
    return DuckDBEngine().rows(table.select(value=value))[0]["value"]


@pytest.mark.parametrize(
    ("json", "value"),
    [
        ('{"start": "2026-03-10T00:00:00Z"}', "2026-03-10T00:00:00Z"),
        ('{"a":1,"start":"x","b":2}', "x"),
        ('{"restart": "x"}', None),
        ('{"err": "\\"start\\": \\"x\\""}', None),
        ('{"start": "caf\\u00e9"}', None),
        (r'{"start": "on \"a b\" or \"c\"", "d": "e"}', 'on "a b" or "c"'),
        (r'{"start": "C:\\new\\", "d": "\""}', "C:\\new\\"),
        (r'{"start": "one\ntwo"}', "one\ntwo"),
        (r'{"start": "\\u00e9 \\\"x\""}', r'\u00e9 \"x"'),
        ('{"start": 3}', None),
        ("{}", None),
        ("plain text", None),
        (None, None),
    ],
)
def test_a_text_is_read_from_flat_json(json: str | None, value: str | None) -> None:
    assert read(json, text="start") == value


@pytest.mark.parametrize(
    ("json", "value"),
    [
        ('{"scanned": 12, "sent": 3}', 12),
        ('{"sent":3,"scanned":0}', 0),
        ('{"scanned": "12"}', None),
        ('{"sent": 3}', None),
        (None, None),
    ],
)
def test_a_whole_number_is_read_from_flat_json(json: str | None, value: int | None) -> None:
    assert read(json, whole="scanned") == value


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-10T00:00:00Z", "2026-03-10T00:00:00"),
        ("2026-03-10T00:00:00.250Z", "2026-03-10T00:00:00.250000"),
        ("2026-03-10T00:00:00+01:00", None),
        ("2026-03-10", None),
        ("yesterdayZ", None),
        (None, None),
    ],
)
def test_only_the_pipelines_own_time_format_is_a_time(text: str | None, moment: str | None) -> None:
    table = literal_rows([{"text": text}], {"text": "string"})
    (row,) = DuckDBEngine().rows(table.select(at=logs.moment_of(table.text)))
    assert (row["at"] and row["at"].isoformat()) == moment


def test_the_readers_are_expressions_of_spark_too() -> None:
    table = literal_rows([], {"json": "string"})
    read_all = table.select(
        text=logs.text_in(table.json, "start"),
        whole=logs.whole_in(table.json, "scanned"),
        moment=logs.moment_of(logs.text_in(table.json, "start")),
    )
    assert "REGEXP_EXTRACT" in spark_sql(read_all)


SAID = log_line("replay_enqueued", at(30), "p1", entity_id="e1", scanned=1, sent=1)
RUN = invocation_row("p1", at(30), function="replay")


def silence(folder: Path, role: str = "replay", **tables: Any) -> str:
    return logs.info_lines_gap(evidence_of(folder, **tables), role)


def test_a_role_whose_runs_all_left_their_line_is_not_silent(tmp_path: Path) -> None:
    functions = [function_row("replay")]
    assert silence(tmp_path, log_lines=[SAID], invocations=[RUN], functions=functions) == ""


def test_a_role_that_never_ran_is_not_silent(tmp_path: Path) -> None:
    assert silence(tmp_path, log_lines=[], invocations=[], functions=[function_row("replay")]) == ""


def test_lines_prove_that_lines_arrive_whatever_the_log_format(tmp_path: Path) -> None:
    functions = [function_row("replay", log_format="Text")]
    assert silence(tmp_path, log_lines=[SAID], functions=functions) == ""


@pytest.mark.parametrize("log_format", ["Text", None])
def test_with_the_text_format_no_line_proves_nothing(
    tmp_path: Path, log_format: str | None
) -> None:
    functions = [function_row("replay", log_format=log_format)]
    told = silence(tmp_path, log_lines=[], invocations=[], functions=functions)
    assert told.startswith("no replay_enqueued line was captured")
    assert "D20" in told


def test_a_run_without_its_line_is_silent(tmp_path: Path) -> None:
    other = invocation_row("p2", at(31), function="replay")
    told = silence(tmp_path, log_lines=[SAID], invocations=[RUN, other])
    assert told == "1 invocation of the role replay left no replay_enqueued line"


def test_a_run_of_another_role_says_nothing(tmp_path: Path) -> None:
    functions = [function_row("replay"), function_row("processor")]
    other = invocation_row("p2", at(31), function="processor")
    assert silence(tmp_path, log_lines=[], invocations=[other], functions=functions) == ""


def test_a_processor_run_that_failed_is_retried_and_need_not_have_said_anything(
    tmp_path: Path,
) -> None:
    functions = [function_row("processor")]
    failed = invocation_row("r1", at(31), status="error")
    assert (
        silence(tmp_path, "processor", log_lines=[], invocations=[failed], functions=functions)
        == ""
    )


@pytest.mark.parametrize("absent", ["functions", "invocations"])
def test_no_line_proves_nothing_while_the_reason_is_unknown(tmp_path: Path, absent: str) -> None:
    tables: dict[str, Any] = {"functions": [function_row("replay")], "invocations": []}
    del tables[absent]
    assert absent in silence(tmp_path, log_lines=[], **tables)


def test_silence_cannot_be_told_without_log_lines(tmp_path: Path) -> None:
    with pytest.raises(NotEvaluable, match="log_lines"):
        silence(tmp_path, functions=[function_row("replay")], invocations=[])


def test_no_line_proves_nothing_while_the_role_has_no_known_function(tmp_path: Path) -> None:
    functions = [function_row("ingest")]
    told = silence(tmp_path, log_lines=[], invocations=[], functions=functions)
    assert told.endswith("no function of the role replay is known")
