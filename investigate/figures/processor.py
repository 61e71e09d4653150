"""Figures of the processor: how its invocations ended, and what became of its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    LOST,
    STEP_COLOURS,
    WARN,
    Drawing,
    bin_widths,
    blank,
    column,
    count_axis,
    drawing,
    escaped,
    fill,
    ids,
    parted,
    per,
    stacked,
    time_axis_of,
)
from investigate.model import Step, counted

Look = Mapping[str, tuple[str, str]]

OWN = STEP_COLOURS[Step.PROCESSOR.value]

STATUSES: Look = {
    "ok": ("ended ok", OWN),
    "error": ("raised an error", BAD),
    "timeout": ("timed out", WARN),
    "out-of-memory": ("ran out of memory", LOST),
}
RECORDS: Look = {
    "loaded": ("loaded (log lines)", OWN),
    "failed": ("failed (log lines)", BAD),
    "deleted": ("messages deleted (CloudWatch)", STEP_COLOURS[Step.SQS.value]),
}


def invocations_over_time(invocations: Numbers) -> Drawing:
    """Stacked bars of the processor's invocations by how they ended."""
    if not invocations.rows:
        why = invocations.unknown or "No invocation of the processor was captured."
        return blank("How the processor's invocations ended", why)
    totals = _totals(invocations.rows, "status", "invocations")
    total = sum(totals.values())
    bad = sum(many for status, many in totals.items() if status != "ok")
    return drawing(
        _bars(invocations.rows, "status", "invocations", STATUSES),
        f"{bad:,} of {counted(total, 'invocation')} did not end ok"
        if bad
        else f"{counted(total, 'invocation')}, all of them ended ok",
        sentence=_told(totals, STATUSES),
        barmode="stack",
        xaxis=time_axis_of(invocations.rows, "start of the invocation (UTC)"),
        yaxis=count_axis(
            f"invocations {per(invocations.rows[0]['seconds'])}",
            stacked(invocations.rows, "time", "invocations"),
        ),
    )


def records_over_time(records: Numbers) -> Drawing:
    """Bars side by side: records loaded, records failed, messages deleted."""
    if not records.rows:
        why = records.unknown or "No log line and no metric tells of a record."
        return blank("What became of the records", why)
    totals = _totals(records.rows, "what", "records")
    failed = totals.get("failed", 0)
    return drawing(
        _bars(records.rows, "what", "records", RECORDS, beside=len(RECORDS)),
        f"{counted(totals.get('loaded', 0), 'record')} loaded, {failed:,} failed"
        + (f", {counted(totals['deleted'], 'message')} deleted" if "deleted" in totals else ""),
        sentence="A failed record whose message was deleted is lost to the aggregates."
        if failed
        else "",
        barmode="group",
        xaxis=time_axis_of(records.rows, "time (UTC)"),
        yaxis=count_axis(f"records {per(records.rows[0]['seconds'])}", records.column("records")),
    )


def _totals(rows: Sequence[Row], name: str, counted: str) -> dict[str, int]:
    return {value: sum(column(part, counted)) for value, part in parted(rows, name).items()}


def _told(totals: Mapping[str, int], looks: Look) -> str:
    words = {name: looks[name][0] if name in looks else f"ended {escaped(name)}" for name in totals}
    return " ".join(f"{words[name]}: {many:,}." for name, many in totals.items())


def _bars(
    rows: Sequence[Row], name: str, counted: str, looks: Look, beside: int = 1
) -> list[go.Bar]:
    parts = parted(rows, name)
    return [
        go.Bar(
            x=column(parts[value], "time"),
            y=column(parts[value], counted),
            name=words,
            marker=fill(colour, place),
            **bin_widths(rows[0]["seconds"], place if beside > 1 else 0, beside),
            text=[ids(row, row[counted]) for row in parts[value]],
            textposition="none",
            hovertemplate="from %{x}<br>%{y}%{text}<extra>" + words + "</extra>",
        )
        for place, (value, (words, colour)) in enumerate(looks.items())
        if value in parts
    ]
