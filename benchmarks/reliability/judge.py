"""What is left on disk after a trial: whole, half-written, or as if nothing had happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from investigate.capture.draft import draft_folder_of
from investigate.case import MANIFEST, open_case, verify_case
from investigate.errors import CaseError


def contents(folder: Path) -> dict[str, bytes | dict[str, Any]]:
    """Everything a case says: each table file's bytes, and the manifest but for what it took."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest.pop("consumed", None)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}
    return {**files, MANIFEST: manifest}


def differences(folder: Path, other: Path) -> list[str]:
    """Return what differs between two cases."""
    one, two = contents(folder), contents(other)
    return sorted(name for name in {*one, *two} if one.get(name) != two.get(name))


def half_written_case(folder: Path) -> str:
    """Return what is wrong with a case at its final name; empty if it is whole."""
    try:
        problems = verify_case(open_case(folder))
    except CaseError as error:
        return str(error)
    return "; ".join(problems)


def no_case(folder: Path) -> str:
    """Return what stands at the name of a case that there is not to be, or beside it; empty if
    there is nothing but a draft that says what it is."""
    if folder.exists():
        return f"{folder.name} is there without being a case"
    draft = draft_folder_of(folder)
    odd = [path.name for path in folder.parent.iterdir() if path != draft and path.name != "old"]
    return f"left over: {', '.join(sorted(odd))}" if odd else ""
