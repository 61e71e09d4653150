"""The ledger in few rows: how many events have which word at each station, and where they break."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.evidence import Evidence
from investigate.ledger.rows import ledger
from investigate.ledger.stations import CELLS, STATIONS

EXAMPLES = 3


def cells(evidence: Evidence) -> ir.Table:
    """Return how many events in scope have which word at each station: station, cell, events,
    first_id and last_id; in the order of the stations, and none for a word that no event has
    there."""
    rows = evidence.in_scope(ledger(evidence))
    counts = [
        rows.group_by(cell=rows[station]).agg(
            place=ibis.literal(place, "int64"),
            station=ibis.literal(station),
            events=rows.count(),
            first_id=rows.event_id.min(),
            last_id=rows.event_id.max(),
        )
        for place, station in enumerate(STATIONS)
    ]
    counted = ibis.union(*counts)
    order = ibis.cases(*((counted.cell == cell, n) for n, cell in enumerate(CELLS)), else_=-1)
    counted = counted.order_by(["place", order])
    return counted.select("station", "cell", "events", "first_id", "last_id")


def breaks(evidence: Evidence) -> ir.Table:
    """Return where the stories of events in scope break first: station, code, reason, events and
    `examples`, the first ids; in the order of the stations, the most events first."""
    rows = broken(evidence)
    place = ibis.row_number().over(group_by="code", order_by="event_id")
    rows = rows.mutate(place=place)
    counted = rows.group_by("divergence", "code", "reason").agg(
        events=rows.count(),
        **{f"example_{n}": rows.event_id.max(where=rows.place == n) for n in range(EXAMPLES)},
    )
    station = ibis.cases(
        *((counted.divergence == name, n) for n, name in enumerate(STATIONS)), else_=-1
    )
    return counted.order_by([station, ibis.desc("events"), "code"]).rename(station="divergence")


def broken(evidence: Evidence) -> ir.Table:
    """Return the rows of the ledger in scope whose story breaks somewhere."""
    rows = evidence.in_scope(ledger(evidence))
    return rows.filter(rows.divergence.notnull())
