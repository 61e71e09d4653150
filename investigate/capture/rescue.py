"""The records that dead letters of a stream only point at, fetched before the stream forgets them.

Shapes and limits: Amazon Kinesis Data Streams API (GetShardIterator, GetRecords) and Amazon
DynamoDB Streams API, of the same names. Fetching takes nothing away; it shares the read limit of a
shard (five requests a second) with the pipeline's own readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from investigate.capture.shards import Gone, Reader, Unfinished, reader_of
from investigate.capture.source import Captured, Row, Source, coverage_of_error
from investigate.case import Coverage
from investigate.errors import AccessError, UsageError

MOST_RECORDS = 10_000  # of one letter
UNIT = "rescued records"
_LETTERS = "dead_letters"
_CHANNEL = "stream-destination"
_COLUMNS = ["channel", "message_id", "queue_arn", "source_arn"]
_POINTERS = ["shard_id", "start_sequence", "end_sequence"]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A dead letter that names records of a stream and does not hold them."""

    message_id: str
    queue_arn: str
    stream_arn: str
    shard_id: str
    start: str
    end: str

    def row(self, status: str, **more: Any) -> Row:
        """Return a row of `rescued` about this letter."""
        about = {"message_id": self.message_id, "queue_arn": self.queue_arn}
        where = {"stream_arn": self.stream_arn, "shard_id": self.shard_id}
        return {**about, **where, "status": status, **more}


def read_rescued(source: Source) -> list[Captured]:
    """Return the table `rescued`, kept in the draft: the records that the received dead letters
    point at, or for a letter why they could not be fetched."""
    if not source.options.sample_messages:
        reason = "not asked for: only received dead letters point at records (--sample-messages N)"
        return [Captured("rescued", Coverage("skipped", reason))]
    letters = _why_no_letters(source)
    if isinstance(letters, Coverage):
        return [Captured("rescued", letters)]
    done = source.draft.note(UNIT) or {"letters": 0, "gaps": []}
    gaps = list(done["gaps"])
    for number, pointer in enumerate(_pointers(source), 1):
        if number <= done["letters"]:
            continue
        rows = [_kept(source, row) for row in _rows(source, pointer)]
        gaps += [row["error"] for row in rows if row["status"] in ("denied", "failed")]
        source.keep(UNIT, {"rescued": rows}, {"letters": number, "gaps": gaps})
    reasons = [*([letters] if letters else []), *dict.fromkeys(gaps)]
    status = "partial" if reasons else "captured"
    return [Captured("rescued", Coverage(status, "; ".join(reasons) or None), kept=True)]


def _why_no_letters(source: Source) -> Coverage | str | None:
    """Return why there are no dead letters to go by, or what is lacking of those there are."""
    note = source.draft.note(f"tables {_LETTERS}") or {"tables": []}
    known = next((one for one in note["tables"] if one["table"] == _LETTERS), None)
    if known is None:
        return Coverage("failed", "the dead letters were not read")
    coverage = Coverage.of_json(known["coverage"])
    if not known["kept"]:
        return Coverage(coverage.status, f"no dead letters: {coverage.reason}")
    return f"of the dead letters: {coverage.reason}" if coverage.status == "partial" else None


def _pointers(source: Source) -> Iterator[Pointer]:
    """Yield the letters of stream destinations that hold no records, in order; those in a bucket
    do hold them."""
    found = []
    for part in source.draft.parts(_LETTERS):
        kept = pq.read_table(part.path, columns=[*_COLUMNS, *_POINTERS])
        found += kept.filter(pc.equal(kept["channel"], _CHANNEL)).to_pylist()
    for row in sorted(found, key=lambda row: (row["queue_arn"], row["message_id"])):
        if row["queue_arn"].split(":")[2] != "s3":
            yield Pointer(
                row["message_id"],
                row["queue_arn"],
                source.unmasked(row["source_arn"] or ""),
                *(row[name] or "" for name in _POINTERS),
            )


def _kept(source: Source, row: Row) -> Row:
    """Return a row without its record, if only hashes are to be kept; its key is part of it."""
    return row if source.options.payloads else {**row, "data": None, "partition_key": None}


def _rows(source: Source, pointer: Pointer) -> list[Row]:
    """Return a row for each record of a letter that was fetched, and one for what was not."""
    rows: list[Row] = []
    try:
        reader = reader_of(source.connection, pointer.stream_arn)
        for record in _records(reader, pointer):
            rows.append(pointer.row("fetched", **record))
    except Gone as gone:
        rows.append(pointer.row("expired", error=str(gone)))
    except Unfinished as short:
        rows.append(pointer.row("failed", error=str(short)))
    except UsageError as error:
        rows.append(pointer.row("failed", error=error.message))
    except AccessError as error:
        known = coverage_of_error(error)
        rows.append(pointer.row(known.status, error=known.reason))
    return rows


def _records(reader: Reader, pointer: Pointer) -> Iterator[Mapping[str, Any]]:
    """Yield the records from the first to the last that a letter names; raise `Gone` after what is
    still there, if not all are, and `Unfinished` if the last was not reached."""
    start, end = _range(pointer)
    first: int | None = None
    last = start
    for number, record in enumerate(reader.records(pointer.shard_id, pointer.start)):
        sequence = int(record["sequence"])
        first, last = sequence if first is None else first, sequence
        if sequence > end:
            break
        if number == MOST_RECORDS:
            raise UsageError(f"only the first {MOST_RECORDS:,} records of a letter are fetched")
        yield record
        if sequence == end:
            break
    _refuse_gone(first, start, end)
    if last < end:  # a stream forgets from its beginning on: nothing after what is left expired
        raise Unfinished(f"not read to the end: the stream gave nothing from {last} to {end}")


def _range(pointer: Pointer) -> tuple[int, int]:
    # Sequence numbers are compared as numbers: as texts, a longer one could come first.
    if pointer.shard_id and pointer.start.isdecimal() and pointer.end.isdecimal():
        return int(pointer.start), int(pointer.end)
    raise UsageError(f"dead letter {pointer.message_id} does not say which records it is about")


def _refuse_gone(first: int | None, start: int, end: int) -> None:
    """Raise `Gone` if a stream had nothing, or began after the first record that was asked for:
    Kinesis answers about what it has trimmed with what is left."""
    if first is None or first > end:
        raise Gone("the stream does not hold the records any more")
    if first > start:
        raise Gone(f"the stream does not hold the records before {first} any more")
