"""What a draft holds becomes a case: every table in order, however its files came."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.capture import publishing
from investigate.capture.draft import CaptureDraft
from investigate.capture.publishing import publish
from investigate.capture.source import Captured
from investigate.case import Case, Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.model import Window
from investigate.tables import ORDER, as_table
from tests.builders import END, START, at

WHOLE = Coverage("captured")


@pytest.fixture
def draft(tmp_path):
    with CaptureDraft(tmp_path / "case", {}) as begun:
        yield begun


def keep(draft: CaptureDraft, table: str, *steps: Sequence[str]) -> None:
    """Keep rows in steps; each row is no more than the first column of its order."""
    first = ORDER[table][0]
    for step in steps:
        rows = as_table(table, [{first: key} for key in step])
        ordered = rows.sort_by([(name, "ascending") for name in ORDER[table]])
        draft.write(table, {table: (ordered, ORDER[table])}, {})


def published(draft: CaptureDraft, *known: Captured, hidden=str) -> Case:
    folder = draft.case.parent.parent / "case"
    with CaseWriter(
        folder=folder,
        name="case",
        window=Window(START, END),
        captured_at=at(20),
        settle_seconds=900,
        tool={},
        pipeline={},
        draft=draft.case,
    ) as writer:
        publish(writer, draft, known, hidden)
    return open_case(folder)


def keys(case: Case, table: str) -> list[list[str]]:
    """The first column of the order, file by file."""
    first = ORDER[table][0]
    return [pq.read_table(path)[first].to_pylist() for path in case.paths(table)]


def test_files_that_are_in_order_are_taken_as_they_are(draft, monkeypatch):
    monkeypatch.setattr(publishing, "batches", None)  # nothing is sorted
    keep(draft, "raw", ["a", "b"], ["c"], ["d", "e"])
    before = [part.path.read_bytes() for part in draft.parts("raw")]
    case = published(draft, Captured("raw", WHOLE, kept=True))
    assert keys(case, "raw") == [["a", "b"], ["c"], ["d", "e"]]
    assert case.rows["raw"] == 5
    assert [path.read_bytes() for path in case.paths("raw")] == before


@pytest.mark.parametrize(
    "steps", [(["c", "d"], ["a"]), (["a", "d"], ["b"]), (["a", "b"], ["b", "c"])],
    ids=["later first", "one within another", "one key in two"],
)  # fmt: skip
def test_files_that_are_not_in_order_are_merged(draft, steps):
    keep(draft, "raw", *steps)
    case = published(draft, Captured("raw", WHOLE, kept=True))
    assert keys(case, "raw") == [sorted(key for step in steps for key in step)]


def test_tables_that_threads_wrote_are_always_merged(draft, monkeypatch):
    # Whether their files happen to be in order depends on the threads; the bytes must not.
    keep(draft, "events", ["a", "b"], ["c"])
    case = published(draft, Captured("events", WHOLE, kept=True))
    assert keys(case, "events") == [["a", "b", "c"]]


def test_a_table_without_rows_is_captured_and_empty(draft):
    keep(draft, "raw", [])
    case = published(draft, Captured("raw", WHOLE, kept=True))
    assert (case.rows["raw"], case.coverage["raw"]) == (0, WHOLE)
    assert pq.read_schema(case.paths("raw")[0]).names == pa.schema(as_table("raw", []).schema).names


def test_a_table_that_is_not_kept_is_left_out_whatever_the_draft_holds(draft):
    keep(draft, "raw", ["a"])
    denied = Coverage("denied", "AccessDenied: s3:ListBucket of raw")
    case = published(draft, Captured("raw", denied))
    assert "raw" not in case.tables
    assert case.coverage["raw"] == denied


def test_reasons_are_hidden_as_rows_are(draft):
    reason = "AccessDenied: sqs:GetQueueAttributes of arn:aws:sqs:eu-west-1:123456789012:q"
    known = Coverage("partial", reason, "2026-03-10T00:00:00Z/..", listed=True)
    keep(draft, "raw", ["a"])
    case = published(
        draft,
        Captured("raw", known, kept=True),
        Captured("queue_state", Coverage("denied", reason)),
        Captured("spans", Coverage("skipped")),
        hidden=lambda text: text.replace("123456789012", "*"),
    )
    masked = reason.replace("123456789012", "*")
    assert case.coverage["raw"] == Coverage("partial", masked, known.horizon, listed=True)
    assert case.coverage["queue_state"] == Coverage("denied", masked)
    assert case.coverage["spans"] == Coverage("skipped")


def test_the_draft_is_gone_and_only_the_case_is_left(tmp_path: Path):
    with CaptureDraft(tmp_path / "case", {}) as draft:
        keep(draft, "raw", ["a"])
        published(draft, Captured("raw", WHOLE, kept=True))
    assert [path.name for path in tmp_path.iterdir()] == ["case"]
