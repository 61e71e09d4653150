from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import date

import pyarrow.parquet as pq
import pytest

from benchmarks.__main__ import main
from benchmarks.documents import write_section
from benchmarks.scale import run as scale
from benchmarks.scale.growth import exponent
from benchmarks.scale.judging import differences
from benchmarks.scale.measuring import Failed, Measured, measured
from benchmarks.scale.tables import as_markdown
from benchmarks.synthetic import case as synthetic
from benchmarks.synthetic.faults import FAULTS
from benchmarks.synthetic.truth import TRUTH, digest_of
from investigate import pipeline
from investigate.case import open_case
from investigate.checks import book
from investigate.evidence import Evidence
from investigate.findings import dump, examine
from investigate.pipeline import REFERENCE
from tests.layers import ROOT

EVERY = 140  # days from one of a fault to the next: all faults fit into the smallest case


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "case"
    synthetic.write_case(folder, 1_000, every=EVERY)
    return folder


@pytest.fixture(scope="module")
def findings(case):
    path = case.parent / "findings.json"
    path.write_text(dump(examine(Evidence(open_case(case))).document), encoding="utf-8")
    return path


def rows(case, table):
    return [row for path in open_case(case).paths(table) for row in pq.read_table(path).to_pylist()]


def test_the_findings_of_a_synthetic_case_are_its_truth(case, findings):
    assert differences(case, findings) == []
    document = json.loads(findings.read_text(encoding="utf-8"))
    found = {entry["code"] for entry in document["checks"] if entry["outcome"] == "found"}
    promised = {code for fault in FAULTS for code, _ in fault.found}
    assert promised <= found
    assert promised <= {check.code for check in book}
    assert {entry["outcome"] for entry in document["checks"]} == {"found", "passed"}


def test_a_finding_too_few_a_wrong_verdict_and_another_pattern_are_told(case, findings, tmp_path):
    document = json.loads(findings.read_text(encoding="utf-8"))
    entry = next(entry for entry in document["checks"] if entry["code"] == "raw/missing")
    taken = entry["keys"].pop()
    entry["count"] -= 1
    document["aggregates"][0]["verdict"] = "missing"
    document["retries"].pop()
    document["checks"] = [one for one in document["checks"] if one["code"] != "raw/late"]
    other = tmp_path / "findings.json"
    other.write_text(json.dumps(document), encoding="utf-8")
    told = differences(case, other)
    assert len(told) == 4
    assert f"not true: none; not found: {taken}" in told[0]
    assert told[1] == "raw/late: not asked"
    assert told[2].startswith("verdicts of days: ")
    assert told[3].startswith("retries: ")


def test_keys_that_a_document_leaves_out_are_asked_for_again(case, findings, tmp_path):
    document = json.loads(findings.read_text(encoding="utf-8"))
    for entry in document["checks"]:
        if entry["code"] == "events/unreplayable":
            entry["keys"] = entry["keys"][:0]
    other = tmp_path / "findings.json"
    other.write_text(json.dumps(document), encoding="utf-8")
    assert differences(case, other) == []


def test_a_synthetic_case_has_the_same_bytes_however_it_is_cut(case, tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "ROWS_AT_ONCE", 1_200)
    monkeypatch.setattr(synthetic, "SLICE", 70)
    monkeypatch.setattr("benchmarks.synthetic.traffic.SLICE", 50)
    synthetic.write_case(tmp_path / "case", 1_000, every=EVERY, memory_mb=600)
    assert open_case(tmp_path / "case").files == open_case(case).files
    assert (tmp_path / "case" / TRUTH).read_bytes() == (case / TRUTH).read_bytes()


def test_synthetic_events_follow_the_recipes_of_the_pipeline(case):
    whole = [row for row in rows(case, "raw") if row["readable"]]
    assert len(whole) > 2_000
    for row in whole[::7]:
        payload = json.loads(row["payload"])
        assert pipeline.canonical_json(payload) == row["payload"]
        assert pipeline.payload_sha(payload) == row["payload_sha_actual"]
        assert REFERENCE.recomputed_event_id(row) == row["event_id_actual"]
        assert REFERENCE.parse_raw_key(row["s3_key"]).event_id == row["key_event_id"]
        assert pipeline.format_time(row["event_time_utc"]) == row["event_time"]
    for row in rows(case, "events")[::50]:
        assert row["pk"] == REFERENCE.event_pk(row["entity_id"])
        assert row["sk"] == REFERENCE.event_sk(row["event_time"], row["event_id"])
        assert json.loads(row["attributes"])["GSI1SK"] == row["gsi1sk"]


@pytest.mark.parametrize(
    ("figures", "slope"),
    [
        ({100_000: 1.0, 1_000_000: 10.0}, 1.0),
        ({100_000: 2.0, 1_000_000: 200.0, 10_000_000: 20_000.0}, 2.0),
        ({1_000: 9.0, 100_000: 5.0, 1_000_000: 5.0}, 0.0),
        ({1_000: 1.0, 100_000: 5.0}, None),
        ({100_000: 0.0, 1_000_000: 5.0}, None),
    ],
    ids=["in proportion", "with the square", "small sizes do not count", "one size", "nothing"],
)
def test_an_exponent_is_the_slope_of_the_logarithms(figures, slope):
    assert exponent(figures) == (pytest.approx(slope) if slope is not None else None)


def test_a_section_of_a_document_is_replaced_and_the_rest_stays(tmp_path):
    document = tmp_path / "benchmarks.md"
    write_section(document, "scale", "one")
    write_section(document, "peers", "two")
    write_section(document, "scale", "three")
    text = document.read_text(encoding="utf-8")
    assert "\none\n" not in text
    assert text.index("three") < text.index("<!-- begin peers -->") < text.index("\ntwo\n")
    assert text.startswith("# Benchmarks\n")
    document.write_text(text + "<!-- begin scale -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match="do not stand once"):
        write_section(document, "scale", "four")


def test_a_program_is_measured_in_a_process_of_its_own(tmp_path):
    printed = tmp_path / "out"
    # By a process that is small: on Linux a new one begins with the peak of who started it.
    code = (
        "import sys; from pathlib import Path; from benchmarks.scale.measuring import measured\n"
        "code = 'held = bytearray(200_000_000); print(len(held))'\n"
        "took = measured([sys.executable, '-c', code], Path(sys.argv[1]), within=60)\n"
        "print(took.peak_mb)"
    )
    told = subprocess.check_output([sys.executable, "-c", code, printed], cwd=ROOT, text=True)
    assert printed.read_text(encoding="utf-8") == "200000000\n"
    assert 190 < float(told) < 400
    with pytest.raises(Failed, match=r"ended with 1:\n.*SystemExit|ended with 1:\nno"):
        measured([sys.executable, "-c", "raise SystemExit('no')"], printed, within=60)
    with pytest.raises(Failed, match="ended with -9 after 0 s"):
        measured([sys.executable, "-c", "import time; time.sleep(60)"], printed, within=0.2)


def test_sizes_and_stages_that_make_no_sense_are_refused(capsys):
    for asked, told in (("1e12", "is not from 1e3 to 1e8"), ("many", "no number of events")):
        with pytest.raises(SystemExit) as refused:
            main(["scale", "--events", asked])
        assert refused.value.code == 2
        assert told in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["scale", "--stages", "check,guess"])
    assert "'guess' is none of write, check, ledger, trace, report" in capsys.readouterr().err


def test_a_kept_case_is_written_again_with_the_same_bytes_and_measured(case, capsys, tmp_path):
    (tmp_path / f"synthetic-1000-{EVERY}").symlink_to(case)
    parser = argparse.ArgumentParser()
    scale.add_options(parser)
    kept = ["--cases", str(tmp_path), "--every", str(EVERY), "--events", "1e3"]
    document, figures = tmp_path / "benchmarks.md", tmp_path / "figures.json"
    files = ["--json", str(figures), "--write", str(document)]
    assert scale.run(parser.parse_args([*kept, *files, "--stages", "write"])) == 0
    (size,) = json.loads(figures.read_text(encoding="utf-8"))["sizes"]
    assert set(size["stages"]) == {"write"}
    assert size["stages"]["write"]["wall"] > 0
    assert size["generated"] is None
    assert size["rows"]["raw"] > 1_000
    assert "| `write` |" in document.read_text(encoding="utf-8")
    assert "<!-- end scale -->" in document.read_text(encoding="utf-8")
    assert "| all tables |" in capsys.readouterr().out


def test_a_case_that_cannot_be_made_is_told_and_nothing_else_is_measured(capsys, tmp_path):
    figures = tmp_path / "figures.json"
    asked = ["scale", "--events", "1e3", "--every", "60", "--json", str(figures)]
    assert main(asked) == 1
    (size,) = json.loads(figures.read_text(encoding="utf-8"))["sizes"]
    assert set(size["failures"]) == {"generate"}
    assert "faults need at least" in size["failures"]["generate"]
    assert "`generate` failed: ValueError" in capsys.readouterr().out


def test_the_tables_tell_of_growth_failures_and_differences():
    small = scale.Size(
        100_000, None, {"check": Measured(10.0, 20.0, 500.0)}, {}, [], {"raw": 10**7}
    )
    large = scale.Size(
        1_000_000, None, {"check": Measured(100.0, 400.0, 500.0)}, {"report": "died:\nof age"},
        ["raw/late: other keys"], {"raw": 10**8},
    )  # fmt: skip
    text = as_markdown([small, large], date(2026, 3, 10), "a machine", "2GB")
    assert "2026-03-10; a machine; each" in text
    assert "each engine with 2GB of memory" in text
    assert "| `check` | 1,000,000 | 100.0 | 400.0 | 500 | 100.0 |" in text
    assert "| `check` | 1.00 | 1.30 | 0.00 |" in text
    assert "* 100,000 events: every key of every check" in text
    assert "* 1,000,000 events: 1 differences from the truth" in text
    assert "* 1,000,000 events: `report` failed: of age" in text
    assert "| `raw` | 100.0 | 100.0 |" in text


def test_a_digest_is_that_of_the_keys_and_their_number():
    assert digest_of([])["count"] == 0
    assert digest_of(["a", "b"]) == {"count": 2, "sha256": pipeline.sha256("a\nb\n")}
    assert digest_of(["a", "b"]) != digest_of(["ab", ""])
