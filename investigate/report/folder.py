"""The folder of a report: written beside its place, moved there whole, never over other files."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from investigate.errors import UsageError

_OURS = re.compile(
    r"(index|findings|report)\.html|findings\.json|\d\d_[a-z_]+\.(html|ipynb)"
    r"|assets/(plotly-[\w.]+\.min\.js|(report|figures)\.js)|\.ipynb_checkpoints/.*"
)
HINT = "name another folder with --out, or move these files away"


def refuse_foreign(out: Path) -> None:
    """Raise `UsageError` if a report in `out` would replace anything that is not a report."""
    if Path.cwd().resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{out} is the folder you are in", hint="name another folder with --out")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, not a folder", hint="name another folder with --out")
    foreign = [name for name in _files_below(out) if not _OURS.fullmatch(name)]
    if foreign:
        some = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if foreign[3:] else "")
        raise UsageError(f"{out} holds what no report wrote: {some}", hint=HINT)


def refuse_unwritable(out: Path) -> None:
    """Raise `UsageError` if no report can be written to `out`, found out by trying beside it."""
    out = out.resolve()
    draft = out.with_name(_draft_name(out))
    there = next(folder for folder in draft.parents if os.path.lexists(folder))
    try:
        with tempfile.TemporaryDirectory(prefix=".investigate-", dir=there) as probe:
            Path(probe, draft.relative_to(there)).mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"no report can be written to {out}: {error.strerror or error}",
            hint="name a folder you may write to with --out",
        ) from error


def _draft_name(out: Path) -> str:
    return f".{out.name}.partial-{os.getpid()}"


@contextmanager
def published(out: Path) -> Iterator[Path]:
    """Give a new folder to write a report into, which takes the place of `out` at the end;
    after an error it is gone, and `out` is as it was."""
    refuse_foreign(out)
    out = out.resolve()
    draft = out.with_name(_draft_name(out))
    draft.mkdir(parents=True)
    try:
        yield draft
        refuse_foreign(out)
        _take_place(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take_place(draft: Path, out: Path) -> None:
    if not out.exists():
        draft.rename(out)
        return
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    out.rename(old)
    draft.rename(out)
    shutil.rmtree(old)


def _files_below(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]
    return sorted(path.relative_to(folder).as_posix() for path in found)
