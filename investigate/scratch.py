"""Private folders for what a process does not need any longer than it lives, however it ends.

A process removes its own folder when it is done. One that is killed cannot, so whoever opens a
folder next removes what was left in the same place: folders that begin with the same word, are of
the same user, and have a lock (`LOCK`) that no process holds. The lock is the system's (flock): it
ends with the process that holds it, and is seen from other containers that share the place, where
numbers of processes mean nothing. A folder without such a file is left alone, as is everything
where there are no such locks (Windows, some network disks); what cannot be removed stays.

Two processes may do so at once. Who finds the lock of its new folder held or its file gone makes
another folder: somebody took it for left before it was locked. Folders and files are opened, and
removed, within the opened folder and never by way of a link, so that a name that leads elsewhere
meanwhile leads nobody there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from investigate.locks import locked_at_once

LOCK = "held"


@dataclass(frozen=True, slots=True)
class Scratch:
    """A folder that nobody else can read, and the lock that tells others that it is in use."""

    folder: Path
    _lock: int  # an open file: as long as that is open, the folder is held

    @classmethod
    def opened(cls, prefix: str, place: Path | None = None) -> Scratch:
        """Return a new folder in a place (None: that for temporary files), whose name begins with
        the prefix, and remove what processes that are gone left of that prefix there."""
        within = Path(place or gettempdir())
        _remove_left(prefix, within)
        while True:
            folder = Path(mkdtemp(prefix=prefix, dir=within))
            lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            if locked_at_once(lock) is not False and os.fstat(lock).st_nlink:
                return cls(folder, lock)
            os.close(lock)

    def remove(self) -> None:
        """Remove the folder and what is in it, as far as that can be done, and let it go. The lock
        goes last, so that what a process that is killed meanwhile leaves is removed by another."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != LOCK:
                    path.unlink(missing_ok=True)
            if os.name == "nt":  # where an open file cannot be removed
                os.close(self._lock)
            (self.folder / LOCK).unlink()
        with suppress(OSError):
            os.close(self._lock)
        with suppress(OSError):
            self.folder.rmdir()


def _remove_left(prefix: str, place: Path) -> None:
    if not hasattr(os, "geteuid"):
        return  # on Windows, which has no such locks either
    try:
        left = [folder for folder in place.iterdir() if folder.name.startswith(prefix)]
    except OSError:
        return
    for folder in left:
        with suppress(OSError):
            _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as inside:
        if os.fstat(inside).st_uid != os.geteuid():
            return
        with _opened(LOCK, os.O_RDWR, inside) as lock:
            if not locked_at_once(lock):
                return
            with os.scandir(inside) as entries:
                # The lock goes last, so that what cannot be removed now is tried again.
                names = [entry.name for entry in entries if entry.name != LOCK]
            for name in names:
                _remove(name, inside)
            os.unlink(LOCK, dir_fd=inside)
    folder.rmdir()


def _remove(name: str, inside: int) -> None:
    try:
        os.unlink(name, dir_fd=inside)
    except (IsADirectoryError, PermissionError):  # the latter on macOS
        shutil.rmtree(name, dir_fd=inside)


@contextmanager
def _opened(path: str | Path, flags: int, inside: int | None = None) -> Iterator[int]:
    """Give what stands under a name, opened, but not what a link there leads to."""
    opened = os.open(path, flags | os.O_NOFOLLOW, dir_fd=inside)
    try:
        yield opened
    finally:
        os.close(opened)
