"""A lock that another process has, and a disk that has no locks, are two things."""

from __future__ import annotations

import errno
import fcntl

import pytest

from investigate.locks import locked, locked_at_once


def test_a_lock_is_had_once(tmp_path):
    path = tmp_path / "lock"
    with path.open("w") as first, path.open("w") as second:
        assert locked_at_once(first) is True
        assert locked_at_once(second) is False


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (errno.EAGAIN, False),
        (errno.EACCES, False),  # what NFS says of a lock that is held
        (errno.EPERM, None),
        (errno.ENOLCK, None),
        (errno.EOPNOTSUPP, None),
    ],
)
def test_only_what_says_that_it_is_held_is_held(tmp_path, monkeypatch, number, answer):
    def refused(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr(fcntl, "flock", refused)
    with (tmp_path / "lock").open("w") as file:
        assert locked_at_once(file) is answer
        assert locked(file) is False
