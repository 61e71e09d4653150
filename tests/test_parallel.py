"""Work spread over processes: the same files however many there are, and the first failure."""

from __future__ import annotations

import gc
import hashlib
import json
import pickle
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.engine import DuckDBEngine
from investigate.errors import AccessError, EngineError
from investigate.memory import EngineMemory
from investigate.parallel import failure_in, in_parallel, rows_of_items

SCHEMA = pa.schema([("n", pa.int64())])


def counted(times: int, item: int) -> Iterator[pa.RecordBatch]:
    """Some batches with one number."""
    for _ in range(times):
        yield pa.RecordBatch.from_pydict({"n": [item]}, schema=SCHEMA)


def refusing(item: int) -> Iterator[pa.RecordBatch]:
    """Fails from 3 on, in the words of the item."""
    if item >= 3:
        raise AccessError(f"file {item} is damaged", hint="look", kind="failed", code="Damaged")
    return counted(1, item)


def dying(item: int) -> Iterator[pa.RecordBatch]:
    """Fails in a way that nobody foresaw."""
    raise ZeroDivisionError(f"of {item}")


def test_several_processes_write_the_very_files_that_one_writes(tmp_path):
    digests = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        paths = in_parallel(range(5), partial(counted, 2), SCHEMA, folder, processes)
        assert [pq.read_table(path)["n"].to_pylist() for path in paths] == [
            [n, n] for n in range(5)
        ]
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]


def test_the_first_failure_is_raised_as_it_is_by_any_number_of_processes(tmp_path):
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        with pytest.raises(AccessError, match="file 3 is damaged") as refused:
            in_parallel([0, 3, 1, 4], refusing, SCHEMA, folder, processes)
        assert (refused.value.hint, refused.value.code) == ("look", "Damaged")


def test_a_process_that_ends_otherwise_is_an_error_with_its_last_words(tmp_path):
    with pytest.raises(EngineError, match="ended with 1: ZeroDivisionError: of 0"):
        in_parallel([0, 1], dying, SCHEMA, tmp_path, 2)


def test_no_items_are_no_rows(tmp_path):
    (path,) = in_parallel([], dying, SCHEMA, tmp_path)
    assert pq.read_table(path).schema == SCHEMA


def test_the_files_of_an_engine_are_gone_when_its_tables_are(tmp_path):
    engine = DuckDBEngine(EngineMemory(spill=tmp_path), processes=1)
    table = engine.read_in_parallel([1, 2], partial(counted, 1), SCHEMA, "numbers")
    assert engine.scalar(table.n.sum()) == 3
    (folder,) = tmp_path.iterdir()
    assert Path(folder).is_dir()
    del engine, table
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_what_fails_in_a_worker_of_another_engine_is_found_in_its_text():
    items = pa.RecordBatch.from_pydict({"item": [pickle.dumps(0), pickle.dumps(3)]})
    rows = rows_of_items(pickle.dumps(refusing), [items])
    assert next(rows)["n"].to_pylist() == [0]
    with pytest.raises(RuntimeError) as failed:
        next(rows)
    failure = failure_in(ValueError(f"PythonException: said\n{failed.value}\nSQLSTATE"))
    assert isinstance(failure, AccessError)
    assert (failure.message, failure.code) == ("file 3 is damaged", "Damaged")
    assert failure_in(ValueError("no such table")) is None


@pytest.mark.parametrize(
    "told",
    [
        "bm90IGpzb24=",
        b64encode(json.dumps({"kind": "annotations", "fields": {}}).encode()).decode(),
        b64encode(json.dumps({"kind": "did_you_mean", "fields": {}}).encode()).decode(),
        b64encode(pickle.dumps(ValueError())).decode(),
    ],
)
def test_what_evidence_says_in_the_place_of_a_failure_runs_nothing(told):
    assert failure_in(ValueError(f"cannot cast 'investigate-failure:{told}:'")) is None
