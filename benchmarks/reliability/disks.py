"""Small and read-only disks, and missing rights: as the system itself refuses, whoever is asked.

A disk is a tmpfs in a mount namespace of the process, so that nobody else sees it; this needs
Linux, and root or the right to make user namespaces.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# <linux/sched.h>, <sys/mount.h>, <linux/capability.h>
_NEW_NAMESPACES, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _PRIVATE, _RECURSIVE = 1, 32, 1 << 18, 1 << 14
_CAPABILITY_VERSION = 0x20080522
_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: to read and write what is forbidden
LEFT = ".left"
_FILLER = ".filler"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of its own in the place of a folder, with what is in the folder, and `room` bytes
    beside that; `read_only`: nothing can be written at all."""

    place: Path
    room: int = 0
    read_only: bool = False


def can_mount() -> bool:
    """Return whether this system lets a process have disks of its own, found out by trying."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if not child:
        try:
            _own_namespace()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


@contextmanager
def mounted(disk: Disk | None) -> Iterator[None]:
    """Mount a disk for this process, and keep beside its place what is on it at the end."""
    if disk is None:
        yield
        return
    _own_namespace()
    inside = os.open(disk.place, os.O_RDONLY)
    below = Path(f"/proc/self/fd/{inside}")
    pages = sum(_pages(path) for path in below.rglob("*")) + 1
    _mount("tmpfs", disk.place, "tmpfs", 0, f"size={pages * 4096 + disk.room}")
    shutil.copytree(below, disk.place, dirs_exist_ok=True)
    filler = disk.place / _FILLER
    if disk.read_only:
        _mount("tmpfs", disk.place, "tmpfs", _REMOUNT | _READ_ONLY)
    else:
        _fill(filler, disk.room)
    try:
        yield
    finally:
        if not disk.read_only:
            filler.unlink(missing_ok=True)
        shutil.copytree(disk.place, Path(f"{disk.place}{LEFT}"), symlinks=True)


def _fill(filler: Path, room: int) -> None:
    """Take all of a disk but so many bytes; what a file system takes for itself is not known."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        file.truncate(max(0, file.tell() - room))


def take_back(disk: Disk) -> None:
    """Put what was on the disk of a process that has ended into its place."""
    left = Path(f"{disk.place}{LEFT}")
    if left.is_dir():
        shutil.rmtree(disk.place)
        left.rename(disk.place)


def obey_permissions() -> None:
    """Let this process be refused what its permissions forbid, also if it is root's."""
    if os.geteuid():
        return
    libc = _libc()
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)()
    _check(libc.capget(header, data))
    forbidden = sum(1 << number for number in _OVERRIDES)
    for at in range(3):  # effective, permitted, inheritable
        data[at] &= ~forbidden
    _check(libc.capset(header, data))


def _pages(path: Path) -> int:
    """Return how many pages of memory a file or folder takes on a tmpfs."""
    return 1 + (path.stat().st_size + 4095) // 4096 if path.is_file() else 1


def _own_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc().unshare(_NEW_NAMESPACES | (_NEW_USER if uid else 0)))
    if uid:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    _mount("none", Path("/"), "", _PRIVATE | _RECURSIVE)  # so that nobody else sees what follows


def _mount(source: str, place: Path, kind: str, flags: int, data: str = "") -> None:
    texts = (source, str(place), kind)
    encoded = [text.encode() or None for text in texts]
    _check(_libc().mount(*encoded, ctypes.c_ulong(flags), data.encode() or None))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
