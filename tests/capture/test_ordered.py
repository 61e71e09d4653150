from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.capture import ordered
from investigate.capture.draft import Part
from investigate.capture.ordered import batches, in_order

SCHEMA = pa.schema([("key", pa.string()), ("version", pa.string())])
ORDER = ("key", "version")


def part(first: Sequence[Any], last: Sequence[Any], path: Path = Path()) -> Part:
    return Part(path, 1, 1, tuple(first), tuple(last))


def stored(folder: Path, *files: Sequence[tuple[str | None, str | None]]) -> list[Part]:
    parts = []
    for number, rows in enumerate(files):
        path = folder / f"{number}.parquet"
        made = [dict(zip(ORDER, row, strict=True)) for row in rows]
        pq.write_table(pa.Table.from_pylist(made, schema=SCHEMA), path)
        parts.append(Part(path, len(rows), path.stat().st_size, rows[0], rows[-1]))
    return parts


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (("a", "1"), ("b", "1"), True),
        (("b", "1"), ("a", "1"), False),
        (("a", "1"), ("a", "2"), True),
        (("a", "1"), ("a", "1"), False),
        (("a", "1"), ("a", None), True),
        (("a", None), ("a", "1"), False),
        (("\uffff", "1"), ("\U0001f642", "1"), True),
        (("a", 2), ("a", 10), True),
    ],
)
def test_files_are_in_order_if_each_begins_after_the_one_before(left, right, expected):
    assert in_order([part(left, left), part(right, right)]) is expected


@pytest.mark.parametrize("in_memory", [True, False])
def test_rows_come_in_one_order_whether_they_fit_into_memory_or_not(
    tmp_path, monkeypatch, in_memory
):
    if not in_memory:
        monkeypatch.setattr(ordered, "SORTED_IN_MEMORY", 0)
        monkeypatch.setattr(ordered, "MERGED_AT_ONCE", 2)
        monkeypatch.setattr(ordered, "_ROWS", 2)
    folder = tmp_path / "an 'odd' [name]"
    folder.mkdir()
    parts = stored(
        folder,
        [("b", "1"), ("\U0001f642", "1"), (None, "1")],
        [("", None), ("B", "1"), ("a", "1"), ("a", "2"), ("a", None), ("\uffff", "1")],
        [("a", "0")],
    )
    rows = [tuple(row.values()) for some in batches(parts, ORDER, folder)
            for row in some.to_pylist()]  # fmt: skip
    assert rows == [
        ("", None), ("B", "1"), ("a", "0"), ("a", "1"), ("a", "2"), ("a", None), ("b", "1"),
        ("\uffff", "1"), ("\U0001f642", "1"), (None, "1"),
    ]  # fmt: skip
    assert sorted(path.name for path in folder.iterdir()) == [f"{n}.parquet" for n in range(3)]
