"""What a fuzzer drives: a parser, what it may refuse with, and what must hold of its answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import pyarrow as pa

from investigate.capture.source import Row, stored
from investigate.errors import InvestigationError
from investigate.tables import FLAG, MOMENT, NUMBER, TABLES, TEXT, TEXTS, WHOLE

PARTS = b"\0"  # between the parts of an input that has several
_ONE_IN = 16
_KINDS: Mapping[pa.DataType, Any] = {
    TEXT: str, WHOLE: int, NUMBER: (int, float), FLAG: bool, TEXTS: list, MOMENT: datetime,
}  # fmt: skip
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - files of a million inputs go to no disk


class Broken(AssertionError):
    """An answer of a parser does not hold what it must."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser. `run` returns for every input that the parser takes or refuses as it should;
    whatever it raises is a crash. `reads` says in words what stands in an input."""

    name: str
    reads: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def expect(holds: object, said: str) -> None:
    """Raise `Broken` with what was expected unless it holds."""
    if not holds:
        raise Broken(said)


@contextmanager
def refusing(*kinds: type[InvestigationError]) -> Iterator[None]:
    """Let the parser refuse with these errors, each of which must say something, and briefly."""
    try:
        yield
    except kinds as error:
        expect(error.message.strip(), "an error says something")
        expect(len(str(error)) < 20_000, f"an error of {len(str(error))} characters is unreadable")
        str(error).encode("utf-8", "backslashreplace")


def text_of(data: bytes) -> str:
    """Return a text of an input; bytes that are no UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def parts_of(data: bytes, count: int) -> list[bytes]:
    """Return so many parts of an input; those that are not there are empty."""
    parts = data.split(PARTS, count - 1)
    return parts + [b""] * (count - len(parts))


def parsed(data: bytes) -> Any:
    """Return the JSON value an input is, as the SDK would hand it out; None if it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def texts_in(data: bytes) -> dict[str, str]:
    """Return the members of a JSON object that are texts, as attributes of a message are."""
    found = parsed(data)
    members = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in members if isinstance(value, str)}


def fits(table: str, rows: Sequence[Row]) -> None:
    """Raise unless rows can be kept in a table of a case, each of them.

    A million tables of Arrow take an hour: one input in some goes through that door, all others
    through its rules.
    """
    schema = TABLES[table]
    for row in rows:
        for name, value in row.items():
            kind = _KINDS[schema.field(name).type]
            expect(value is None or isinstance(value, kind), f"{table}.{name} is {type(value)}")
    if crc32(repr(rows).encode()) % _ONE_IN == 0:
        expect(len(stored(table, rows)) == len(rows), f"{len(rows)} rows of {table} are kept")


def strict_json(text: str | None, said: str) -> None:
    """Raise unless a text that a case keeps as JSON is what RFC 8259 calls so."""
    if text is None:
        return

    def no_number(name: str) -> None:
        raise Broken(f"{said}: {name} is no JSON")

    json.loads(text, parse_constant=no_number)


def seed(*parts: Any) -> bytes:
    """Return an input of these parts; what is no text is written as JSON."""
    spelt = (part if isinstance(part, str) else json.dumps(part) for part in parts)
    return PARTS.join(part.encode("utf-8", "surrogatepass") for part in spelt)


class Files:
    """A folder for parsers that read files; one for each process."""

    def __init__(self) -> None:
        self._folders: dict[int, TemporaryDirectory[str]] = {}

    @property
    def folder(self) -> Path:
        """The folder of this process, in memory where there is such a place."""
        process = os.getpid()
        if process not in self._folders:
            place = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
            self._folders[process] = TemporaryDirectory(prefix="investigate-fuzz-", dir=place)
        return Path(self._folders[process].name)

    def hold(self, name: str, data: bytes) -> Path:
        """Write a file and return where it is."""
        path = self.folder / name
        path.write_bytes(data)
        return path


FILES = Files()
Objects = Mapping[str, bytes]  # key -> body
