"""What was told is remembered beside the report: whole, for its owner, and by one at a time."""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest

from investigate.errors import UsageError
from investigate.model import Severity
from investigate.notify import told_before as module
from investigate.notify.news import at_or_above
from investigate.notify.told_before import ToldBefore, alone, file_for
from tests.report.samples import document, entry

NEWS = at_or_above(document(entry("raw/missing", keys=["a", "b"])), Severity.DANGEROUS)


@pytest.fixture
def path(tmp_path):
    return file_for(tmp_path / "out")


def test_the_file_stands_beside_the_report(tmp_path, path):
    assert path == tmp_path / ".out.notified.json"


def test_what_was_told_is_there_in_the_next_run(path):
    ToldBefore(path).add("t1", "case", NEWS)
    again = ToldBefore(path)
    assert again.of("t1", "case") == {"raw/missing": [[NEWS[0].digest, 2]]}
    assert again.of("t2", "case") == {}
    assert again.of("t1", "another case") == {}


def test_the_file_is_for_its_owner_and_leaves_no_draft(tmp_path, path):
    ToldBefore(path).add("t1", "case", NEWS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_cases_told_of_longest_ago_are_forgotten_first(path, monkeypatch):
    monkeypatch.setattr(module, "CASES_KEPT", 2)
    memory = ToldBefore(path)
    for case in ("first", "second", "first", "third"):
        memory.add("t1", case, NEWS)
    assert [bool(memory.of("t1", case)) for case in ("first", "second", "third")] == [
        True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[" * 100_000, '{"schema": "investigate.notified/2", "told": {}}',
        '{"schema": "investigate.notified/1"}',
        '{"schema": "investigate.notified/1", "told": {"t": {"c": {"raw/missing": [["d"]]}}}}',
        '{"schema": "investigate.notified/1", "told": {"t": {"c": {"raw/missing": [[1, 2]]}}}}',
        '{"schema": "investigate.notified/1", "told": {"t": []}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_not_taken_for_an_empty_one(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="move the file away"):
        ToldBefore(path)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, path, monkeypatch):
    ToldBefore(path).add("t1", "case", NEWS)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ToldBefore(path).add("t2", "case", NEWS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_run_waits_for_the_first_and_knows_what_it_told(path):
    pytest.importorskip("fcntl")
    known, started = [], threading.Event()

    def second():
        started.set()
        with alone(path) as memory:
            known.append(dict(memory.of("t1", "case")))

    with alone(path) as memory:
        waiting = threading.Thread(target=second)
        waiting.start()
        started.wait()
        waiting.join(0.05)
        assert known == []
        memory.add("t1", "case", NEWS)
    waiting.join()
    assert list(known[0]) == ["raw/missing"]


def test_where_a_disk_knows_no_locks_it_is_told_without(path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with alone(path) as memory:
        memory.add("t1", "case", NEWS)
    assert list(ToldBefore(path).of("t1", "case")) == ["raw/missing"]
