"""A case on disk: a manifest and a folder of Parquet files per table; read only if it is whole."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.designs import recorded_design
from investigate.errors import CaseDamagedError, CaseError, CaseVersionError, UsageError, quoted
from investigate.in_place import InPlace, Stored
from investigate.model import Window, parse_time
from investigate.pipeline import REFERENCE, Design
from investigate.tables import TABLES, listing_problems, missing_columns

SCHEMA = "investigate.case/1"
MANIFEST = "case.json"
RECORD = "recovery/record.jsonl"  # what the commands that write did because of this case
BESIDE = frozenset(
    {MANIFEST, "README.md", "truth.json", RECORD}
)  # no tables: what may come with it
DEMO_CASES = Path("data/cases")  # where `investigate sandbox demo` puts them
RESTORE = "restore the case from where it was captured, or capture it again"
LARGEST_MANIFEST = 256 * 1024 * 1024  # bytes of a manifest; that of a million files has fewer
_LONGEST_SETTLING = 1_000_000_000  # three decades; beyond, times cannot be reckoned with
COVERAGE_STATUSES = ("captured", "partial", "denied", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of one table: whether it was captured, why not, and how far it can tell.

    `horizon` is the time the evidence can tell about, as the ISO 8601 interval `start/end`; `..`
    stands for an end that is open. `listed`: every row in the scope of the capture is there, even
    if not every one could be looked into, so that a row's absence means something although the
    table is partial.
    """

    status: str
    reason: str | None = None
    horizon: str | None = None
    listed: bool = False

    def __post_init__(self) -> None:
        if self.status not in COVERAGE_STATUSES:
            raise CaseDamagedError(
                f"coverage status {quoted(self.status)} is none of {COVERAGE_STATUSES}"
            )
        told = (self.reason, self.horizon)
        if not all(text is None or isinstance(text, str) for text in told):
            raise CaseDamagedError(
                f"reason and horizon of a coverage are texts, not {quoted(told)}"
            )

    def as_json(self) -> dict[str, Any]:
        """Return what stands in a manifest; `listed` only where it says more than the status."""
        told = {"status": self.status, "reason": self.reason, "horizon": self.horizon}
        return {**told, "listed": True} if self.listed else told

    @classmethod
    def of_json(cls, known: Mapping[str, Any]) -> Coverage:
        """Return what a manifest says."""
        return cls(
            known["status"], known.get("reason"), known.get("horizon"), bool(known.get("listed"))
        )


@dataclass(frozen=True, slots=True)
class TableFile:
    """One Parquet file of a table; the path is relative to the case."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Case:
    """A captured incident: where it lies, what it is about, and what it holds."""

    folder: Path
    name: str
    window: Window
    captured_at: datetime
    settle_seconds: int
    tool: Mapping[str, str]
    pipeline: Mapping[str, Any]
    files: Mapping[str, tuple[TableFile, ...]]
    rows: Mapping[str, int]
    coverage: Mapping[str, Coverage]
    scope_entities: tuple[str, ...] = ()  # the only entities captured; empty: all
    event_dates: tuple[str, str] | None = None  # first and last day of the raw objects; None: all
    masked: Mapping[str, bool] = field(default_factory=dict)  # field -> whether it was met
    consumed: Mapping[str, Any] = field(default_factory=dict)  # requests and read units it took
    lake: Mapping[str, InPlace] = field(default_factory=dict)  # tables that it only points at
    listings: Mapping[str, tuple[TableFile, ...]] = field(default_factory=dict)  # of these tables
    stored: Stored | None = None  # where the files of its tables are; None: in the folder
    design: Design = REFERENCE  # of the pipeline that it was captured from

    @property
    def tables(self) -> tuple[str, ...]:
        """The captured tables, those in place included, in the fixed order of `TABLES`."""
        return tuple(name for name in TABLES if name in self.files or name in self.lake)

    def paths(self, table: str) -> list[Path]:
        """The Parquet files of a captured table that is in the case itself."""
        return [self.folder / file.path for file in self.files[table]]

    def count(self, table: str) -> int | None:
        """The rows of a captured table, wherever they are; None if it was not captured."""
        return self.lake[table].rows if table in self.lake else self.rows.get(table)

    def coverage_of(self, table: str) -> Coverage:
        """The coverage of any table; one that the manifest does not mention was not asked for."""
        return self.coverage.get(table, Coverage("skipped", "not part of this capture"))


def open_case(folder: str | Path) -> Case:
    """Return the case in a folder after checking its manifest, and every file's digest and columns.

    Hashing runs at more than a gigabyte a second, so evidence is never read unverified. Raises
    `CaseError`, `CaseVersionError`, `CaseDamagedError` or `DesignError`, each with what was asked,
    what is there and what to type.
    """
    case = read_manifest(folder)
    with _readable(case.folder):
        problems = verify_case(case)
    if problems:
        raise CaseDamagedError(
            f"the case {folder} is not what its manifest says: " + "; ".join(problems),
            hint=RESTORE,
        )
    return case


def read_manifest(folder: str | Path) -> Case:
    """Return what a case's manifest says, without looking at its tables; raise `CaseError`."""
    if "://" in str(folder):  # not in a Path, which has one slash only where a text has two
        raise CaseError(
            f"{folder} is not on this machine, where this command needs the case",
            hint=f"copy it first: aws s3 sync {folder} cases/{PurePosixPath(str(folder)).name}",
        )
    folder = Path(folder)
    with _readable(folder):
        manifest = _read_manifest(folder)
    return _parse_manifest(folder, manifest)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Turn what the system refuses into an error that does not call the case damaged."""
    try:
        yield
    except OSError as error:
        what = error.filename or folder
        raise CaseError(
            f"{what} cannot be read: {error.strerror or error}",
            hint=f"the case may be whole; make it readable, for example: chmod -R u+rX {folder}",
        ) from error


def verify_case(case: Case) -> list[str]:
    """Return every way in which the tables of a case are not what its manifest says."""
    problems = [problem for table in case.files for problem in _table_problems(case, table)]
    listed = [file for listing in case.listings.values() for file in listing]
    problems += _file_problems(case, listed)
    if problems:
        return problems
    for file in listed:
        problems.extend(_schema_problems(case.folder / file.path, file.path, listing_problems))
    if problems:
        return problems
    for table in case.files:
        counted = sum(pq.read_metadata(path).num_rows for path in case.paths(table))
        if counted != case.rows[table]:
            problems.append(f"{table}: {counted} rows, the manifest says {case.rows[table]}")
    return problems


def extra_files(case: Case) -> list[str]:
    """Return the files in a case's folder that its manifest does not know; nothing reads them."""
    listed = (*case.files.values(), *case.listings.values())
    known = {file.path for files in listed for file in files} | BESIDE
    found = (path for path in case.folder.rglob("*") if path.is_symlink() or not path.is_dir())
    names = (path.relative_to(case.folder).as_posix() for path in found)
    return sorted(name for name in names if name not in known)


def digest(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.exists():
        raise CaseError(
            f"there is no case {folder}{_cases_beside(folder)}",
            hint=_unfinished(folder)
            or _similar(folder)
            or f"investigate capture {folder} --config pipeline.toml",
        )
    if not path.is_file():
        raise CaseError(
            f"{folder} is not a case: it holds no {MANIFEST}{_cases_below(folder)}",
            hint="name the folder that holds case.json",
        )
    if path.stat().st_size > LARGEST_MANIFEST:
        raise CaseDamagedError(f"{path} has more than {LARGEST_MANIFEST:,} bytes", hint=RESTORE)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(manifest, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        # JSON can hold half of a pair of surrogates; no file, page or terminal can show it.
        raise CaseDamagedError(
            f"{path} holds half a character: {error.object[error.start]!r}", hint=RESTORE
        ) from error
    except (ValueError, RecursionError) as error:
        raise CaseDamagedError(
            f"{path} cannot be read as JSON: {error}", hint="capture the case again"
        ) from error
    if not isinstance(manifest, dict):
        raise CaseDamagedError(f"{path} is not a JSON object", hint="capture the case again")
    if manifest.get("schema") != SCHEMA:
        raise CaseVersionError(
            f"{folder} is of schema {quoted(manifest.get('schema'))}; "
            f"this version reads {SCHEMA!r}",
            hint="use the version of investigate that wrote it, or capture it again",
        )
    return manifest


def _parse_manifest(folder: Path, manifest: Mapping[str, Any]) -> Case:
    try:
        tables: Mapping[str, Any] = manifest["tables"]
        unknown = sorted(set(tables) - set(TABLES))
        if unknown:
            raise CaseDamagedError(
                f"{folder / MANIFEST} names unknown tables: {', '.join(unknown)}"
            )
        return Case(
            folder=folder,
            name=str(manifest["name"]),
            window=Window.parse(manifest["window"]["start"], manifest["window"]["end"]),
            captured_at=parse_time(manifest["captured_at"], "captured_at"),
            settle_seconds=_settling(manifest["settle_seconds"]),
            tool=dict(manifest["tool"]),
            pipeline=dict(manifest["pipeline"]),
            files={name: _table_files(folder, table["files"]) for name, table in tables.items()},
            rows={name: int(table["rows"]) for name, table in tables.items()},
            coverage={
                name: Coverage.of_json(known) for name, known in manifest["coverage"].items()
            },
            **_scope(manifest.get("scope", {})),
            consumed=dict(manifest.get("consumed", {})),
            **_lake(folder, manifest),
            design=recorded_design(manifest.get("design")),
        )
    except KeyError as error:
        raise CaseDamagedError(
            f"{folder / MANIFEST} lacks the field {quoted(error.args[0])}", hint=RESTORE
        ) from error
    except (TypeError, ValueError, AttributeError, OverflowError, UsageError) as error:
        said = error.message if isinstance(error, UsageError) else error
        raise CaseDamagedError(
            f"{folder / MANIFEST} holds something that cannot be: {said}", hint=RESTORE
        ) from error


def _scope(told: Mapping[str, Any]) -> dict[str, Any]:
    dates = told.get("event_dates")
    first, last = dates if dates else ("", "")
    return {
        "scope_entities": tuple(str(entity) for entity in told.get("entities", ())),
        "event_dates": (str(first), str(last)) if dates else None,
        "masked": {str(name): bool(met) for name, met in told.get("masked", {}).items()},
    }


def _lake(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables that a case points at, and the files in it that name their rows."""
    told: Mapping[str, Any] = manifest.get("lake", {})
    strange = sorted(name for name in told if name not in TABLES or name in manifest["tables"])
    if strange:
        raise ValueError(f"lake: {', '.join(strange)} cannot be a table that is only pointed at")
    return {
        "lake": {name: InPlace.of_json(one) for name, one in told.items()},
        "listings": {
            name: _table_files(folder, one["listing"])
            for name, one in told.items()
            if "listing" in one
        },
    }


def _settling(seconds: Any) -> int:
    if not 0 <= int(seconds) <= _LONGEST_SETTLING:
        raise ValueError(f"settle_seconds is {seconds}")
    return int(seconds)


def _table_files(folder: Path, files: Sequence[Mapping[str, Any]]) -> tuple[TableFile, ...]:
    listed = []
    for file in files:
        path = PurePosixPath(file["path"])
        # A case of unknown origin must not make us read outside its own folder.
        if path.is_absolute() or ".." in path.parts:
            raise CaseDamagedError(
                f"{folder / MANIFEST}: path {quoted(file['path'])} leaves the case"
            )
        listed.append(TableFile(path.as_posix(), int(file["bytes"]), str(file["sha256"])))
    return tuple(listed)


def _table_problems(case: Case, table: str) -> list[str]:
    if problems := _file_problems(case, case.files[table]):
        return problems
    return [
        problem
        for file in case.files[table]
        for problem in _schema_problems(
            case.folder / file.path, file.path, partial(missing_columns, table)
        )
    ]


def _file_problems(case: Case, files: Sequence[TableFile]) -> list[str]:
    return [problem for file in files if (problem := _file_problem(case, file))]


def _file_problem(case: Case, file: TableFile) -> str:
    path = case.folder / file.path
    try:
        if not path.is_file():
            return f"{file.path} is missing"
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return f"{quoted(file.path)} is longer than the path of a file can be"
    if not path.resolve().is_relative_to(case.folder.resolve()):
        return f"{file.path} is a link out of the case"
    if path.stat().st_size != file.bytes:
        return f"{file.path} has {path.stat().st_size} bytes, not {file.bytes}"
    if digest(path) != file.sha256:
        return f"{file.path}: its SHA-256 is not the one in the manifest"
    return ""


def _schema_problems(
    path: Path, name: str, problems: Callable[[pa.Schema], list[str]]
) -> list[str]:
    try:
        return [f"{name}: {problem}" for problem in problems(pq.read_schema(path))]
    except PermissionError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        return [f"{name} is not a Parquet file ({error})"]


def _unfinished(folder: Path) -> str:
    """Say how a capture of this case goes on that was begun; empty if none was."""
    begun = folder.with_name(f".{folder.name}.partial").is_dir()
    return "its capture is not finished: investigate capture … --resume goes on" if begun else ""


def _similar(folder: Path) -> str:
    """Ask whether one of the cases was meant that have nearly this name; empty if none has."""
    known = [
        path.parent
        for place in dict.fromkeys((folder.parent, DEMO_CASES))
        for path in sorted(place.glob(f"*/{MANIFEST}"))
    ]
    near = get_close_matches(folder.name, [case.name for case in known], n=1, cutoff=0.5)
    meant = next((case for case in known if case.name in near), None)
    return f"did you mean {meant}?" if meant else ""


def _cases_below(folder: Path) -> str:
    return _listing(folder) if folder.is_dir() else ""


def _cases_beside(folder: Path) -> str:
    return _listing(folder.parent) if folder.parent.is_dir() else ""


def _listing(folder: Path) -> str:
    names = sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
    return f" (cases in {folder}: {', '.join(names)})" if names else f" (no case in {folder})"
