"""An analyst's own questions: the tables of a case by name, and one SELECT over them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from investigate import display
from investigate.display import Shown
from investigate.engine import Engine
from investigate.errors import EngineError, NotEvaluable, UsageError
from investigate.evidence import Evidence
from investigate.ledger import ledger
from investigate.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

LEDGER = "ledger"
EXAMPLE = 'incident.query("select event_id, divergence from ledger where code is not null")'

# What one row of each table is, in the order of the tables.
ROWS_OF: Mapping[str, str] = {
    "raw": "one raw object in S3",
    "events": "one row of the EventsTable",
    "dedupe": "one row of the DedupeTable",
    "messages": "one sampled message of the replay queue",
    "dead_letters": "one failed record, from any failure channel",
    "aggregates": "one version of an aggregate",
    "invocations": "one attempt to run a Lambda function",
    "log_lines": "one structured line, or one error, of a log",
    "metric_points": "one data point of a metric",
    "queue_state": "one queue",
    "functions": "one Lambda function and its settings",
    "mappings": "one event source mapping and its settings",
    "alarms": "one alarm",
    "spans": "one segment of a trace",
    "deliveries": "one rule, subscription or stream that delivers to a function",
    "deployments": "one change of a resource",
    "rescued": "one record of a stream that a dead letter points at",
    LEDGER: "one event id, with what each station shows of it and where its story breaks",
}
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Into, exp.Command)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CaseTables:
    """The captured tables of a case and its ledger, as Ibis tables: `incident.tables.events`.

    They hold all that was captured, whatever window and entity were asked about. One that was not
    captured raises `NotEvaluable` with the reason.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def __dir__(self) -> list[str]:
        """The tables that can be read, for completion."""
        return self.names()

    def names(self) -> list[str]:
        """Return the names of the tables that were captured, and of the ledger."""
        return [name for name in TABLES if self._evidence.has(name)] + [LEDGER]

    def __getitem__(self, name: str) -> ir.Table:
        """Return a table by its name; raise `UsageError` with all names for one there is not."""
        if name not in ROWS_OF:
            raise UsageError.unknown("table", name, self.names())
        return ledger(self._evidence) if name == LEDGER else self._evidence[name]

    def __getattr__(self, name: str) -> ir.Table:
        """Raise `AttributeError` with the names there are."""
        raise AttributeError(f"no table {name!r} (known: {', '.join(self.names())})")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        rows = [(name, ROWS_OF[name], self._columns(name)) for name in self.names()]
        return display.table(("table", "a row is", "columns"), rows)._repr_mimebundle_()

    def _columns(self, name: str) -> Shown:
        try:
            return display.prose(", ".join(self[name].columns))  # never cut
        except NotEvaluable as unknown:
            return display.prose(unknown.message)


def _reader(name: str) -> property:
    def read(self: CaseTables) -> ir.Table:
        return self[name]

    columns = f" Columns: {', '.join(TABLES[name].names)}." if name in TABLES else ""
    read.__doc__ = f"An Ibis table of which a row is {ROWS_OF[name]}.{columns}"
    return property(read)


# Properties, so that `incident.tables.raw?` answers without reading the table.
for _name in ROWS_OF:
    setattr(CaseTables, _name, _reader(_name))


@dataclass(frozen=True)
class Answer:
    """The rows of a query, shown as a table of at most 50 rows that says how many there are."""

    table: ir.Table = field(repr=False)
    engine: Engine = field(repr=False)
    limit: int = 50

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows as a pandas frame."""
        return self.engine.frame(self.table)

    def shown(self) -> Shown:
        """Return the first rows as a table."""
        total = int(self.engine.scalar(self.table.count()))
        rows = self.engine.rows(self.table.limit(self.limit))
        caption = display.cut(len(rows), total)
        if total > len(rows):
            caption += ". All of them: .to_pandas()"
        columns = list(self.table.columns)
        values = [[row[name] for name in columns] for row in rows]
        return display.stack(display.table(columns, values, caption=caption), label="Answer")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return self.shown()._repr_mimebundle_()


def answer(evidence: Evidence, asked: str | ir.Table, limit: int = 50) -> Answer:
    """Return the answer to one SELECT in DuckDB's SQL, or to an Ibis expression.

    SQL may read the tables of the case and nothing else: no file, no setting, no second statement.
    Raises `UsageError` for anything else, and `NotEvaluable` for a table that was not captured.
    """
    if isinstance(asked, ir.Table):
        return Answer(asked, evidence.engine, limit)
    if not isinstance(asked, str):
        raise UsageError(
            f"a query is SQL or an Ibis table, not {type(asked).__name__}", hint=EXAMPLE
        )
    tables = CaseTables(evidence)
    query = _parsed(asked)
    _rename(query, tables, evidence.engine)
    try:
        # What was looked through is run, and not the text, which two parsers might read unlike.
        return Answer(evidence.engine.select(query.sql("duckdb")), evidence.engine, limit)
    except EngineError as error:
        raise UsageError(
            error.message, hint=f"the tables and their columns: incident.tables; as in {EXAMPLE}"
        ) from error


def _parsed(text: str) -> exp.Query:
    try:
        statements = sqlglot.parse(text, read="duckdb")
    except SqlglotError as error:
        raise UsageError(
            f"the query cannot be read: {str(error).splitlines()[0]}", hint=EXAMPLE
        ) from error
    if len(statements) != 1 or not isinstance(statements[0], (exp.Select, exp.SetOperation)):
        raise UsageError("a query is one SELECT, and nothing else", hint=f"as in {EXAMPLE}")
    return statements[0]


def _rename(query: exp.Query, tables: CaseTables, engine: Engine) -> None:
    """Let a query read the tables of the case by the names that the engine has for them."""
    if query.find(*_WRITES):
        raise UsageError("a query is one SELECT, and nothing else", hint=f"as in {EXAMPLE}")
    own = {part.alias for part in query.find_all(exp.CTE)}
    for name in own:
        # DuckDB takes a name such as "a.csv" for a file wherever it is not the name of a part.
        if not _PLAIN_NAME.fullmatch(name):
            raise UsageError(f"a part of a query cannot be called {name!r}", hint="use a word")
    for place in list(query.find_all(exp.Table)):
        if not (place.name in own and isinstance(place.this, exp.Identifier)):
            _rename_table(place, tables, engine)


def _rename_table(place: exp.Table, tables: CaseTables, engine: Engine) -> None:
    if not isinstance(place.this, exp.Identifier) or place.db:
        raise UsageError(
            f"a query reads the tables of the case only, not {place.sql('duckdb')}",
            hint=f"there are {', '.join(tables.names())}",
        )
    name = place.name.lower()
    known = engine.view(tables[name], name).get_name()
    if not place.alias:
        place.set("alias", exp.TableAlias(this=exp.to_identifier(place.name)))
    place.set("this", exp.to_identifier(known, quoted=True))
