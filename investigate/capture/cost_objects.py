"""What reading the raw objects costs, counted by listing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from investigate.capture import prices
from investigate.capture.cost import Bound, Cost, PlannedCapture
from investigate.capture.inventory import Inventory
from investigate.capture.listings import bucket_entries, keeps_versions
from investigate.capture.partitions import Level, dates_of
from investigate.model import counted

MOST_LISTS = 200  # listing requests an estimate may spend: 200,000 objects, a tenth of a cent


def raw(plan: PlannedCapture) -> Iterator[Cost]:
    """Yield what the table `raw` takes."""
    if not plan.names.raw_bucket:
        return
    if plan.names.raw_inventory:
        yield from _inventory(plan, plan.names.raw_inventory)
    else:
        yield from _listing(plan, plan.names.raw_bucket)


def _inventory(plan: PlannedCapture, url: str) -> Iterator[Cost]:
    before = plan.sent("s3:GetObject")
    report = Inventory.open(url, plan.read, bucket=plan.names.raw_bucket)
    files = plan.sent("s3:GetObject") - before + len(report.files)
    yield Cost(
        "raw", "s3:GetObject",
        f"{counted(len(report.files), 'file')} of the inventory, with its manifests",
        requests=files,
        bytes=sum(file.size for file in report.files),
        price_usd=prices.S3_GET.for_(files),
    )  # fmt: skip
    words = "one for each object of the window; how many shows when the inventory is read"
    yield Cost("raw", "s3:GetObject", words, "unknown")


@dataclass
class _Listing:
    """What a listing of the window found."""

    operation: str
    requests: int = 0
    objects: int = 0
    bytes: int = 0
    whole: bool = True


def _listing(plan: PlannedCapture, bucket: str) -> Iterator[Cost]:
    found = _listed(plan, bucket)
    first, last = dates_of(plan.options.window)
    bound: Bound = "about" if found.whole else "at least"
    stopped = "" if found.whole else f"; stopped after {MOST_LISTS} requests"
    yield Cost(
        "raw", found.operation,
        f"listed for this estimate: event dates {first} to {last}{stopped}", bound,
        requests=found.requests,
        price_usd=prices.S3_LIST.for_(found.requests),
    )  # fmt: skip
    words = f"one for each of the {counted(found.objects, 'object')} of these dates"
    if plan.options.entities:
        bound, words = "at most", f"{words} that belongs to an event of the entities"
    words += "; more for keys that rows point at and no list names"
    yield Cost(
        "raw", "s3:GetObject", words, bound,
        requests=found.objects,
        bytes=found.bytes,
        price_usd=prices.S3_GET.for_(found.objects),
    )  # fmt: skip


def _listed(plan: PlannedCapture, bucket: str) -> _Listing:
    """List the objects of the window, or as many as an estimate may."""
    kept, _ = keeps_versions(plan.connection, bucket)
    found = _Listing("s3:ListObjectVersions" if kept else "s3:ListObjectsV2")
    spending = _Spending(plan, found.operation)
    dates, bounded = dates_of(plan.options.window), spending.bounded
    for entry in bucket_entries(
        plan.connection, plan.names, dates, with_versions=kept, bounded=bounded
    ):
        if spending.over():
            break
        if not entry.deleted:
            found.objects += 1
            found.bytes += entry.size
    found.requests = spending.sent
    found.whole = not spending.cut
    return found


class _Spending:
    """Keeps the requests that a listing takes within what an estimate may spend."""

    def __init__(self, plan: PlannedCapture, operation: str) -> None:
        self._plan = plan
        self._operation = operation
        self._before = plan.sent(operation)
        self.cut = False

    @property
    def sent(self) -> int:
        """The requests that were sent."""
        return self._plan.sent(self._operation) - self._before

    def over(self) -> bool:
        """Return whether nothing more may be spent, and remember that something was left out."""
        over = self.sent >= MOST_LISTS
        self.cut = self.cut or over
        return over

    def bounded(self, level: Level) -> Level:
        """Return a level that finds nothing more once everything is spent."""
        return lambda prefix: ([], []) if self.over() else level(prefix)
