"""An estimate as text: what each operation takes, what it costs, and how that was reckoned."""

from __future__ import annotations

from collections.abc import Sequence

from investigate.capture import prices
from investigate.capture.cost import Bound, Cost
from investigate.terminal_text import labelled, table

_SIGNS: dict[Bound, str] = {
    "about": "about ", "at least": "at least ", "at most": "at most ", "unknown": "",
}  # fmt: skip
_HEADING = ("TABLE", "OPERATION", "REQUESTS", "READ UNITS", "BYTES", "USD")


def cost_text(costs: Sequence[Cost]) -> str:
    """Return an estimate as a table with its sum, then how each line was reckoned."""
    rows = [_row(cost) for cost in costs]
    reckoned = [
        labelled(cost.table, f"{cost.operation.split(':')[1]}: {cost.basis}", indent=0)
        for cost in costs
    ]
    note = labelled("prices", prices.NOTE, indent=0)
    return "\n".join([table([_HEADING, *rows, _total(costs)]), "", *reckoned, note])


def _row(cost: Cost) -> tuple[str, ...]:
    if cost.bound == "unknown":
        return (cost.table, cost.operation, "unknown", "", "", "")
    sign = _SIGNS[cost.bound]
    return (
        cost.table,
        cost.operation,
        f"{sign}{cost.requests:,}",
        f"{cost.read_units:,.1f}" if cost.read_units else "",
        _size(cost.bytes),
        _money(cost.price_usd),
    )


def _total(costs: Sequence[Cost]) -> tuple[str, ...]:
    return (
        "together",
        "",
        f"{_sign_of_all(costs)}{sum(cost.requests for cost in costs):,}",
        f"{sum(cost.read_units for cost in costs):,.1f}",
        _size(sum(cost.bytes for cost in costs)),
        _money(sum(cost.price_usd for cost in costs)),
    )


def _sign_of_all(costs: Sequence[Cost]) -> str:
    bounds = {cost.bound for cost in costs}
    if bounds <= {"unknown", "at least"}:
        return _SIGNS["at least"] if bounds else ""
    return _SIGNS["at most"] if bounds == {"at most"} else _SIGNS["about"]


def _size(count: int) -> str:
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:,.{0 if unit == 'B' else 1}f} {unit}" if count else ""


def _money(usd: float) -> str:
    if not usd:
        return ""
    return f"{usd:,.4f}" if usd >= 0.0001 else "<0.0001"
