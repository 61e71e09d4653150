"""Another pipeline: other names, keys, ids, statuses, and a sum per hour; examined unchanged."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from investigate.case import MANIFEST, open_case
from investigate.checks import book
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.findings import Examination
from investigate.investigation import open_investigation
from investigate.model import STEPS, Outcome, Step
from investigate.pipeline import REFERENCE
from investigate.recovery.replaying import days as days_of_rows
from investigate.sandbox.demo import refuse_small_batches, stage_and_capture
from investigate.sandbox.faults import faults
from investigate.sandbox.meter_readings import METER_READINGS
from investigate.sandbox.traffic import LIGHT
from investigate.sandbox.truth import GroundTruth
from investigate.settings import load_settings
from investigate.symptom_answers import answer_symptom
from investigate.wording import reading_note, worded
from tests.commands.conftest import INVESTIGATE, process
from tests.test_demo_cases import differences, examined


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GroundTruth]:
    folder = tmp_path_factory.mktemp("second") / "healthy"
    truth = stage_and_capture(folder, (), LIGHT, well_configured=True, design=METER_READINGS)
    return folder, truth


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GroundTruth]:
    folder = tmp_path_factory.mktemp("second") / "everything"
    names = [fault.name for fault in faults]
    return folder, stage_and_capture(folder, names, LIGHT, design=METER_READINGS)


@pytest.fixture(scope="module")
def found(everything: tuple[Path, GroundTruth]) -> Examination:
    return examined(everything[0])


def finding_of(examination: Examination, code: str) -> Any:
    return next(one for one in examination.findings if one.code == code)


def test_the_healthy_second_pipeline_gives_every_check_an_answer_and_nothing_is_found(
    healthy: tuple[Path, GroundTruth],
) -> None:
    folder, truth = healthy
    examination = examined(folder)
    assert differences(examination, truth) == []
    assert {finding.outcome for finding in examination.findings} == {Outcome.PASSED}


def test_an_hour_of_it_has_a_version_with_the_sum_of_its_readings(
    healthy: tuple[Path, GroundTruth],
) -> None:
    evidence = Evidence(open_case(healthy[0]))
    rows = evidence.engine.rows(evidence["aggregates"].order_by("day", "version"))
    raw = evidence.engine.rows(evidence["raw"].select("event_id", "payload"))
    amounts = {row["event_id"]: json.loads(row["payload"])["watt_hours"] for row in raw}
    assert {len(row["day"]) for row in rows} == {len("2026-03-10T07")}
    assert {row["metric_name"] for row in rows} == {"hourly_watt_hours"}
    for row in rows:
        assert row["value"] == sum(amounts[one] for one in row["sample_event_ids"])
        assert row["sk"].startswith(f"HOUR/{row['day']}/V")


def test_its_faults_give_exactly_what_they_say_they_caused(
    everything: tuple[Path, GroundTruth], found: Examination
) -> None:
    truth = everything[1]
    assert truth.faults == [fault.name for fault in faults]
    assert differences(found, truth) == []
    codes = {check.code for step in STEPS for check in book.of(step)}
    assert codes - truth.findings.keys() == set()


def test_its_findings_speak_of_hours_and_of_its_own_statuses(found: Examination) -> None:
    split = finding_of(found, "aggregates/split")
    assert split.keys == ("batch-split 2026-03-10T02",)
    assert split.key == "entity_id day"  # the contract's word for the column
    assert split.summary == "1 hour is spread over versions of which none holds the whole hour."
    assert "versions of 1 hour whose inputs are unknown" in split.reason
    status = finding_of(found, "events/unknown-status")
    assert status.question == "Is the status anything but STORED or SEEN?"
    assert "Ingest writes STORED or SEEN." in status.advice
    assert found.document["design"] == "meter-readings"
    texts = [
        text
        for one in found.document["checks"]
        for text in (one["question"], one["summary"], one["advice"], one["avoid"], one["reason"])
    ]
    assert [text for text in texts if text and ("ACCEPTED" in text or "DUPLICATE" in text)] == []


def test_a_notebook_says_at_its_top_how_its_words_are_to_be_read(
    everything: tuple[Path, GroundTruth], found: Examination, tmp_path: Path
) -> None:
    kept = tmp_path / "findings.json"
    kept.write_text(json.dumps(found.document), encoding="utf-8")
    incident = open_investigation(str(everything[0]), findings=str(kept))
    note = (
        "The pipeline has the design meter-readings; an aggregate (hourly_watt_hours) is the sum "
        "of watt_hours of one hour; where a text or a column says day, read hour; its statuses are "
        "STORED and SEEN, not ACCEPTED and DUPLICATE."
    )
    assert note in incident.headline().text
    answer = answer_symptom("ingest-duplicate", found.findings, incident.evidence)
    assert answer.symptom.seen == "ingest says SEEN, and nobody sent the event twice"


def test_the_reference_pipeline_needs_no_such_note() -> None:
    assert reading_note(REFERENCE) == ""
    assert worded("a day is ACCEPTED", REFERENCE) == "a day is ACCEPTED"
    assert worded("A day in a day of days", METER_READINGS, Step.AGGREGATES) == (
        "An hour in an hour of hours"
    )


def test_an_event_of_it_is_traced_planned_and_asked_for_in_sql(
    everything: tuple[Path, GroundTruth],
) -> None:
    folder, truth = everything
    (lost,) = truth.findings["dedupe/orphan"]
    traced = process("trace", str(folder), lost, "--format", "json")
    assert traced.returncode == 0, traced.stderr
    assert json.loads(traced.stdout)["code"] == "dedupe/orphan"
    planned = process(
        "replay-plan", str(folder), "--entity", "raw-corrupt", "--start", "2026-03-10T00:00:00Z",
        "--end", "2026-03-11T00:00:00Z", "--format", "json",
    )  # fmt: skip
    assert planned.returncode == 0, planned.stderr
    counts = json.loads(planned.stdout)["counts"]
    assert (counts["send"], counts["would_fail"]) == (4, 2)
    asked = process("sql", str(folder), "--check", "events/key-mismatch")
    assert asked.returncode == 0, asked.stderr
    assert "'METER/'" in asked.stdout
    assert "ENTITY#" not in asked.stdout


def test_a_replay_of_it_touches_hours() -> None:
    rows = [{"event_time": f"2026-03-10T0{hour}:10:00Z"} for hour in (7, 7, 8)]
    touched = days_of_rows({"entity_id": "m1"}, rows, METER_READINGS)
    assert [one["day"] for one in touched] == ["2026-03-10T07", "2026-03-10T08"]


def test_a_fault_that_makes_no_sense_in_a_pipeline_is_refused() -> None:
    large = replace(METER_READINGS, batch_size=40)
    with pytest.raises(UsageError, match=r"batch-split makes no .*batch of 40 holds its 25"):
        faults["batch-split"].refuse_unfit(large)
    undated = replace(METER_READINGS, raw_key_layout="{event_date}/{event_id}.json")
    for name, said in (
        ("raw-copied", "do not tell the ingest date"),
        ("raw-misplaced", "do not tell the hour"),
        ("delimiter-collision", "do not tell the event type"),
    ):
        with pytest.raises(UsageError, match=rf"{name} makes no sense .*{said}"):
            faults[name].refuse_unfit(undated)
    apart = replace(METER_READINGS, hashed_id_layout="{source}+{event_type}+{payload_sha}")
    with pytest.raises(UsageError, match="do not join source and type"):
        faults["delimiter-collision"].refuse_unfit(apart)
    indexed = replace(METER_READINGS, gsi1pk_layout="{source}")
    with pytest.raises(UsageError, match="no day in its partition key"):
        faults["index-key-mismatch"].refuse_unfit(indexed)
    assert [one.name for one in faults if one.unfit(METER_READINGS)] == []
    assert [one.name for one in faults if one.unfit(REFERENCE)] == []


def test_a_pipeline_of_small_batches_is_not_staged() -> None:
    with pytest.raises(UsageError, match="hold 7 messages, and the stories need 8"):
        refuse_small_batches(replace(METER_READINGS, batch_size=7))
    with pytest.raises(UsageError, match="hold 9 messages, and the stories need 10"):
        refuse_small_batches(replace(REFERENCE, batch_size=9))


def test_it_is_served_captured_and_reported_with_what_serve_prints(tmp_path: Path) -> None:
    config, folder = tmp_path / "pipeline.toml", tmp_path / "case"
    asked = ("sandbox", "serve", "--pipeline", "meter-readings", "--fault", "same-second-overwrite")
    with (
        config.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            [*INVESTIGATE, *asked], stdout=kept, stderr=subprocess.PIPE, text=True
        ) as serving,
    ):
        assert serving.stderr
        line = next(line for line in serving.stderr if "http://" in line)
        url = line.split("answers at ")[1].split(";")[0]
        try:
            captured = process(
                "capture", str(folder), "--config", str(config), "--endpoint-url", url,
                "--sample-messages", "100", "--now", "2026-03-16T18:00:00Z",
            )  # fmt: skip
        finally:
            serving.send_signal(signal.SIGINT)
            serving.stderr.read()
    assert captured.returncode == 0, captured.stderr
    assert load_settings(config).names.design is METER_READINGS
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["design"]["name"] == "meter-readings"
    assert "design" not in manifest["pipeline"]
    reported = process("report", str(folder), "--out", str(tmp_path / "out"), "--allow-gaps")
    assert reported.returncode == 1, reported.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "of the design <code>meter-readings</code>" in page
    assert "Aggregates, hour by hour" in page
    assert "same-second-overwrite 2026-03-10T03" in page
    ended = json.loads((tmp_path / "out" / "notebooks.json").read_text(encoding="utf-8"))
    assert {one["state"] for one in ended["notebooks"]} == {"done"}
