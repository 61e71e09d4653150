"""The lock of the system that ends with the process which holds it (flock)."""

from __future__ import annotations

from typing import IO


def locked_at_once(file: int | IO[str]) -> bool | None:
    """Lock an open file for this process, and return True; False if another process has it, and
    None where there are no such locks: on Windows, and on some network disks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True
