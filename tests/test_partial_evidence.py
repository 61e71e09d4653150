"""With less evidence the checks may know less, but nothing they say becomes wrong."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from investigate import pipeline
from investigate.analysis.telemetry import UNNAMED
from investigate.case import MANIFEST, Case, Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.evidence import Evidence
from investigate.findings import run_checks
from investigate.model import Finding, Outcome, isoformat
from investigate.sandbox.demo import DEMOS, staged, take
from investigate.sandbox.traffic import LIGHT
from investigate.sandbox.truth import GroundTruth
from tests.observed import Observed, observed
from tests.scoped import Row, rows_of

EVERYTHING = Path(__file__).parent.parent / "data" / "cases" / "everything"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)  # in the middle of the window
AFTER = datetime(2026, 3, 13, 0, 30, tzinfo=UTC)  # just after it


@pytest.fixture(scope="module")
def whole() -> Observed:
    """All there is to say of the case of which each test takes something away."""
    return observed(open_case(EVERYTHING))


def untrue(finding: Finding, truth: GroundTruth) -> list[str]:
    """What a finding says that is not so; not to know is never untrue."""
    happened, said = truth.findings.get(finding.code, set()), set(finding.keys)
    if finding.outcome is Outcome.PASSED and happened:
        return [f"{finding.code}: passed, and {len(happened)} happened"]
    if finding.outcome is Outcome.ERROR:
        return [f"{finding.code}: {finding.reason}"]
    wrong = [f"{finding.code}: extra {key}" for key in sorted(said - happened)]
    if finding.outcome is Outcome.FOUND and happened - said and not finding.reason:
        wrong.append(f"{finding.code}: {len(happened - said)} missed without a reason")
    return wrong


def untruths(findings: Iterable[Finding], truth: GroundTruth) -> list[str]:
    return [wrong for finding in findings for wrong in untrue(finding, truth)]


def halved(case: Path, table: str, folder: Path) -> Path:
    """The case, with the first half of one table only, as a capture that was cut off."""
    shutil.copytree(case, folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    file = manifest["tables"][table]["files"][0]
    rows = pq.read_table(folder / file["path"])
    half = rows.slice(0, rows.num_rows // 2)
    pq.write_table(half, folder / file["path"])
    content = (folder / file["path"]).read_bytes()
    file.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    manifest["tables"][table]["rows"] = half.num_rows
    manifest["coverage"][table] = {"status": "partial", "reason": "cut off", "horizon": None}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def unread(case: Path, error: str, folder: Path) -> Path:
    """The case, with every ninth raw object listed and not read: denied, failed or archived."""
    whole = open_case(case)
    rows = rows_of(whole, "raw")
    unseen = [row for row in rows if row["key_event_id"]][::9]
    hidden = set(pipeline.REQUIRED_FIELDS) | {
        "event_time_utc", "ingest_time_utc", "payload_sha_actual", "event_id_actual",
        "idempotency_key",
    }  # fmt: skip
    for row in unseen:
        row |= {name: None for name in hidden if name in row} | {"readable": False, "error": error}
    known = Coverage("partial", f"{len(unseen)} objects {error}", listed=True)
    with CaseWriter(
        folder, whole.name, whole.window, whole.captured_at, whole.settle_seconds, whole.tool,
        whole.pipeline, scope=_scope(whole),
    ) as writer:  # fmt: skip
        for table in whole.tables:
            if table == "raw":
                writer.add(table, rows, known)
            else:
                writer.add(table, rows_of(whole, table), whole.coverage_of(table))
    return folder


def as_of(case: Path, table: str, moment: datetime, folder: Path) -> Path:
    """The case, with one table from an export or a report of an earlier moment."""
    whole = open_case(case)
    told = {name: rows_of(whole, name) for name in whole.tables}
    born = first_seen(told)
    rows = [row for row in told[table] if birth(table, row, born) <= moment]
    assert 0 < len(rows) < len(told[table])
    known = Coverage("captured", "from its export", f"../{isoformat(moment)}")
    with CaseWriter(
        folder, whole.name, whole.window, whole.captured_at, whole.settle_seconds, whole.tool,
        whole.pipeline, scope=_scope(whole),
    ) as writer:  # fmt: skip
        for name in whole.tables:
            if name == table:
                writer.add(name, rows, known)
            else:
                writer.add(name, told[name], whole.coverage_of(name))
    return folder


def first_seen(told: dict[str, list[Row]]) -> dict[str, datetime]:
    """When each event id arrived: a duplicate gives its row a later time than its first."""
    found: dict[str, datetime] = {}
    for table, column in (("raw", "last_modified"), ("dedupe", "first_seen_utc")):
        for row in told[table]:
            event_id = row.get("key_event_id") or row["event_id"]
            found[event_id] = min(found.get(event_id, row[column]), row[column])
    return found


def birth(table: str, row: Row, born: dict[str, datetime]) -> datetime:
    """When a row came to be, as near as the case tells."""
    if table == "aggregates":
        return row["computed_at_utc"] or LONG_AGO
    if table == "raw":
        return row["last_modified"]
    return born.get(row["event_id"], row.get("ingest_time_utc") or LONG_AGO)


def _scope(case: Case) -> dict[str, object]:
    dates = list(case.event_dates) if case.event_dates else None
    return {"entities": list(case.scope_entities), "event_dates": dates}


def without(case: Path, table: str, folder: Path) -> Path:
    """The case without one table, as a capture that was denied it."""
    shutil.copytree(case, folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del manifest["tables"][table]
    manifest["coverage"][table] = {"status": "denied", "reason": "AccessDenied", "horizon": None}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.mark.parametrize("table", ["raw", "events", "log_lines", "invocations", "aggregates"])
def test_with_half_of_a_table_nothing_untrue_is_said(
    whole: Observed, tmp_path: Path, table: str
) -> None:
    case = open_case(halved(EVERYTHING, table, tmp_path / "case"))
    assert untruths(whole.findings_of(case), GroundTruth.read(EVERYTHING)) == []


@pytest.mark.parametrize("error", ["denied (AccessDenied)", "failed (500)", "archived"])
def test_objects_that_could_not_be_read_are_listed_all_the_same(
    whole: Observed, tmp_path: Path, error: str
) -> None:
    case = open_case(unread(EVERYTHING, error, tmp_path / "case"))
    truth = GroundTruth.read(EVERYTHING)
    findings = {finding.code: finding for finding in whole.findings_of(case)}
    # What is archived, the processor cannot load either.
    judged = [f for f in findings.values() if (f.code, error) != ("replay/would-fail", "archived")]
    assert untruths(judged, truth) == []
    for code in ("raw/missing", "raw/expired", "events/dangling-key", "dedupe/orphan"):
        assert set(findings[code].keys) == truth.findings[code]
    silences = set(findings["raw/gap"].keys)
    assert silences
    assert silences <= truth.findings["raw/gap"]
    for code in ("raw/corrupt", "raw/late", "raw/payload-mismatch", "dedupe/reaccepted"):
        assert "objects could not be fetched" in str(findings[code].reason)


@pytest.mark.parametrize("table", ["raw", "events", "log_lines", "messages"])
def test_without_a_table_nothing_untrue_is_said(
    whole: Observed, tmp_path: Path, table: str
) -> None:
    case = open_case(without(EVERYTHING, table, tmp_path / "case"))
    truth = GroundTruth.read(EVERYTHING)
    if case.coverage_of(table).status == "denied":
        truth.add("access/denied", UNNAMED)
    assert untruths(whole.findings_of(case), truth) == []


def test_with_the_thin_logs_of_the_default_runtime_nothing_untrue_is_said(tmp_path: Path) -> None:
    with staged(DEMOS["everything"].faults, LIGHT, log_format="Text") as (sandbox, truth):
        take(sandbox, tmp_path / "case")
    findings = run_checks(Evidence(open_case(tmp_path / "case")))
    assert untruths(findings, truth) == []


@pytest.mark.parametrize(
    ("table", "moment"),
    [
        *((table, NOON) for table in ("raw", "events", "dedupe", "aggregates")),
        ("aggregates", AFTER),
    ],
)
def test_a_table_of_an_earlier_moment_proves_nothing_of_later_ones(
    whole: Observed, tmp_path: Path, table: str, moment: datetime
) -> None:
    case = open_case(as_of(EVERYTHING, table, moment, tmp_path / "case"))
    assert untruths(whole.findings_of(case), GroundTruth.read(EVERYTHING)) == []
