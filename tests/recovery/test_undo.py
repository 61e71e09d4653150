"""Killed at whatever moment: the next command disables the mapping again."""

from __future__ import annotations

import pytest

from benchmarks import undo
from benchmarks.reliability.trouble import trouble


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    with trouble(tmp_path_factory.mktemp("trouble"), processing=False) as known:
        yield known


@pytest.fixture(scope="module")
def operations(known, tmp_path_factory):
    return undo.operations_of_a_run(known, known.copy(tmp_path_factory.mktemp("undisturbed")))


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
def test_after_a_kill_the_next_command_disables_the_mapping(known, operations, number, tmp_path):
    _, change, more, left = MOMENTS[number]
    request = position(operations, change) + more
    next_command = undo.NEXT[number % len(undo.NEXT)]
    trial = undo.trial(known, known.copy(tmp_path), next_command, request, 0.0)
    assert trial.killed
    assert (trial.left, trial.after) == (left, "Disabled")


def test_a_run_rehearses_the_way_back_before_it_enables(operations):
    assert operations.count("UpdateEventSourceMapping") == 3
    assert position(operations, REHEARSAL) < position(operations, ENABLE)
