"""Few enough numbers for a figure: bins of time, and the names that matter most."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.display import OTHERS
from investigate.engine import seconds_since_1970
from investigate.evidence import Evidence
from investigate.model import Window

MOST_BINS = 100
MOST_NAMES = 6
MOST_ROWS = 2000
FEW = 20  # a number of events and the like whose ids are worth a look

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
LADDER = (
    1, 10, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR,
    12 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY,
)  # fmt: skip


def bin_seconds(window: Window, most: int = MOST_BINS) -> int:
    """Return the shortest handy span of which at most `most` cover a window."""
    length = (window.end - window.start).total_seconds()
    return next((span for span in LADDER if length <= span * most), LADDER[-1])


def span_of(evidence: Evidence, rows: ir.Table, column: str) -> Window:
    """Return the window from the first to the last time in a column; times of ingest and processing
    do not keep to the window asked about."""
    moment = rows[column]
    known = evidence.engine.rows(rows.agg(first=moment.min(), last=moment.max()))[0]
    first: datetime | None = known["first"]
    if first is None:
        return evidence.window
    start, end = first.replace(tzinfo=UTC), known["last"].replace(tzinfo=UTC)
    return Window(start, end + timedelta(seconds=1))


def binned(moment: ir.TimestampValue, seconds: int) -> ir.IntegerValue:
    """Return the start of the bin a time falls into, in seconds since 1970."""
    epoch = seconds_since_1970(moment)
    return epoch - epoch % seconds


def listed(
    evidence: Evidence, table: ir.Table, *times: str, most: int = MOST_ROWS
) -> list[dict[str, Any]]:
    """Return the first rows of a small table; `times` are columns of times, or of seconds since
    1970, which become texts that plotly reads as UTC: "2026-03-10 06:00:00"."""
    rows = evidence.engine.rows(table.limit(most))
    return [{**row, **{name: moment_text(row[name]) for name in times}} for row in rows]


def moment_text(value: datetime | int | None) -> str | None:
    """Return a time, or seconds since 1970, as text; None for none."""
    if value is None:
        return None
    moment = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value
    text = moment.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return text.removesuffix(".000")


def sample_ids(ids: ir.StringValue, where: ir.BooleanValue | None = None) -> dict[str, ir.Value]:
    """Return two columns to count with: the first and the last of the ids that a number stands for,
    as text. More would cost a sort; two show what is meant, and tell all where there are two."""
    return {"first_id": ids.min(where=where), "last_id": ids.max(where=where)}


def with_ids(rows: list[dict[str, Any]], counted: str) -> list[dict[str, Any]]:
    """Return rows with the columns of `sample_ids` as one, `ids`; where a row stands for more than
    a few, without ids."""
    return [
        {
            **{name: value for name, value in row.items() if name not in ("first_id", "last_id")},
            "ids": _distinct(row["first_id"], row["last_id"]) if row[counted] <= FEW else [],
        }
        for row in rows
    ]


def _distinct(*ids: str | None) -> list[str]:
    return [name for name in dict.fromkeys(ids) if name]


def top_names(
    evidence: Evidence,
    rows: ir.Table,
    column: str,
    most: int = MOST_NAMES,
    *,
    odd: ir.BooleanValue | None = None,
) -> list[str]:
    """Return the values of a text column that matter most: those with the most `odd` rows first,
    then those with the most rows."""
    strange = ibis.literal(False) if odd is None else odd.fill_null(False)
    rows = rows.select(name=rows[column].fill_null(""), strange=strange.cast("int64"))
    names = rows.group_by("name").agg(strange=rows.strange.sum(), rows=rows.count())
    leading = names.order_by([names.strange.desc(), names.rows.desc(), names.name.asc()])
    return [row["name"] for row in evidence.engine.rows(leading.limit(most))]


def or_others(value: ir.StringValue, names: list[str]) -> ir.StringValue:
    """Return a text if it is one of these names, else a common name for the rest."""
    known = value.fill_null("")
    return ibis.ifelse(known.isin(names), known, OTHERS) if names else ibis.literal(OTHERS)
