"""What reading the DynamoDB tables costs, by the size that DynamoDB says they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from investigate.capture import prices
from investigate.capture.cost import Cost, PlannedCapture, Reckon
from investigate.capture.exports import Export
from investigate.capture.tables import KEYS_AT_ONCE, SEGMENTS
from investigate.model import counted

UNIT_BYTES = 4096  # what a read unit reads; an eventually consistent read takes half of one
PAGE_BYTES = 1024 * 1024  # what DynamoDB hands out at once


def table(table: str, name_of: str, export_of: str) -> Reckon:
    """Return what reckons a table that these entries of the configuration name."""

    def reckon(plan: PlannedCapture) -> Iterator[Cost]:
        name, export = getattr(plan.names, name_of), getattr(plan.names, export_of)
        if export:
            yield _export(plan, table, export, name)
        elif name:
            known = plan.connection.call("dynamodb", "DescribeTable", TableName=name)["Table"]
            yield _by_entity(plan, table, known) if plan.options.entities else _scan(table, known)

    return reckon


def _export(plan: PlannedCapture, table: str, url: str, name: str | None) -> Cost:
    before = plan.sent("s3:GetObject")
    where = {"region": plan.connection.region, "account": plan.names.account_id}
    export = Export.open(url, plan.read, table=name, **where)
    files = plan.sent("s3:GetObject") - before + len(export.files)
    return Cost(
        table, "s3:GetObject",
        f"an export of {counted(export.item_count, 'row')}: no read units",
        requests=files,
        price_usd=prices.S3_GET.for_(files),
    )  # fmt: skip


def _scan(table: str, known: Mapping[str, Any]) -> Cost:
    size = int(known.get("TableSizeBytes", 0))
    units = read_units(size)
    words = (
        f"{counted(int(known.get('ItemCount', 0)), 'row')}, counted by DynamoDB within 6 hours; "
        f"half a read unit per {UNIT_BYTES:,} bytes"
    )
    return Cost(
        table, "dynamodb:Scan", words + _capacity(known, units), "about",
        requests=max(SEGMENTS, ceil(size / PAGE_BYTES)),
        read_units=units,
        bytes=size,
        price_usd=0.0 if _provisioned(known) else prices.READ_UNITS.for_(units),
    )  # fmt: skip


def _by_entity(plan: PlannedCapture, table: str, known: Mapping[str, Any]) -> Cost:
    entities, rows = len(plan.options.entities), int(known.get("ItemCount", 0))
    size = int(known.get("TableSizeBytes", 0))
    most = read_units(size)
    if table == "dedupe":
        operation, requests = "dynamodb:BatchGetItem", 1
        words = f"half a read unit for each event of the entities, {KEYS_AT_ONCE} a request"
        least, most = 0.5, rows / 2
    else:
        operation, requests = "dynamodb:Query", entities
        words = f"rows of {size // rows if rows else 0:,} bytes on average, how many is unknown"
        least = entities / 2
    return Cost(
        table, operation,
        f"{words}; at most {max(least, most):,.1f} read units" + _capacity(known, least),
        "at least",
        requests=requests,
        read_units=least,
        price_usd=0.0 if _provisioned(known) else prices.READ_UNITS.for_(least),
    )  # fmt: skip


def read_units(size: int) -> float:
    """Return the read units of reading so many bytes, eventually consistent."""
    return max(1, ceil(size / UNIT_BYTES)) / 2


def _provisioned(known: Mapping[str, Any]) -> int:
    """Return the read capacity of a table per second; 0 if it is paid by request."""
    return int(known.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0))


def _capacity(known: Mapping[str, Any], units: float) -> str:
    capacity = _provisioned(known)
    if capacity:
        return (
            f"; provisioned: it competes with the pipeline for {capacity:,} units a second, "
            f"all of them for {max(1, ceil(units / capacity)):,} s"
        )
    if known.get("TableClassSummary", {}).get("TableClass") == "STANDARD_INFREQUENT_ACCESS":
        return "; of the class infrequent access, whose reads cost about a quarter more"
    return ""
