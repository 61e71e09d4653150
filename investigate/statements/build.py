"""The answer of a check as one SQL statement: WITH, one part for each table it needs, SELECT."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge

from investigate.checks import Check, offending_rows
from investigate.statements.dialects import Dialect
from investigate.statements.recording import Recorded, RecordingEvidence
from investigate.statements.values import values_query
from investigate.tables import TABLES

# Ibis names some columns and tables by chance; a statement of one case is the same every time.
_BY_CHANCE = re.compile(r"ibis_([a-z_]+)_[a-z0-9]{26}")
_GIVEN = "given"  # the name of rows that the product made itself
ANSWER = "offending_rows"  # the last part
_HEADING_BYTES = 16_384  # kept free for what is said above a statement
_PHYSICAL = (ops.DatabaseTable, ops.InMemoryTable)


@dataclass(frozen=True, slots=True)
class Statement:
    """One check in one dialect: the SQL without a heading, and what it rests on.

    `parts` are the names after WITH, `tables` the captured tables that are read, `reads` how often
    they are read once each part is written out wherever it is used, as Trino does. `taken` tells
    what was asked of the case on this machine and stands in the SQL as a literal, or decided which
    SQL it is. `reason` says why no row would prove nothing; empty if it would.
    """

    check: Check
    dialect: Dialect
    sql: str
    parts: tuple[str, ...]
    tables: tuple[str, ...]
    reads: int
    taken: tuple[str, ...]
    reason: str


def statement_of(
    check: Check, evidence: RecordingEvidence, dialect: Dialect, *, database: str = ""
) -> Statement:
    """Return a check's question to this case as one statement of a dialect.

    It yields the offending rows in scope, ordered by key. Raises `NotEvaluable` where the check
    cannot be answered from the case.
    """
    with evidence.recorder.noting() as taken:
        found = offending_rows(check, evidence)
    parts = _Parts(evidence.recorder.recorded, dialect, database)
    parts.add(found.rows, ANSWER)
    _name_by_place(parts.queries.values())
    reads: dict[str, int] = {}
    for name, query in parts.queries.items():
        reads[name] = _reads(query, reads)
    return Statement(
        check,
        dialect,
        _written(parts.queries, dialect),
        tuple(parts.queries),
        tuple(sorted(parts.tables)),
        reads[ANSWER],
        tuple(sorted(taken)),
        found.reason,
    )


class _Parts:
    """The queries of a statement by their names, each after those it needs."""

    def __init__(self, recorded: Mapping[str, Recorded], dialect: Dialect, database: str) -> None:
        self.queries: dict[str, sge.Query] = {}
        self.tables: set[str] = set()
        self._recorded = recorded
        self._dialect = dialect
        self._space = ops.Namespace(database=database or None)
        self._named: dict[str, ops.Node] = {}  # by the name in the engine

    def add(self, table: ir.Table, name: str) -> None:
        """Add an expression under a name, after all that it reads."""
        operation = table.op()
        behind = {rows: self._called(rows) for rows in operation.find(_PHYSICAL)}
        self.queries[name] = self._dialect.parsed(operation.replace(behind).to_expr())

    def _called(self, rows: ops.PhysicalTable) -> ops.Node:
        """Return a table as the statement calls it; what is behind it is added first."""
        if rows.name not in self._named:
            self._named[rows.name] = self._add_behind(rows)
        return self._named[rows.name]

    def _add_behind(self, rows: ops.PhysicalTable) -> ops.Node:
        if isinstance(rows, ops.InMemoryTable):
            name = self._free(_GIVEN)
            self.queries[name] = values_query(rows, self._dialect)
            return ops.UnboundTable(name, schema=rows.schema)
        known = self._recorded[rows.name]
        if known.expression is None:
            self.tables.add(known.name)
            return ops.UnboundTable(known.name, schema=rows.schema, namespace=self._space)
        name = self._free(re.sub(r"[^a-z0-9]+", "_", known.name.lower()).strip("_"))
        self.queries[name] = sge.Select()  # holds the name, while those it needs are added
        self.add(known.expression, name)
        self.queries[name] = self.queries.pop(name)
        return ops.UnboundTable(name, schema=rows.schema)

    def _free(self, wanted: str) -> str:
        """A part may not be called as a captured table is: it would stand in that table's place."""
        taken = {*self.queries, *TABLES}
        numbered = (f"{wanted}_{number}" for number in range(2, len(taken) + 3))
        return next(name for name in (wanted, *numbered) if name not in taken)


def _name_by_place(queries: Iterable[sge.Query]) -> None:
    """Number what Ibis named by chance, in the order in which it stands there."""
    names: dict[str, str] = {}
    for query in queries:
        for identifier in query.find_all(sge.Identifier, bfs=False):
            chance = _BY_CHANCE.fullmatch(identifier.name)
            if chance:
                numbered = f"{chance[1]}_{len(names) + 1}"
                identifier.set("this", names.setdefault(identifier.name, numbered))


def _written(queries: Mapping[str, sge.Query], dialect: Dialect) -> str:
    """Return the statement on many lines, or on few if it would be too long for the engine."""
    text = _joined(queries, dialect, pretty=True)
    if dialect.most_bytes is None or len(text.encode()) <= dialect.most_bytes - _HEADING_BYTES:
        return text
    return _joined(queries, dialect, pretty=False)


def _joined(queries: Mapping[str, sge.Query], dialect: Dialect, *, pretty: bool) -> str:
    # Not as one tree with a WITH: sqlglot would move the WITH of a part to the top, where two
    # parts' t1 would be one.
    parts = [
        f"{_quoted(name)} AS (\n{dialect.written(query, pretty=pretty)}\n)"
        for name, query in queries.items()
    ]
    return f"WITH {', '.join(parts)}\nSELECT * FROM {_quoted(ANSWER)} ORDER BY {_quoted('key')}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _reads(query: sge.Query, known: Mapping[str, int]) -> int:
    """Return how often a query reads captured tables, if each other table reads as often as is
    known of it, and is read anew wherever it is named."""
    counts = dict(known)
    for part in query.ctes:
        counts[part.alias] = sum(counts.get(one.name, 1) for one in part.this.find_all(sge.Table))
    own = (one for one in query.find_all(sge.Table) if not one.find_ancestor(sge.With))
    return sum(counts.get(one.name, 1) for one in own)
