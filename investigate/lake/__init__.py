"""Tables that a case only points at, read where AWS or a copy of it has them, by the workers of
the engine and with the very code of a capture; and cases that lie in a bucket themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from investigate.in_place import DYNAMODB_EXPORT, RAW_OBJECTS

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from investigate.case import Case
    from investigate.engine import Engine
    from investigate.in_place import Stored

__all__ = ["read_in_place", "read_stored"]


def read_in_place(case: Case, table: str, engine: Engine) -> ir.Table:
    """Return a table of a case's lake, every row of it read once and checked on the way.

    Raises `AccessError` for a file that is gone or is not what the case says of it; a raw object
    that cannot be read is a row that says so.
    """
    # Imported when it is needed: most cases hold all their rows themselves.
    from investigate.lake import exports, objects

    readers: Mapping[str, Callable[[Case, str, Engine], ir.Table]] = {
        RAW_OBJECTS: objects.read,
        DYNAMODB_EXPORT: exports.read,
    }
    return readers[case.lake[table].kind](case, table, engine)


def read_stored(case: Case, place: Stored, table: str, engine: Engine) -> ir.Table:
    """Return a table of a case whose files stay in a bucket, each read once by the workers.

    Raises `AccessError` for a file that cannot be read, and `CaseDamagedError` if the files are
    not what the manifest says.
    """
    from investigate.lake import stored

    return stored.read(case, place, table, engine)
