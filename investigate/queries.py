"""An analyst's own questions: the tables of a case by name, and one SELECT over them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from investigate import display
from investigate.checks import book
from investigate.display import Shown
from investigate.errors import EngineError, NotEvaluable, UsageError
from investigate.evidence import Evidence
from investigate.ledger import ledger
from investigate.ledger.stations import BREAKS
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
# Where a query says what it reads, and all that it may say there. DuckDB takes a text in such a
# place for the name of a file or an address, as in (SUMMARIZE 'a.csv').
_PLACES = (exp.From, exp.Join, exp.Lateral, exp.CTE, exp.Subquery, exp.Exists)
_SOURCES = (exp.Table, exp.Query, exp.Values, exp.Unnest, exp.Lateral)
_NOT_ASKING = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Into, exp.Command,
    exp.Summarize, exp.Describe, exp.Show, exp.Pragma,
)  # fmt: skip
# Functions that tell of this machine, or write; they need no table.
_OF_THE_MACHINE = {"current_setting", "getenv", "pg_get_viewdef", "write_log"}
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

    def __repr__(self) -> str:
        return self._shown().text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return self._shown()._repr_mimebundle_()

    def _shown(self) -> Shown:
        rows = [(name, ROWS_OF[name], self._columns(name)) for name in self.names()]
        return display.table(("table", "a row is", "columns"), rows)

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


MOST_ROWS = 1_000_000  # of an answer as a pandas frame, unless somebody asks for more


@dataclass(frozen=True, repr=False)
class Answer:
    """The rows of a query, shown as a table of at most 50 rows that says how many there are.

    The query was run once: every look at the answer is a look at the same rows.
    """

    table: ir.Table
    evidence: Evidence
    reads: tuple[str, ...] = ()  # the tables of the case that the rows were made of
    limit: int = 50

    def to_pandas(self, most: int = MOST_ROWS) -> pd.DataFrame:
        """Return all rows as a pandas frame; raise `UsageError` if there are more than `most`,
        because pandas holds all of them in memory at once."""
        engine = self.evidence.engine
        if (total := engine.count(self.table)) > most:
            raise UsageError(
                f"the answer has {total:,} rows, and more than {most:,} take gigabytes in pandas",
                hint="count or group them in the query, or ask for so many: "
                f".to_pandas(most={total})",
            )
        return engine.frame(self.table)

    def unseen(self) -> str:
        """Say in words which of the tables behind the rows do not show everything; empty if all
        do. With a reason, no rows prove nothing, and there may be more than were found."""
        absent = [
            self.evidence.capture_gap(name) for name in self.reads if not self.evidence.has(name)
        ]
        captured = [name for name in self.reads if self.evidence.has(name)]
        return "; ".join((*absent, *self.evidence.gaps(captured)))

    def shown(self) -> Shown:
        """Return the first rows as a table."""
        engine = self.evidence.engine
        total = engine.count(self.table)
        rows = engine.rows(self.table.limit(self.limit))
        caption = display.cut(len(rows), total)
        if total > len(rows):
            caption += ". All of them: .to_pandas()"
        columns = list(self.table.columns)
        values = [[row[name] for name in columns] for row in rows]
        return display.stack(display.table(columns, values, caption=caption), label="Answer")

    def __repr__(self) -> str:
        return self.shown().text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return self.shown()._repr_mimebundle_()


def answer(evidence: Evidence, asked: str | ir.Table, limit: int = 50) -> Answer:
    """Return the answer to one SELECT in DuckDB's SQL, or to an Ibis expression.

    SQL may read the tables of the case and nothing else: no file, no setting, no second statement.
    Raises `UsageError` for anything else, and `NotEvaluable` for a table that was not captured.
    """
    if isinstance(asked, ir.Table):
        return Answer(_run(evidence, asked), evidence, _named_by(asked, evidence), limit)
    if not isinstance(asked, str):
        raise UsageError(
            f"a query is SQL or an Ibis table, not {type(asked).__name__}", hint=EXAMPLE
        )
    try:
        query = _parsed(asked)
        names = _rename(query, evidence)
        # What was looked through is run, and not the text, which two parsers might read unlike.
        text = query.sql("duckdb")
    except RecursionError as error:
        raise UsageError(
            "the query has too many brackets within brackets", hint="name parts of it: WITH"
        ) from error
    return Answer(_run(evidence, text), evidence, _behind(names), limit)


def _run(evidence: Evidence, query: str | ir.Table) -> ir.Table:
    try:
        return evidence.engine.select(query)
    except EngineError as error:
        raise UsageError(
            error.message, hint=f"the tables and their columns: incident.tables; as in {EXAMPLE}"
        ) from error
    except ValueError as error:
        raise UsageError(str(error), hint="a query reads incident.tables only") from error


def _named_by(asked: ir.Table, evidence: Evidence) -> tuple[str, ...]:
    """Return the tables of the case that an Ibis expression reads; all of them if it reads one
    that is not known here, such as an earlier answer."""
    known = {name: evidence[name] for name in TABLES if evidence.has(name)}
    # Whoever names the ledger has had it made; to make it for this question alone would be dear.
    known |= {name: made for name, made in evidence.computed()[0].items() if name == LEDGER}
    sources = {name: _sources(table) for name, table in known.items()}
    read = _sources(asked)
    if read - set().union(*sources.values()):
        return _behind(sources)
    return _behind(name for name in sources if sources[name] & read)


def _sources(table: ir.Table) -> set[str]:
    return {place.name for place in table.op().find(ops.DatabaseTable)}


def _behind(names: Iterable[str]) -> tuple[str, ...]:
    """Return the tables of the case that these are made of, in order: the ledger is made of those
    that its checks need."""
    found = set(names)
    if LEDGER in found:
        checks = [book[known.code] for known in BREAKS]
        found.update(table for check in checks for table in (*check.needs, *check.whole))
    return tuple(name for name in TABLES if name in found)


def _parsed(text: str) -> exp.Query:
    try:
        statements = sqlglot.parse(text, read="duckdb")
    except SqlglotError as error:
        raise UsageError(
            f"the query cannot be read: {str(error).splitlines()[0]}", hint=EXAMPLE
        ) from error
    if len(statements) != 1 or not isinstance(statements[0], (exp.Select, exp.SetOperation)):
        raise _not_one_select()
    return statements[0]


def _not_one_select() -> UsageError:
    return UsageError("a query is one SELECT, and nothing else", hint=f"as in {EXAMPLE}")


def _rename(query: exp.Query, evidence: Evidence) -> set[str]:
    """Let a query read the tables of the case by the names that the engine has for them, and
    return which it reads."""
    tables = CaseTables(evidence)
    _refuse_what_does_not_ask(query)
    for place in query.find_all(*_PLACES):
        if not isinstance(place.this, _SOURCES):
            raise _elsewhere(place.this, tables)
    for part in query.find_all(exp.CTE):
        # DuckDB takes a name such as "a.csv" for a file wherever it is not the name of a part.
        if not _PLAIN_NAME.fullmatch(part.alias):
            raise UsageError(
                f"a part of a query cannot be called {part.alias!r}", hint="use a word"
            )
    places = [place for place in query.find_all(exp.Table) if not _is_part(place)]
    return {_rename_table(place, tables, evidence) for place in places}


def _refuse_what_does_not_ask(query: exp.Query) -> None:
    if query.find(*_NOT_ASKING):
        raise _not_one_select()
    for call in query.find_all(exp.Anonymous):
        if call.name.lower() in _OF_THE_MACHINE:
            raise UsageError(
                f"a query cannot call {call.name}, which does not tell of the case",
                hint=f"as in {EXAMPLE}",
            )


def _is_part(place: exp.Table) -> bool:
    """Return whether a name is that of a part (WITH) of the query which can be seen from there: of
    a select around it, or before it. DuckDB does not tell capital letters from small ones."""
    if not isinstance(place.this, exp.Identifier) or place.db:
        return False
    return place.name.lower() in {part.alias.lower() for part in _parts_around(place)}


def _parts_around(place: exp.Table) -> Iterator[exp.Expr]:
    inside: exp.Expr = place
    around = place.parent
    while around is not None:
        if isinstance(around, exp.With):
            # A part sees those before it, and itself only where it may call itself.
            itself = 1 if around.args.get("recursive") else 0
            yield from around.expressions[: (inside.index or 0) + itself]
        elif not isinstance(inside, exp.With) and around.args.get("with_"):
            yield from around.args["with_"].expressions
        inside, around = around, around.parent


def _rename_table(place: exp.Table, tables: CaseTables, evidence: Evidence) -> str:
    if not isinstance(place.this, exp.Identifier) or place.db:
        raise _elsewhere(place, tables)
    name = place.name.lower()
    known = evidence.view(f"asked_{name}", lambda _: tables[name]).op()
    if not place.alias:
        place.set("alias", exp.TableAlias(this=exp.to_identifier(place.name)))
    # With the whole path: a part of the query may be called as the engine calls the table.
    path = {"catalog": known.namespace.catalog, "db": known.namespace.database, "this": known.name}
    for level, word in path.items():
        place.set(level, exp.to_identifier(word, quoted=True))
    return name


def _elsewhere(place: exp.Expr, tables: CaseTables) -> UsageError:
    return UsageError(
        f"a query reads the tables of the case only, not {place.sql('duckdb')}",
        hint=f"there are {', '.join(tables.names())}",
    )
