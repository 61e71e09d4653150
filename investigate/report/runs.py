"""A run of a report: what it answers for, the id that follows from it, and where it is kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from investigate.case import MANIFEST
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.model import isoformat
from investigate.parameters import refuse_unusable

RUNS = "runs"
LONGEST_NAME = 120
_LONGEST_FOLDER = 60
_ID_DIGITS, _NAME_DIGITS = 16, 10
_SAME = ("region", "raw_bucket", "events_table")  # of one pipeline, whatever else was found of it
_CODE = (".py", ".css", ".js", ".j2")  # what a report is made by; the notebooks come to it


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a report. Two with the same `asked` are the same run, whenever they are made."""

    incident: str
    asked: Mapping[str, Any]

    @property
    def id(self) -> str:
        """What follows from all that was asked, and from nothing else: no clock, no folder."""
        return _digest(json.dumps(self.asked, sort_keys=True).encode(), _ID_DIGITS)

    @property
    def folder(self) -> str:
        """The folder of its incident, relative to that of the report."""
        return f"{RUNS}/{folder_of(self.incident)}"

    @property
    def place(self) -> str:
        """The folder of the run, relative to that of the report."""
        return f"{self.folder}/{self.id}"


def run_of(evidence: Evidence, incident: str, notebooks: Sequence[Path]) -> Run:
    """Return the run that asks this of a case, under the name of an incident (empty: the case's).

    The manifest stands for the case, because it holds the digest of every file.
    """
    case, window = evidence.case, evidence.window
    incident = incident or case.name
    asked = {
        "incident": incident,
        "case": _digest((case.folder / MANIFEST).read_bytes()),
        "pipeline": _digest(json.dumps([case.pipeline.get(name) for name in _SAME]).encode()),
        "window": {"start": isoformat(window.start), "end": isoformat(window.end)},
        "entities": list(evidence.entities),
        "thresholds": asdict(evidence.thresholds),
        "version": version("investigate"),
        "code": _code_digest(notebooks),
    }
    return Run(incident, asked)


def incident_named(name: str) -> str:
    """Return the name of an incident; raise `UsageError` if it cannot be shown on one line, or
    looks like a secret: it becomes part of every page, of a folder's name and of `run.json`."""
    refuse_unusable("--incident", name)
    if len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        shown = name.encode("unicode_escape").decode("ascii")
        raise UsageError(
            f"--incident {shown[:LONGEST_NAME]!r} is no name for an incident",
            hint=f"write at most {LONGEST_NAME} printable characters, without a space at either "
            "end, for example --incident orders-2026-03",
        )
    return name


def folder_of(incident: str) -> str:
    """Return an incident's name as that of a folder; different names never give the same.

    A name that had to be changed gets a dot and a digest, and no unchanged name has a dot. Capitals
    are changed too: there are file systems that do not tell them from small letters.
    """
    plain = re.sub(r"[^a-z0-9_-]+", "-", incident.lower()).strip("-")[:_LONGEST_FOLDER]
    if plain == incident:
        return plain
    whole = incident.encode("utf-8", "surrogatepass")
    return f"{plain or 'incident'}.{_digest(whole, _NAME_DIGITS)}"


def _code_digest(notebooks: Sequence[Path]) -> str:
    """Return one digest of the package and the notebooks: other code may give another report."""
    package = Path(str(files("investigate")))
    own = [path for path in package.rglob("*") if path.suffix in _CODE]
    named = [(path.relative_to(package).as_posix(), path) for path in own]
    named += [(f"notebooks/{path.name}", path) for path in notebooks]
    digests = [f"{name} {_digest(path.read_bytes())}" for name, path in sorted(named)]
    return _digest("\n".join(digests).encode())


def _digest(content: bytes, digits: int = 64) -> str:
    return hashlib.sha256(content).hexdigest()[:digits]
