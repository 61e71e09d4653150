"""Cases on which two engines must agree: with every fault, and with what no pipeline writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pyarrow as pa

from investigate.tables import TABLES
from tests.complete import troubled

# What engines order, cut, match and change to capitals each in their own way.
ODD_TEXTS = ["", " ", "ß", "Ä|#", "z\n", '"\\', "\U0001f600", "�", "NULL", "1.0E7", "e1", "-"]
ODD_TIMES = [
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 10, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 11, tzinfo=UTC),
]
ODD_NUMBERS = [-0.0, 1.45, 0.1 + 0.2, 12_345_678.0, 1e-4]
# Columns by which tables are captured at all.
KEPT = {"role", "name", "function", "readable", "status", "message", "day", "pk", "sk"}


def scrambled(seed: int) -> dict[str, Sequence[Mapping[str, Any]]]:
    """The complete case with rows left out, repeated and moved, and values that are odd or null."""
    chance = Random(seed)  # noqa: S311 - it draws rows and keeps no secret
    return {name: _rows(name, rows, chance) for name, rows in troubled().items()}


def _rows(table: str, rows: Sequence[Mapping[str, Any]], chance: Random) -> list[dict[str, Any]]:
    kept = [row for row in rows if chance.random() > 0.1]
    kept += [row for row in kept if chance.random() < 0.05]
    chance.shuffle(kept)
    return [
        {name: _value(table, name, value, chance) for name, value in row.items()} for row in kept
    ]


def _value(table: str, name: str, value: Any, chance: Random) -> Any:
    if name in KEPT or chance.random() > 0.04:
        return value
    kind = TABLES[table].field(name).type
    odd: list[Any] = [value]
    if pa.types.is_string(kind):
        odd = [*ODD_TEXTS, str(value)[::-1]]
    elif pa.types.is_timestamp(kind):
        odd = list(ODD_TIMES)
    elif pa.types.is_floating(kind):
        odd = list(ODD_NUMBERS)
    return chance.choice([*odd, None])
