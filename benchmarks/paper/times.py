"""How long it would take: what one process does alone, what DuckDB does here, what Spark might."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.paper import assumptions as assumed
from benchmarks.paper.account import Account
from benchmarks.paper.measured import Run
from investigate.capture.readers import RATE
from investigate.capture.tables import SEGMENTS

ASKED = ("check", "ledger")  # what a cluster is asked for


@dataclass(frozen=True, slots=True)
class Time:
    """So many seconds for something, and how that is known."""

    what: str
    seconds: float
    known: str


def of_one_process(account: Account, case_bytes: float) -> Iterator[Time]:
    """Yield what is done by one process, or one page after the other, on whatever machine."""
    asked = Counter[str]()
    for cost in account.copied():
        asked[f"{cost.table} {cost.operation}"] += cost.requests
    yield Time(
        "list the raw objects",
        asked["raw s3:ListObjectsV2"] * assumed.LIST_SECONDS.value,
        "assumed time of a page, one page after the other, as of a large prefix",
    )
    yield Time(
        "read the raw objects into a copy",
        asked["raw s3:GetObject"] / RATE,
        f"assumed: {RATE:,} objects a second, which `investigate/capture/readers.py` says of one "
        "process",
    )
    yield Time(
        "scan the EventsTable",
        asked["events dynamodb:Scan"] / SEGMENTS * assumed.SCAN_SECONDS.value,
        f"assumed time of a page, {SEGMENTS} segments at a time",
    )
    yield Time(
        "read the functions' logs",
        asked["log_lines logs:FilterLogEvents"] / assumed.LOG_CALLS.value,
        "assumed bytes of a call, at the quota of the account",
    )
    yield Time(
        "open a copied case, at every command",
        case_bytes / assumed.HASHING.value,
        "measured bytes of an event, assumed rate of hashing",
    )


@dataclass(frozen=True, slots=True)
class Cluster:
    """The checks and the ledger on so many cores."""

    cores: int
    reading: float  # seconds for the raw objects in place
    asking: float
    usd: float


def clusters(run: Run, events: int) -> Sequence[Cluster]:
    """Return what a check and a ledger would take on clusters of several sizes; none where the
    stages were not measured."""
    if not set(ASKED) <= set(run.stages):
        return []
    work = sum(run.growth(stage, lambda one: one.cpu).at(events) for stage in ASKED)
    return [_cluster(cores, work, events) for cores in assumed.CORES]


def _cluster(cores: int, work: float, events: int) -> Cluster:
    # Each of the commands reads the objects again.
    most = assumed.GETS.value * assumed.PARTITIONS.value
    reading = len(ASKED) * events / min(RATE * cores, most)
    asking = work * assumed.SPARK_FACTOR.value / cores
    hours = (reading + asking) * cores / 3600
    return Cluster(cores, reading, asking, assumed.CORE_HOURS.for_(hours))
