"""How each engine's SQL says what the checks mean: Ibis's compilers, and what they lack for Trino.

Athena's engine 3 is Trino. Where Trino's function of the same name means something else than
DuckDB's, which the checks are tried with, the compiler here writes what means the same. Sources:
Trino's pages on functions and operators, Athena's on data types and engine version 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler
from ibis.backends.sql.compilers.trino import TrinoCompiler
from ibis.backends.sql.datatypes import TrinoType
from ibis.backends.sql.dialects import Trino
from sqlglot.dialects import Athena

from investigate.errors import UsageError


class MicrosecondType(TrinoType):  # type: ignore[misc]
    """Trino's types, with times to the microsecond: a plain TIMESTAMP has milliseconds."""

    default_temporal_scale = 6

    @classmethod
    def _from_ibis_Timestamp(cls, dtype: dt.Timestamp) -> sge.DataType:
        return sge.DataType(
            this=sge.DataType.Type.TIMESTAMP,
            expressions=[sge.DataTypeParam(this=sge.convert(6))],
        )


class ExactTrino(TrinoCompiler):  # type: ignore[misc]
    """Trino's SQL that means what the same expression means in DuckDB."""

    __slots__ = ()
    dialect = Trino
    type_mapper = MicrosecondType
    # Ibis writes a method for each of these into every class, over the methods below.
    SIMPLE_OPS: Mapping[type, str] = {}
    UNSUPPORTED_OPS: tuple[type, ...] = ()

    def visit_NonNullLiteral(self, op: ops.Literal, *, value: Any, dtype: dt.DataType) -> Any:
        """Write a time as one without a zone: from_iso8601_timestamp gives one of the session's
        zone, in milliseconds."""
        if dtype.is_timestamp():
            return self.cast(value.replace(tzinfo=None).isoformat(" "), dt.timestamp)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_TryCast(self, op: ops.TryCast, *, arg: Any, to: dt.DataType) -> Any:
        """Read a time also where a T stands between day and hour, which Trino's cast refuses."""
        if to.is_timestamp() and op.arg.dtype.is_string():
            arg = self.f.replace(arg, "T", " ")
        return super().visit_TryCast(op, arg=arg, to=to)

    def visit_Cast(self, op: ops.Cast, *, arg: Any, to: dt.DataType) -> Any:
        """Write a fraction as 1.5, where Trino's cast writes 1.5E0; only below ten million."""
        if op.arg.dtype.is_floating() and to.is_string():
            return self.f.json_format(self.cast(arg, dt.json))
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_Strftime(self, op: ops.Strftime, *, arg: Any, format_str: Any) -> Any:
        """Write a time by MySQL's letters, where %M is the month's name and %i the minutes."""
        told = sge.convert(str(format_str.this).replace("%M", "%i").replace("%S", "%s"))
        # Anonymous, or sqlglot takes the letters for Python's and changes them again.
        return self.f.anon.date_format(arg, told)

    def visit_TimestampDelta(
        self, op: ops.TimestampDelta, *, part: Any, left: Any, right: Any
    ) -> Any:
        """Count the units begun between two times; date_diff knows no microseconds."""
        unit = str(op.part.value)
        if unit == "microsecond":
            # A double holds the microseconds since 1970 until the year 2255, to a quarter of one.
            seconds = self.f.to_unixtime(left) - self.f.to_unixtime(right)
            return self.cast(self.f.round(sge.Paren(this=seconds) * 1_000_000), dt.int64)
        if unit == "millisecond":
            return self.f.anon.date_diff(sge.convert(unit), right, left)
        whole = [self.f.date_trunc(sge.convert(unit), moment) for moment in (right, left)]
        return self.f.anon.date_diff(sge.convert(unit), *whole)

    def visit_Greatest(self, op: ops.Greatest, *, arg: tuple[Any, ...]) -> Any:
        """Leave nulls out, which make Trino's greatest null."""
        return self._without_nulls("greatest", arg)

    def visit_Least(self, op: ops.Least, *, arg: tuple[Any, ...]) -> Any:
        """Leave nulls out, which make Trino's least null."""
        return self._without_nulls("least", arg)

    def _without_nulls(self, function: str, values: tuple[Any, ...]) -> Any:
        found, *others = values
        for other in others:
            found = self.f.coalesce(self.f[function](found, other), found, other)
        return found

    def visit_StringJoin(self, op: ops.StringJoin, *, sep: Any, arg: tuple[Any, ...]) -> Any:
        """Leave nulls out, as concat_ws does everywhere."""
        return self.f.anon.concat_ws(sep, *arg)

    def visit_RegexExtract(
        self, op: ops.RegexExtract, *, arg: Any, pattern: Any, index: Any
    ) -> Any:
        """Return an empty text where nothing matches; Trino's is null."""
        found = self.f.anon.regexp_extract(arg, pattern, index)
        return self.f.coalesce(found, self.if_(arg.is_(sge.null()).not_(), sge.convert("")))

    def visit_NullIf(self, op: ops.NullIf, *, arg: Any, null_if_expr: Any) -> Any:
        """Take an empty text that would only be turned into null again for what it was."""
        if isinstance(op.arg, ops.RegexExtract) and isinstance(arg, sge.Coalesce):
            arg = arg.this
        return super().visit_NullIf(op, arg=arg, null_if_expr=null_if_expr)

    def visit_HexDigest(self, op: ops.HexDigest, *, arg: Any, how: str) -> Any:
        """Write SHA-256 in small letters; Trino's to_hex has capitals, and hashes bytes only."""
        if how != "sha256":
            return super().visit_Undefined(op, arg=arg, how=how)
        return self.f.lower(self.f.to_hex(self.f.sha256(self.f.to_utf8(arg))))

    def visit_Median(self, op: ops.Median, *, arg: Any, where: Any) -> Any:
        """Return the exact median; Trino has only an approximate one."""
        return self._quantile(arg, sge.convert(0.5), where)

    def visit_Quantile(self, op: ops.Quantile, *, arg: Any, quantile: Any, where: Any) -> Any:
        """Return the exact quantile between two neighbours; Trino has only an approximate one."""
        return self._quantile(arg, quantile, where)

    def _quantile(self, arg: Any, share: Any, where: Any) -> Any:
        known = arg.is_(sge.null()).not_()
        kept = known if where is None else sge.and_(where, known)
        values = self.f.array_sort(
            sge.Filter(
                this=self.f.array_agg(self.cast(arg, dt.float64)), expression=sge.Where(this=kept)
            )
        )
        place = (self.f.cardinality(values) - 1) * self.cast(share, dt.float64)
        low, high = (
            self.cast(self.f.floor(place), dt.int64),
            self.cast(self.f.ceil(place), dt.int64),
        )
        below = self.f.anon.element_at(values, low + 1)
        above = self.f.anon.element_at(values, high + 1)
        return below + sge.Paren(this=above - below) * sge.Paren(this=place - self.f.floor(place))


class ExactAthena(ExactTrino):
    """Athena's SQL, which is Trino's in a statement that reads."""

    __slots__ = ()
    dialect = Athena


@dataclass(frozen=True, slots=True)
class Dialect:
    """One engine's SQL: its compiler, the most bytes a statement may have (None: no known limit),
    and what a session must be set to first."""

    name: str
    compiler: Any
    most_bytes: int | None = None
    session: str = ""

    def parsed(self, table: Any) -> sge.Query:
        """Return an expression as a query of this dialect."""
        return self.compiler.to_sqlglot(table)  # type: ignore[no-any-return]

    def written(self, query: sge.Expr, *, pretty: bool = True) -> str:
        """Return a query as text."""
        return str(query.sql(dialect=self.compiler.dialect, pretty=pretty))


# "Query string length", in Athena's service quotas.
ATHENA_BYTES = 262_144

DIALECTS: Mapping[str, Dialect] = {
    "athena": Dialect("athena", ExactAthena(), ATHENA_BYTES),
    "trino": Dialect("trino", ExactTrino()),
    "duckdb": Dialect(
        "duckdb",
        DuckDBCompiler(),
        session="SET TimeZone = 'UTC'; SET lambda_syntax = 'ENABLE_SINGLE_ARROW';",
    ),
}


def dialect_of(name: str) -> Dialect:
    """Return a dialect by its name; raise `UsageError` with the known ones for another."""
    if name not in DIALECTS:
        raise UsageError.unknown("dialect", name, DIALECTS)
    return DIALECTS[name]
