"""What a large table leaves out is there again when it is read, whatever its rows hold."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate import case_writer, compact, pipeline
from investigate.case import open_case
from investigate.case_writer import CaseWriter
from investigate.compact_reading import spelled_out
from investigate.engine import open_engine
from investigate.evidence import Evidence
from investigate.findings import examine
from investigate.model import Step
from investigate.tables import ORDER, TABLES, missing_columns
from tests.builders import Event, at, raw_row
from tests.commands.conftest import CASES

ENGINE = open_engine()
TEXTS = st.one_of(st.none(), st.text(max_size=4), st.sampled_from(["a", "#EID#a", "é|", '"\\', ""]))
WHOLES = st.one_of(st.none(), st.sampled_from([0, -1, 10**18]))


def in_arrow(table: str, rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=TABLES[table])


def read_again(table: str, rows: pa.Table) -> list[dict[str, object]]:
    stored = compact.shrunk(rows, compact.LAYOUTS[table])
    assert compact.restored(table, stored).cast(rows.schema) == rows
    return ENGINE.rows(spelled_out(ENGINE.read_arrow(stored, table), table))


def values_of(kind: pa.DataType):
    if pa.types.is_string(kind):
        return TEXTS
    return WHOLES if pa.types.is_integer(kind) else st.none()


def built(table: str, row: dict[str, object]) -> dict[str, object]:
    """A row whose texts follow their layouts, as far as its other values let them."""
    for name, layout in compact.LAYOUTS[table].items():
        parts = [
            (one.text, "" if one.column is None else str(row[one.column]), one.part)
            for one in compact.pieces(layout)
        ]
        row[name] = "".join(
            text + (value[part[0] : sum(part)] if part else value) for text, value, part in parts
        )
    return row


@pytest.mark.parametrize("table", compact.LAYOUTS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_rows_come_back_as_they_were(table, data):
    columns = {field.name: values_of(field.type) for field in TABLES[table]}
    rows = data.draw(st.lists(st.fixed_dictionaries(columns), max_size=4))
    for at_ in range(0, len(rows), 2):
        rows[at_] = built(table, rows[at_])
    if rows:
        prefix = data.draw(st.sampled_from(["", "raw/"]))
        name = data.draw(st.sampled_from(sorted(compact.LAYOUTS[table])))
        rows[0][name] = prefix + str(rows[0][name])
    assert read_again(table, in_arrow(table, rows)) == rows


def test_what_ingest_writes_follows_and_what_breaks_its_layout_is_kept():
    good, bad = Event("a", at(1)), Event("b", at(2))
    rows = [raw_row(good), raw_row(bad, key_event_id="other", payload_sha_actual=None)]
    stored = compact.shrunk(in_arrow("raw", rows), compact.LAYOUTS["raw"]).to_pylist()
    assert {
        name: stored[0][f"{name}__follows"] for name in compact.LAYOUTS["raw"]
    } == dict.fromkeys(compact.LAYOUTS["raw"], True)
    assert stored[0]["s3_key__own"] == "raw/"
    assert [stored[1][f"{name}__own"] for name in ("key_event_id", "payload_sha_actual")] == [
        "other",
        None,
    ]


def test_every_row_of_a_demo_case_follows_as_far_as_nothing_is_wrong_with_it():
    left = Counter()
    for table in compact.LAYOUTS:
        stored = compact.shrunk(pq.read_table(CASES / "healthy" / table), compact.LAYOUTS[table])
        for name in compact.LAYOUTS[table]:
            left[name] += stored[f"{name}__follows"].to_pylist().count(False)
    assert dict(+left) == {}


def written(folder, name: str, *, large: int, monkeypatch, compactly: bool = True):
    """A demo case written anew, as a stream, its tables large from so many rows on."""
    monkeypatch.setattr(case_writer, "LARGE", large)
    known = open_case(CASES / name)
    writer = CaseWriter(
        folder / "again", known.name, known.window, known.captured_at, known.settle_seconds,
        known.tool, known.pipeline, compact=compactly,
    )  # fmt: skip
    with writer:
        for table in known.tables:
            rows = pa.concat_tables(pq.read_table(path) for path in known.paths(table))
            order = [(column, "ascending") for column in ORDER[table]]
            batches = rows.select(TABLES[table].names).sort_by(order).to_batches(300)
            writer.add_batches(table, batches, known.coverage_of(table))
        for table in set(TABLES) - set(known.tables):
            writer.leave_out(table, known.coverage_of(table))
    return folder / "again"


def test_a_large_case_says_the_same_as_one_whose_files_leave_nothing_out(tmp_path, monkeypatch):
    case = open_case(written(tmp_path, "everything", large=100, monkeypatch=monkeypatch))
    assert "s3_key" not in pq.read_schema(case.paths("raw")[0]).names
    usual, steps = open_case(CASES / "everything"), (Step.RAW, Step.EVENTS)
    assert examine(Evidence(case), steps) == examine(Evidence(usual), steps)


def test_a_small_table_and_a_writer_that_is_told_to_write_plainly_leave_nothing_out(
    tmp_path, monkeypatch
):
    for where, large, compactly in (("small", 10**6, True), ("plain", 1, False)):
        (tmp_path / where).mkdir()
        case = open_case(
            written(
                tmp_path / where, "healthy", large=large, monkeypatch=monkeypatch,
                compactly=compactly,
            )
        )  # fmt: skip
        assert pq.read_schema(case.paths("raw")[0]).names == TABLES["raw"].names


def test_files_that_lack_half_of_what_a_column_needs_are_not_taken_for_whole():
    schema = compact.schema_of(TABLES["raw"], compact.LAYOUTS["raw"])
    assert missing_columns("raw", schema) == []
    half = schema.remove(schema.get_field_index("s3_key__follows"))
    assert missing_columns("raw", half) == ["no column 's3_key'"]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_written_compactly(tmp_path, table):
    layouts = compact.LAYOUTS.get(table, {})
    schema = compact.schema_of(TABLES[table], layouts)
    path = tmp_path / "rows.parquet"
    with pq.ParquetWriter(path, schema, **compact.writing(schema)) as file:
        file.write_table(compact.shrunk(in_arrow(table, [{}]), layouts))
    assert pq.read_table(path).num_rows == 1
    rows = ENGINE.read_parquet([path], table)
    assert ENGINE.rows(spelled_out(rows, table)) == [dict.fromkeys(TABLES[table].names)]


def test_a_digest_takes_32_bytes(tmp_path):
    ids = [pipeline.sha256(str(number)) for number in range(5_000)]
    path = tmp_path / "ids.parquet"
    rows = pa.table({"event_id": ids})
    pq.write_table(rows, path, **compact.writing(rows.schema))
    assert path.stat().st_size / len(ids) < 32.5
