"""The tables of a case as they are meant, whatever their files leave out; see `compact`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from inspect import Parameter, Signature

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from investigate.compact import FOLLOWS, LAYOUTS, OWN, Piece, is_joined, pieces


def spelled_out(rows: ir.Table, table: str) -> ir.Table:
    """Return the rows of a table's files with the columns that they leave out."""
    left_out = [name for name in LAYOUTS.get(table, {}) if name + OWN in rows.columns]
    if not left_out:
        return rows
    names = [name.removesuffix(OWN) for name in rows.columns if not name.endswith(FOLLOWS)]
    for name in left_out:
        rows = rows.mutate(**{name: _text(rows, name, LAYOUTS[table][name])})
    return rows.select(names)


def _text(rows: ir.Table, name: str, layout: str) -> ir.StringValue:
    own: ir.StringValue = rows[name + OWN]
    ending = [one for piece in pieces(layout) for one in _parts(rows, piece)]
    whole = _joined(len(ending) + 2)("", own, *ending) if is_joined(layout) else ending[0]
    return ibis.ifelse(rows[name + FOLLOWS], whole, own)


@cache
def _joined(count: int) -> Callable[..., ir.StringValue]:
    """Return the function that joins so many texts at once: with + a long text would be copied for
    each of its parts. It takes nothing for null, which no part is of a text that follows."""

    def concat_ws(*texts: object) -> None: ...

    names = [f"text_{number}" for number in range(count)]
    kind = Parameter.POSITIONAL_OR_KEYWORD
    concat_ws.__signature__ = Signature([Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    function: Callable[..., ir.StringValue] = ibis.udf.scalar.builtin(
        concat_ws, signature=((dt.string,) * count, dt.string)
    )
    return function


def _parts(rows: ir.Table, piece: Piece) -> Iterator[ir.StringValue]:
    if piece.text:
        yield ibis.literal(piece.text)
    if piece.column is not None:
        value: ir.StringValue = rows[piece.column].cast("string")
        yield value.substr(*piece.part) if piece.part else value
