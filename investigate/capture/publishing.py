"""What a draft holds, as a case: every table in order, with what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from investigate.capture.draft import IN_ORDER, Draft
from investigate.capture.ordered import batches, in_order
from investigate.capture.source import Captured
from investigate.case_writer import CaseWriter
from investigate.tables import ORDER


def publish(
    writer: CaseWriter, draft: Draft, known: Iterable[Captured], hidden: Callable[[str], str]
) -> None:
    """Write every table of a draft into a case; `hidden` returns a reason as it may be shown."""
    for one in known:
        reason = one.coverage.reason
        coverage = replace(one.coverage, reason=reason and hidden(reason))
        parts = draft.parts(one.table)
        if not one.kept:
            writer.leave_out(one.table, coverage)
        elif not parts:
            writer.add(one.table, [], coverage)
        elif one.table in IN_ORDER and in_order(parts):
            rows = sum(part.rows for part in parts)
            writer.add_files(one.table, [part.path for part in parts], rows, coverage)
        else:
            ordered = batches(parts, ORDER[one.table], draft.folder)
            writer.add_batches(one.table, ordered, coverage)
