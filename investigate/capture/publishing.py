"""What a draft holds, as a case: every table in order, with what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.capture.draft import IN_ORDER, CaptureDraft, Part
from investigate.capture.ordered import batches, in_order, one_after_the_other
from investigate.capture.raw_in_place import UNIT
from investigate.capture.source import Captured
from investigate.case import Coverage
from investigate.case_writer import LARGE, CaseWriter
from investigate.in_place import RAW_OBJECTS
from investigate.tables import ORDER


def publish(
    writer: CaseWriter, draft: CaptureDraft, known: Iterable[Captured], hidden: Callable[[str], str]
) -> None:
    """Write every table of a draft into a case; `hidden` returns a reason as it may be shown."""
    for one in known:
        reason = one.coverage.reason
        coverage = replace(one.coverage, reason=reason and hidden(reason))
        parts = draft.parts(one.table)
        if one.in_place:
            is_listed = one.in_place.kind == RAW_OBJECTS
            writer.point(one.table, one.in_place, coverage, _listing(draft) if is_listed else None)
        elif not one.kept:
            writer.leave_out(one.table, coverage)
        elif not parts:
            writer.add(one.table, [], coverage)
        elif one.table in IN_ORDER and in_order(parts):
            _take_over(writer, one.table, parts, coverage)
        else:
            ordered = batches(parts, ORDER[one.table], draft.folder)
            writer.add_batches(one.table, ordered, coverage)


def _take_over(writer: CaseWriter, table: str, parts: Sequence[Part], coverage: Coverage) -> None:
    """Write files that are in order: a large table anew, as that makes it much smaller."""
    rows = sum(part.rows for part in parts)
    if writer.compact and rows >= LARGE:
        writer.add_batches(table, one_after_the_other(parts), coverage)
    else:
        writer.add_files(table, [part.path for part in parts], rows, coverage)


def _listing(draft: CaptureDraft) -> Iterator[pa.RecordBatch]:
    """Yield what is known of raw objects that stay where they are, in the order of their keys."""
    for part in draft.parts(UNIT):  # each of which begins behind the one before
        yield from pq.ParquetFile(part.path).iter_batches()
