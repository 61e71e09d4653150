"""The lock of the system that ends with the process which holds it (flock)."""

from __future__ import annotations

import errno
from typing import IO, Any

# The last is what some network disks answer; EPERM is not among them: such a disk has no locks.
_HELD = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)


def locked_at_once(file: int | IO[Any]) -> bool | None:
    """Lock an open file for this process, and return True; False if another process has it, and
    None where there are no such locks: on Windows, and on some network disks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return None
    except OSError as error:
        return False if error.errno in _HELD else None
    return True


def locked(file: int | IO[Any]) -> bool:
    """Wait until this process has the lock of an open file, and return True; False at once where
    there are no such locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):
        return False
    return True
