"""Every check, one module per group of finding codes; importing this fills the book."""

from investigate.checks import (
    aggregates,
    configuration,
    dead_letters,
    dedupe,
    events,
    processor,
    raw,
    raw_timing,
    replay,
    retries,
    sqs,
)
from investigate.checks.registry import (
    Check,
    PartialRows,
    answer,
    book,
    check,
    offending_rows,
    rows_of,
)

__all__ = [
    "Check", "PartialRows", "aggregates", "answer", "book", "check", "configuration",
    "dead_letters", "dedupe", "events", "offending_rows", "processor", "raw", "raw_timing",
    "replay", "retries", "rows_of", "sqs",
]  # fmt: skip
