"""The answer of a check as one SQL statement: WITH, one part for each table it needs, SELECT."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge

from investigate.checks import Check, offending_rows
from investigate.statements.dialects import Dialect
from investigate.statements.recording import RecordingEngine, RecordingEvidence
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
    parts = _Parts(evidence.recorder, dialect, database)
    parts.add(found.rows, ANSWER)
    reads: dict[str, int] = {}
    for name, part in parts.queries.items():
        reads[name] = _reads(part.query, reads)
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


@dataclass(frozen=True, slots=True)
class _Part:
    """What stands after a name in WITH, as a tree and on many lines."""

    query: sge.Query
    text: str


def _part(query: sge.Query, dialect: Dialect) -> _Part:
    _name_by_place(query)
    return _Part(query, dialect.written(query))


class _Parts:
    """The queries of a statement by their names, each after those it needs."""

    def __init__(self, recorder: RecordingEngine, dialect: Dialect, database: str) -> None:
        self.queries: dict[str, _Part] = {}
        self.tables: set[str] = set()
        self._recorder = recorder
        self._dialect = dialect
        self._space = ops.Namespace(database=database or None)
        self._named: dict[str, ops.PhysicalTable] = {}  # by the name in the engine
        self._taken: set[str] = set(TABLES)

    def add(self, table: ir.Table, name: str) -> None:
        """Add an expression under a name, after all that it reads."""
        self._taken.add(name)
        operation = table.op()
        named = {rows: self._called(rows) for rows in operation.find(_PHYSICAL)}
        # Statements of one case share most of their parts, and each takes its time to compile.
        places = tuple((rows.name, one.name, one.namespace) for rows, one in named.items())
        key = (self._dialect.name, operation, places)
        if key not in self._recorder.compiled:
            query = self._dialect.parsed(operation.replace(named).to_expr())
            self._recorder.compiled[key] = _part(query, self._dialect)
        self.queries[name] = self._recorder.compiled[key]

    def _called(self, rows: ops.PhysicalTable) -> ops.PhysicalTable:
        """Return a table as the statement calls it; what is behind it is added first."""
        if rows.name not in self._named:
            self._named[rows.name] = self._add_behind(rows)
        return self._named[rows.name]

    def _add_behind(self, rows: ops.PhysicalTable) -> ops.PhysicalTable:
        if isinstance(rows, ops.InMemoryTable):
            name = self._free(_GIVEN)
            self.queries[name] = _part(values_query(rows, self._dialect), self._dialect)
            return ops.UnboundTable(name, schema=rows.schema)
        known = self._recorder.recorded[rows.name]
        if known.expression is None:
            self.tables.add(known.name)
            return ops.UnboundTable(known.name, schema=rows.schema, namespace=self._space)
        name = self._free(re.sub(r"[^a-z0-9]+", "_", known.name.lower()).strip("_"))
        self.add(known.expression, name)
        return ops.UnboundTable(name, schema=rows.schema)

    def _free(self, wanted: str) -> str:
        """Take a name that nothing has; not a captured table's, which it would stand before."""
        numbered = (f"{wanted}_{number}" for number in range(2, len(self._taken) + 3))
        name = next(name for name in (wanted, *numbered) if name not in self._taken)
        self._taken.add(name)
        return name


def _name_by_place(query: sge.Query) -> None:
    """Number what Ibis named by chance, in the order in which it stands there."""
    names: dict[str, str] = {}
    for identifier in query.find_all(sge.Identifier, bfs=False):
        chance = _BY_CHANCE.fullmatch(identifier.name)
        if chance:
            numbered = f"{chance[1]}_{len(names) + 1}"
            identifier.set("this", names.setdefault(identifier.name, numbered))


def _written(parts: Mapping[str, _Part], dialect: Dialect) -> str:
    """Return the statement on many lines, or on few if it would be too long for the engine."""
    text = _joined({name: part.text for name, part in parts.items()})
    if dialect.most_bytes is None or len(text.encode()) <= dialect.most_bytes - _HEADING_BYTES:
        return text
    return _joined(
        {name: dialect.written(part.query, pretty=False) for name, part in parts.items()}
    )


def _joined(texts: Mapping[str, str]) -> str:
    # Not as one tree with a WITH: sqlglot would move the WITH of a part to the top, where two
    # parts' t1 would be one.
    parts = ", ".join(f"{_quoted(name)} AS (\n{text}\n)" for name, text in texts.items())
    return f"WITH {parts}\nSELECT * FROM {_quoted(ANSWER)} ORDER BY {_quoted('key')}"


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
