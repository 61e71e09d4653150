"""Killed at whatever moment: the next command disables the mapping again."""

from __future__ import annotations

import pytest

from benchmarks import undo


@pytest.fixture(scope="module")
def stage():
    with undo.stage() as known:
        yield known


@pytest.fixture(scope="module")
def operations(stage):
    return undo.operations_of_a_run(stage)


def position(operations, change: int) -> int:
    changes = [n for n, name in enumerate(operations, 1) if name == "UpdateEventSourceMapping"]
    return changes[change]


REHEARSAL, ENABLE, DISABLE = range(3)
# A request that has left is answered, although nobody waits for the answer any more.
MOMENTS = [
    ("before the mapping is enabled", ENABLE, -1, "Disabled"),
    ("while the answer to enabling is on its way", ENABLE, 0, "Enabled"),
    ("while messages are processed", ENABLE, 2, "Enabled"),
    ("while the answer to disabling is on its way", DISABLE, 0, "Disabled"),
]


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=[one[0] for one in MOMENTS])
def test_after_a_kill_the_next_command_disables_the_mapping(stage, operations, number):
    _, change, more, left = MOMENTS[number]
    request = position(operations, change) + more
    known = undo.trial(stage, number + 100, request, 0.0)
    assert known.killed
    assert (known.left, known.after) == (left, "Disabled")


def test_a_run_rehearses_the_way_back_before_it_enables(operations):
    assert operations.count("UpdateEventSourceMapping") == 3
    assert position(operations, REHEARSAL) < position(operations, ENABLE)
