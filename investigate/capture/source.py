"""What a reader is given, and what it hands back: rows, or the reason why there are none."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from investigate.aws import Connection
from investigate.capture.draft import CaptureDraft, Note
from investigate.capture.folder import file_body
from investigate.capture.values import MASKED, storable
from investigate.case import Coverage
from investigate.errors import AccessError, UsageError
from investigate.in_place import InPlace
from investigate.model import Window, isoformat
from investigate.settings import PipelineNames
from investigate.tables import ORDER, as_table

# Logs and metrics are read from a little before the window: what led up to it is part of the story.
LEAD = timedelta(hours=1)

# Rows of a large table that are kept at once: so many are read again at most after a kill.
STEP_ROWS = 10_000

# What a queue says of its messages, by the columns of table `queue_state`.
QUEUE_COUNTS = {
    "visible": "ApproximateNumberOfMessages",
    "not_visible": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}

Answer = TypeVar("Answer")
Row = dict[str, Any]
Rows: TypeAlias = "Sequence[Row] | pa.Table"
Progress = Callable[[str, int], None]  # what is read, and how many of its rows are there


class Mask(Protocol):
    """Hides what a case must not hold; `seen` are the named fields that it met."""

    seen: set[str]

    def row(self, table: str, row: Row) -> Row:
        """Return a row of a table as it may be kept."""
        ...

    @property
    def signs(self) -> str:
        """A pattern that is found in every text in which there may be something to hide."""
        ...


def silent(table: str, rows: int) -> None:
    """Say nothing of the progress."""


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What to capture. The time of capture is handed in; nothing here asks a clock."""

    window: Window
    captured_at: datetime
    name: str = ""  # default: the name of the folder
    sample_messages: int = 0  # receives that many messages at most, which hides them for a moment
    force_sampling: bool = False  # also where a receive could move messages or hold them up
    payloads: bool = True
    only: tuple[str, ...] = ()  # tables; none: all
    entities: tuple[str, ...] = ()  # none: all
    mask: tuple[str, ...] = ()  # names of fields whose values are not kept
    mask_account: bool = False
    in_place: bool = False  # point at the raw objects and at exports, and copy neither
    resumed_at: datetime | None = None  # when this run began, if an earlier one began the capture

    def __post_init__(self) -> None:
        if self.captured_at <= self.window.start:
            raise UsageError(
                f"the window starts at {isoformat(self.window.start)}, after the capture",
                hint="give a window that has begun: --start and --end, or [window]",
            )
        if self.sample_messages < 0:
            raise UsageError("a sample of messages cannot be negative", hint="--sample-messages 0")
        if self.force_sampling and not self.sample_messages:
            raise UsageError(
                "--force-sampling forces a sample, and none is asked for",
                hint="add --sample-messages N",
            )
        if self.in_place and (self.entities or self.mask or self.mask_account):
            raise UsageError(
                "what is read in place is neither of single entities nor masked: it stays as it is",
                hint="leave out --in-place, or --entity, --mask and --mask-account",
            )

    @property
    def read_at(self) -> datetime:
        """The time from which a retention is reckoned: by then AWS has removed what is older."""
        return self.resumed_at or self.captured_at

    @property
    def since(self) -> datetime:
        """The time from which logs and metrics are read."""
        return self.window.start - LEAD


@dataclass(frozen=True, slots=True)
class Captured:
    """One table as it was captured; without rows it is left out of the case, for that reason.

    A large table is `kept`: its rows are in the draft, where its reader put them step by step. A
    table `in_place` has its rows elsewhere, and at most their listing in the draft.
    """

    table: str
    coverage: Coverage
    rows: list[Row] | None = None
    kept: bool = False
    in_place: InPlace | None = None


@dataclass
class Gathered:
    """Rows from several places, and every place that could not be read."""

    rows: list[Row] = field(default_factory=list)
    gaps: list[Coverage] = field(default_factory=list)
    places: int = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Take the rows of one more place that was read."""
        self.rows.extend(rows)
        self.places += 1

    def captured(self, table: str) -> Captured:
        """Return the table: whole if nothing is lacking, partial if something was read."""
        reasons = "; ".join(dict.fromkeys(gap.reason for gap in self.gaps if gap.reason)) or None
        if not self.places:
            statuses = {gap.status for gap in self.gaps}
            status = next((word for word in ("denied", "failed") if word in statuses), "skipped")
            return Captured(table, Coverage(status, reasons))
        status = "partial" if self.gaps else "captured"
        return Captured(table, Coverage(status, reasons), self.rows)


class Source:
    """The pipeline that is read: the connection, its names, the options, and what readers share."""

    def __init__(
        self,
        connection: Connection,
        names: PipelineNames,
        options: CaptureOptions,
        draft: CaptureDraft,
        *,
        mask: Mask | None = None,
        progress: Progress = silent,
    ) -> None:
        self.connection = connection
        self.names = names
        self.options = options
        self.draft = draft
        self._mask = mask
        self._progress = progress
        self._asked: dict[str, Any] = {}

    def keep(self, unit: str, rows: Mapping[str, Rows], note: Note) -> None:
        """Put rows into the draft, masked and in the order of their tables, with the note from
        which the unit goes on if the capture is killed; both or neither."""
        tables = {
            table: (sorted_by(self._table(table, some), ORDER[table]), ORDER[table])
            for table, some in rows.items()
        }
        self.draft.write(unit, tables, self._with_totals(note))
        if tables:
            self._progress(", ".join(tables), sum(self.draft.rows(table) for table in tables))

    def keep_other(self, unit: str, rows: pa.Table, order: tuple[str, ...], note: Note) -> None:
        """Put rows into the draft that are on the way to a table; by the name of their unit."""
        in_order = sorted_by(rows, order)
        self.draft.write(unit, {unit: (in_order, order)}, self._with_totals(note))

    def as_kept(self, table: str, row: Row) -> Row:
        """Return a row as the draft holds it."""
        return self._mask.row(table, row) if self._mask else row

    def tell(self, what: str, units: Iterable[str]) -> None:
        """Say how much there is of what is on the way to a table."""
        self._progress(what, sum(map(self.draft.rows, units)))

    def _with_totals(self, note: Note) -> Note:
        """Return a note with what a later run has to know of this one."""
        masked = {"masked": sorted(self._mask.seen)} if self._mask and self._mask.seen else {}
        return {**note, "consumed": self.connection.meter.snapshot(), **masked}

    def _table(self, table: str, rows: Rows) -> pa.Table:
        made = rows if isinstance(rows, pa.Table) else stored(table, rows)
        return hidden(table, made, self._mask) if self._mask else made

    def body(self, bucket: str, key: str) -> bytes:
        """Return a whole object of any bucket, or a file if there is none; raise `AccessError`."""
        return body_at(self.connection, bucket, key)

    def once(self, what: str, ask: Callable[[], Answer]) -> Answer:
        """Return the answer that several readers share: asked for by the first of them."""
        if what not in self._asked:
            self._asked[what] = ask()
        answer: Answer = self._asked[what]
        return answer

    def unmasked(self, text: str) -> str:
        """Return an ARN or a key of a kept row as AWS knows it."""
        account = self.options.mask_account and self.names.account_id
        return text.replace(MASKED, account) if account else text

    def lacks(self, what: str) -> Coverage:
        """Return the coverage of a resource that neither configuration nor stack names."""
        return Coverage("skipped", self.names.lacks(what))

    @cached_property
    def replay_queue(self) -> Mapping[str, str]:
        """The attributes of the replay queue; raises `AccessError`."""
        return self.queue(str(self.names.replay_queue_url))

    def queue(self, url: str) -> dict[str, str]:
        """Return all attributes of a queue, which has no effect on it; raise `AccessError`."""
        answer = self.connection.call(
            "sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]
        )
        attributes = dict(answer.get("Attributes", {}))
        lacking = [name for name in QUEUE_COUNTS.values() if name not in attributes]
        if lacking:  # a count that was not given is no count of 0
            asked = f"sqs:GetQueueAttributes of {url}"
            said = f"{asked}: the answer lacks {', '.join(lacking)}"
            raise AccessError(said, code="IncompleteAnswer", asked=asked)
        return attributes

    @cached_property
    def functions(self) -> Mapping[str, Row | Coverage]:
        """The configuration of each named function by role, or why it could not be read."""
        return {role: self._configuration(name) for role, name in self.names.functions.items()}

    @cached_property
    def invoke_configs(self) -> Mapping[str, list[Row] | Coverage]:
        """The settings for asynchronous calls of each named function by role, one for each
        qualifier that has its own, or why they could not be read."""
        return {role: self._invoke_configs(name) for role, name in self.names.functions.items()}

    def _invoke_configs(self, name: str) -> list[Row] | Coverage:
        operation = "ListFunctionEventInvokeConfigs"
        try:
            pages = self.connection.pages("lambda", operation, FunctionName=name)
            return [one for page in pages for one in page.get("FunctionEventInvokeConfigs", [])]
        except AccessError as error:
            # A function without settings for asynchronous calls has nothing to be found.
            return [] if error.code == "ResourceNotFoundException" else coverage_of_error(error)

    def _configuration(self, name: str) -> Row | Coverage:
        try:
            return self.connection.call("lambda", "GetFunctionConfiguration", FunctionName=name)
        except AccessError as error:
            return coverage_of_error(error)


def body_at(connection: Connection, bucket: str, key: str) -> bytes:
    """Return a whole object of any bucket, or a file if there is none; raise `AccessError`."""
    if not bucket:
        return file_body(key)
    return connection.read_object(Bucket=bucket, Key=key)[1]


def hidden(table: str, rows: pa.Table, mask: Mask) -> pa.Table:
    """Return rows as they may be kept: the same table if there is nothing to hide in it."""
    if any(_found(mask.signs, texts) for texts in _texts(rows)):
        return stored(table, [mask.row(table, row) for row in rows.to_pylist()])
    return rows


def stored(table: str, rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table of Arrow, which holds no lone surrogates."""
    try:
        return as_table(table, rows)
    except UnicodeEncodeError:
        return as_table(table, [storable(row) for row in rows])


def _texts(rows: pa.Table) -> Iterator[pa.Buffer]:
    """Yield all texts of a table, those of a column together."""
    for column in rows.columns:
        for chunk in column.chunks:
            texts = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
            if pa.types.is_string(texts.type) and (together := texts.buffers()[2]):
                yield together


def _found(pattern: str, texts: pa.Buffer) -> bool:
    # Looked through as one long text: much faster than text by text.
    ends = pa.py_buffer(array("q", (0, texts.size)))
    one = pa.LargeStringArray.from_buffers(1, ends, texts)
    return bool(pc.match_substring_regex(one, pattern)[0].as_py())


def sorted_by(rows: pa.Table, order: Sequence[str]) -> pa.Table:
    """Return rows in order."""
    # In one piece: what is in pieces is put together row by row.
    return rows.combine_chunks().sort_by([(name, "ascending") for name in order])


def coverage_of_error(error: AccessError) -> Coverage:
    """Return the coverage of what an error kept from being read: AWS's own code, and the action.

    Credentials that do not work any more keep everything from being read: raises the error.
    """
    if error.kind in ("expired", "credentials"):
        raise error
    status = "denied" if error.kind == "denied" else "failed"
    return Coverage(status, f"{error.code}: {error.asked}")


def between(start: datetime | None, end: datetime | None) -> str:
    """Return the time that evidence can tell about as an ISO 8601 interval; `..` is an open end."""
    return "/".join(isoformat(moment) if moment else ".." for moment in (start, end))
