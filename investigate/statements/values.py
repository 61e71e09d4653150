"""Rows that the product made itself, such as a list of rules, as a query that reads no table."""

from __future__ import annotations

import ibis
import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge

from investigate.statements.dialects import Dialect

_ALIAS = "given_rows"


def values_query(rows: ops.InMemoryTable, dialect: Dialect) -> sge.Query:
    """Return rows held in memory as a query of their values, with the types they have here."""
    types = {
        name: dialect.compiler.type_mapper.from_ibis(kind) for name, kind in rows.schema.items()
    }
    listed = rows.data.to_pyarrow(rows.schema).to_pylist()
    if not listed:
        nulls = [sg.cast(sge.null(), kind).as_(name, quoted=True) for name, kind in types.items()]
        return sg.select(*nulls).where(sge.false())
    values = [
        sge.Tuple(
            expressions=[_value(row[name], kind, dialect) for name, kind in rows.schema.items()]
        )
        for row in listed
    ]
    columns = [sg.to_identifier(name, quoted=True) for name in types]
    alias = sge.TableAlias(this=sg.to_identifier(_ALIAS, quoted=True), columns=columns)
    cast = [
        sg.cast(sg.column(name, quoted=True), kind).as_(name, quoted=True)
        for name, kind in types.items()
    ]
    return sg.select(*cast).from_(sge.Values(expressions=values, alias=alias))


def _value(value: object, kind: ibis.DataType, dialect: Dialect) -> sge.Expr:
    if value is None:
        return sge.null()
    (told,) = dialect.parsed(ibis.literal(value, kind).as_table()).expressions
    return told.unalias()  # type: ignore[no-any-return]
