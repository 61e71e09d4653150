"""The tables of a case as they are meant, whatever their files leave out; see `compact`."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.compact import FOLLOWS, LAYOUTS, OWN, Piece, pieces


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
    ending = ibis.literal("")
    for piece in pieces(layout):
        ending = ending + piece.text + _part(rows, piece)
    return ibis.ifelse(rows[name + FOLLOWS], own + ending, own)


def _part(rows: ir.Table, piece: Piece) -> ir.StringValue | str:
    if piece.column is None:
        return ""
    value: ir.StringValue = rows[piece.column].cast("string")
    return value.substr(*piece.part) if piece.part else value
