from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import coverage_table, report, start
from benchmarks.__main__ import main
from benchmarks.capture import figures, toolbox
from benchmarks.capture.contenders import SUBJECTS, Role
from benchmarks.capture.contest import Figures
from benchmarks.capture.evidence import WINDOW, events
from benchmarks.capture.outcome import Outcome
from benchmarks.capture.targets import Target
from investigate import case_writer, pipeline
from investigate.pipeline import REFERENCE
from investigate.report.notebooks import NOTEBOOKS


def test_the_engine_and_the_loops_explain_every_version_alike(capsys):
    assert main(["explain", "--events", "600", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert "equal for 64 versions" in printed
    assert "times the engine's time" in printed


def test_what_starts_is_timed_beside_bare_python(capsys, tmp_path):
    document = tmp_path / "benchmarks.md"
    assert main(["start", "--rounds", "1", "--write", str(document)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in printed[1:]] == list(start.STARTS)
    rows = [line for line in document.read_text("utf-8").splitlines() if line.startswith("| `")]
    milliseconds = {cells[1].strip(): int(cells[2]) for cells in (row.split("|") for row in rows)}
    assert milliseconds["`import pandas`"] > 0
    assert milliseconds["`investigate --help`"] > 0


def test_a_start_that_fails_ends_the_run(capsys, monkeypatch):
    monkeypatch.setattr(start, "STARTS", {"broken": ("-c", "raise SystemExit(3)")})
    assert main(["start"]) == 1
    assert "broken fails" in capsys.readouterr().err


def test_what_an_event_takes_on_disk_is_printed_by_table(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(case_writer, "LARGE", 500)
    document = tmp_path / "benchmarks.md"
    assert main(["storage", "--events", "2000", "--write", str(document)]) == 0
    shares = {
        cells[1].strip(" `"): int(cells[-2].strip(" %"))
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("| `") and (cells := line.split("|"))
    }
    assert shares["events"] < 40 < shares["log_lines"] <= 100
    assert "<!-- begin storage -->" in document.read_text(encoding="utf-8")


def test_what_tests_reach_is_told_by_package_with_the_modules_below(capsys, tmp_path):
    files = {
        "investigate/model.py": (10, 10, 4, 4),
        "investigate/aws/meter.py": (10, 8, 10, 6),
        "investigate/aws/door.py": (80, 80, 0, 0),
        "investigate/aws/__init__.py": (0, 0, 0, 0),
    }
    lines = coverage_table.section(files, "two tests").splitlines()
    assert "| `aws/` | 90 | 88 | 10 | 6 | 94.0 |" in lines
    assert "| top level | 10 | 10 | 4 | 4 | 100.0 |" in lines
    assert "| all | 100 | 98 | 14 | 10 | 94.7 |" in lines
    assert [line for line in lines if line[:1] == "*"] == ["* `investigate.aws.meter`: 70 %"]
    assert main(["coverage", "--data", str(tmp_path / "none")]) == 2
    assert "make coverage" in capsys.readouterr().out


def test_what_coverage_has_gathered_is_read(tmp_path):
    program, data = tmp_path / "program.py", tmp_path / "data"
    program.write_text("import sys\nif len(sys.argv) > 9:\n    print(1)\n", encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", "--branch", "--rcfile=", f"--data-file={data}",
         f"--include={program}", str(program)],
        check=True,
    )  # fmt: skip
    ((name, counts),) = coverage_table.files_in(data).items()
    assert name.endswith("program.py")
    assert counts == (3, 2, 2, 1)


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["guess"])
    assert refused.value.code == 2
    assert "explain" in capsys.readouterr().err


def test_an_unknown_part_of_the_capture_is_refused(capsys):
    assert main(["capture", "--offline", "--only", "raw,guess"]) == 2
    assert "guess is none of raw,list,tables,memory" in capsys.readouterr().err


def test_every_reader_of_the_lock_returns_the_same_rows(capsys, tmp_path):
    sizes = ["--objects", "12", "--rows", "15", "--rounds", "1"]
    found = tmp_path / "figures.json"
    assert main(["capture", "--offline", *sizes, "--json", str(found)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("answers equal") == 3
    assert "raw, ours to boto3: " in printed
    document = json.loads(found.read_text(encoding="utf-8"))
    assert document["agree"]
    rows = {name: {one["rows"] for one in found} for name, found in document["subjects"].items()}
    assert rows == {"raw": {12}, "list": {12}, "tables": {15}}
    assert {count: one["rows"] for count, one in document["memory"].items()} == {
        "12": 12,
        "120": 120,
    }
    roles = [one["role"] for one in document["subjects"]["tables"]]
    assert sorted(roles) == ["baseline", "limit", "other", "ours"]


@pytest.mark.skipif(
    toolbox.installed() is None, reason="the tools come with `python -m benchmarks capture`"
)
def test_every_reader_with_tools_returns_the_same_rows(capsys, tmp_path):
    sizes = ["--objects", "12", "--rows", "15", "--rounds", "1", "--only", "raw,list,tables"]
    found = tmp_path / "figures.json"
    assert main(["capture", *sizes, "--json", str(found)]) == 0
    assert capsys.readouterr().out.count("answers equal") == 3
    measured = json.loads(found.read_text(encoding="utf-8"))["subjects"]
    assert {name: len(found) for name, found in measured.items()} == {
        name: len(subject.contenders) for name, subject in SUBJECTS.items()
    }


def test_events_of_the_benchmark_are_those_of_the_pipeline():
    found = list(events(500))
    assert list(events(300)) == found[:300]
    assert len({event.key for event in found}) == 500
    assert 800 < sum(len(event.data) for event in found) / 500 < 1_200
    for event in found:
        assert REFERENCE.recomputed_event_id(event.body) == event.body["event_id"]
        assert pipeline.payload_sha(event.body["payload"]) == event.row["payload_sha"]
        assert WINDOW.start.isoformat()[:10] <= str(event.row["day"]) < WINDOW.end.isoformat()[:10]
        key = REFERENCE.parse_raw_key(event.key)
        assert key is not None
        assert (key.event_id, key.hour) == (event.row["event_id"], event.row["hour"])


def _measured(seconds: dict[Role, float], digests: dict[Role, str] | None = None) -> Outcome:
    """Tables of 1,000 rows, read by contenders of each role in one round."""
    outcome = Outcome()
    for contender in SUBJECTS["tables"].contenders:
        role = contender.role
        digest = (digests or {}).get(role, "same")
        one = {"seconds": seconds.get(role, 1.0), "cpu": 0.5, "peak_mb": 50.0}
        figure = Figures(contender, [{**one, "rows": 1_000, "digest": digest}])
        outcome.subjects.setdefault("tables", []).append(figure)
    return outcome


def test_a_reader_that_answers_otherwise_is_told():
    outcome = _measured({}, {Role.OURS: "other"})
    assert not outcome.agree
    assert "  answers NOT EQUAL" in list(figures.lines(outcome))


def test_ratios_are_to_the_baseline_and_targets_to_the_limit():
    outcome = _measured({Role.BASELINE: 2.0, Role.LIMIT: 0.2, Role.OURS: 0.25})
    document = figures.document(outcome)
    ratios = {one["role"]: one["ratio"] for one in document["subjects"]["tables"]}
    assert ratios == {"baseline": 1.0, "other": 2.0, "limit": 10.0, "ours": 8.0}
    assert [(one["name"], one["value"], one["met"]) for one in document["targets"]] == [
        ("tables, ours to awswrangler dynamodb.read_items, 8 threads", 4.0, True),
        ("tables, server's limit to ours", 1.25, True),
    ]


def test_a_target_that_is_missed_says_so():
    target = Target("raw, ours to boto3", 5.99, 6)
    assert str(target) == "MISSED  raw, ours to boto3: 5.99× (at least 6×)"
    assert str(replace(target, at_least=False)).startswith("met ")


def test_memory_that_grows_with_the_objects_is_missed():
    outcome = Outcome(memory={10: {"peak_mb": 200.0}, 100: {"peak_mb": 301.0}})
    assert [target.met for target in outcome.targets] == [False, True]


def test_the_tools_are_found_only_in_the_versions_asked_for(tmp_path: Path):
    (tmp_path / "ready").write_text("those of last year", encoding="utf-8")
    assert toolbox.installed(tmp_path) is None


def test_a_report_of_no_case_is_refused_before_anything_is_timed(capsys, tmp_path):
    assert main(["report", "--case", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert "case.json" in printed.err
    assert printed.out == ""


def _side(pages: frozenset[str], wall: float) -> report.Side:
    return report.Side(wall, wall * 2, pages)


def test_a_report_is_compared_by_its_seconds_and_by_its_work(capsys, monkeypatch):
    every = frozenset(NOTEBOOKS)
    sides = iter([_side(every, 10.0), _side(every, 40.0)])
    monkeypatch.setattr(report, "_timed", lambda work: next(sides))
    assert main(["report"]) == 0
    printed = capsys.readouterr().out
    assert "investigate to the loop        0.25  ,    0.25" in printed
    assert printed.count("every page") == 2


def test_a_side_without_every_page_is_no_comparison(capsys, monkeypatch):
    every = frozenset(NOTEBOOKS)
    sides = iter([_side(every, 10.0), _side(every - {"04_sqs"}, 40.0)])
    monkeypatch.setattr(report, "_timed", lambda work: next(sides))
    assert main(["report"]) == 1
    assert "the loop: NO page of 04_sqs" in capsys.readouterr().out


def test_a_notebook_without_its_last_cell_made_no_page(tmp_path):
    for name in ("00_overview", "04_sqs"):
        (tmp_path / f"{name}.html").write_text("<p>a page</p>", encoding="utf-8")
    (tmp_path / "00_overview.ipynb").write_text(f'{{"{report.ENDED}": 1}}', encoding="utf-8")
    (tmp_path / "04_sqs.ipynb").write_text("{}", encoding="utf-8")
    assert report._pages(tmp_path) == {"00_overview"}
