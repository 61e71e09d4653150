"""A copy of a bucket in a folder, as `aws s3 sync` writes it: listed and read like the bucket."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from investigate.aws import Body, Listed
from investigate.capture.partitions import Dates, covers
from investigate.capture.values import EPOCH
from investigate.errors import AccessError
from investigate.in_place import leaves
from investigate.layouts import RawLayout


def file_body(path: str | Path) -> bytes:
    """Return a whole file; raise `AccessError` as S3 would be quoted: not there, or denied."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _refused(path, error) from error


def files_of(root: Path, prefix: str, dates: Dates, layout: RawLayout) -> Iterator[Listed]:
    """Yield the files below a prefix of these event dates, by their keys in the bucket and in the
    order of these.

    Folders of other event dates are not opened. A link is listed and never followed. Raises
    `AccessError` for a folder that cannot be listed, or a name that no key can have.
    """
    start = root / prefix
    if leaves(prefix):
        raise AccessError(
            f"{prefix!r} leads out of {root}",
            hint="raw_prefix is what keys begin with; correct it",
            code="OutsideTheFolder",
            asked=str(root),
        )
    if not start.is_dir():
        raise AccessError(
            f"{start} is no folder",
            hint=f"aws s3 sync s3://BUCKET/{prefix} {start}, or correct raw_folder and raw_prefix",
            kind="not-found",
            code="NoSuchFolder",
            asked=str(start),
        )
    yield from _below(start, prefix, (prefix, dates, layout))


def _below(folder: Path, key: str, wanted: tuple[str, Dates, RawLayout]) -> Iterator[Listed]:
    try:
        with os.scandir(folder) as found:
            named = {_key(key, entry): entry for entry in found}
    except OSError as error:
        raise _refused(folder, error) from error
    for name in sorted(named, key=str.encode):
        if not covers(name, *wanted):
            continue
        if name.endswith("/"):
            yield from _below(Path(named[name].path), name, wanted)
        else:
            yield _listed(name, named[name].stat(follow_symlinks=False))


def _key(above: str, entry: os.DirEntry[str]) -> str:
    name = above + entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        said = f"{os.fsencode(entry.path)!r} has a name that no object of S3 can have"
        raise AccessError(said, code="NotUnicode", asked=above) from error
    return name


def _listed(key: str, about: os.stat_result) -> Listed:
    return Listed(key, about.st_size, _changed(about), None)


def _changed(about: os.stat_result) -> datetime:
    """Return when a file was written, which `aws s3 sync` makes the time of its object; in whole
    seconds, as S3 tells them."""
    return EPOCH + timedelta(seconds=about.st_mtime_ns // 1_000_000_000)


class FolderObjects:
    """Reads the objects of a copied bucket; nothing outside its folder, whatever a key or link."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read_all(
        self, entries: Sequence[Listed], largest: int | None = None
    ) -> Iterator[Body | AccessError]:
        """Yield each object, or the error that kept it from being read, in the same order."""
        for entry in entries:
            try:
                yield self._read(entry, largest)
            except AccessError as error:
                yield error

    def read(self, key: str) -> bytes:
        """Return a whole file by its key; raise `AccessError`."""
        return self._read(Listed(key, 0, None, None), None).data

    def _read(self, entry: Listed, largest: int | None) -> Body:
        path = self._inside(entry.key)
        try:
            # Not a pipe or a device, which would be waited for.
            if not stat.S_ISREG(path.stat().st_mode):
                raise AccessError(f"{path} is no file", code="NoFile", asked=str(path))
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                if largest is not None and about.st_size > largest:
                    said = f"{path} has {about.st_size} bytes"
                    raise AccessError(said, code=f"{about.st_size} bytes", asked=str(path))
                return Body(file.read(), _changed(about), "", entry.key)
        except OSError as error:
            raise _refused(path, error) from error

    def _inside(self, key: str) -> Path:
        path = self._root / key
        with suppress(OSError, ValueError):  # a loop of links, or a name that no file can have
            if not leaves(key) and path.resolve().is_relative_to(self._root):
                return path
        said = f"{key!r} leads out of {self._root}"
        raise AccessError(said, code="OutsideTheFolder", asked=str(self._root))


def _refused(path: str | Path, error: OSError) -> AccessError:
    kind, code = "failed", type(error).__name__
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        kind, code = "not-found", "NoSuchKey"
    elif isinstance(error, PermissionError):
        kind, code = "denied", "PermissionError"
    said = f"{path}: {error.strerror or error}"
    return AccessError(said, hint=f"ls -ld {path}", kind=kind, code=code, asked=str(path))
