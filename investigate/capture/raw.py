"""The raw objects: those of the event dates a window needs, listed and read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Self

from investigate import pipeline
from investigate.aws import Body, Listed
from investigate.capture import known_ids, listings, pointers
from investigate.capture.body import read_body
from investigate.capture.partitions import dates_of
from investigate.capture.source import Captured, Row, Source
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.model import counted

# Ingest sits behind an API that takes 10 MB; what is far larger is none of its objects.
LARGEST_BODY = 32 * 1024 * 1024
# Objects are kept in steps of so many, or of so many bytes if they are large. The steps depend on
# nothing but the listing, so that a capture that was killed ends with the same files.
STEP_OBJECTS, STEP_BYTES = 5_000, 32 * 1024 * 1024
_FIRST, _AT_ONCE = 8, 50  # objects that one thread reads before it hands them over
FEWEST, MOST = 16, 96  # threads
_RATE = 3_000  # objects a second, which is about what one process can take
_OF_KEY = tuple(f"key_{part}" for part in pipeline.RawKey._fields)


class Patience:
    """How often an endpoint may not answer before the remaining objects are not asked for."""

    def __init__(self, left: int = 32) -> None:
        self._left = left

    def spend(self, error: AccessError) -> None:
        """Take note of an unread object; raise its error if all others will fail too."""
        if error.kind in ("unreachable", "busy"):
            self._left -= 1
        if error.kind in ("expired", "credentials") or self._left < 0:
            raise error


# What is missing where an object is denied.
_WORDS = {"denied": "denied (s3:GetObject, s3:GetObjectVersion of a version, kms:Decrypt of a key)"}


class Readers:
    """Threads that read objects: as many as the time asks for that the first objects took.

    Near by few threads are fastest; far away most of them wait for an answer. What is read does not
    depend on it.
    """

    def __init__(self, read: Callable[[Sequence[Listed]], list[Row]]) -> None:
        self._read = read
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def submit(self, some: Sequence[Listed]) -> Future[list[Row]]:
        """Return what will be the rows of some objects."""
        if self._pool:
            return self._pool.submit(self._read, some)
        begun = perf_counter()
        first: Future[list[Row]] = Future()
        first.set_result(self._read(some))
        self._pool = ThreadPoolExecutor(threads_for((perf_counter() - begun) / len(some)))
        return first


def threads_for(seconds: float) -> int:
    """Return how many threads read objects of which each takes so many seconds."""
    return min(max(round(seconds * _RATE), FEWEST), MOST)


@dataclass
class Tally:
    """How many objects there were, and how many of them could not be read, by the reason."""

    objects: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    def take(self, rows: Iterable[Row]) -> None:
        """Count more rows."""
        for row in rows:
            self.objects += 1
            if not row["readable"]:
                self.unread[str(row["error"]).split(" ")[0]] += 1

    def coverage(self, notes: Iterable[str], *, partly: bool) -> Coverage:
        """Return what is known of the table; every object is listed, though not every one read."""
        unread = {word: self.unread[word] for word in pipeline.ACCESS_ERRORS if self.unread[word]}
        said = list(notes)
        if unread:
            counts = ", ".join(
                f"{count} {_WORDS.get(word, word)}" for word, count in unread.items()
            )
            said.append(f"of {self.objects} objects could not be read: {counts}")
        # An object that is gone since it was listed is gone for good: nothing is left to capture.
        lacking = partly or bool(set(unread) - set(pipeline.GONE))
        status = "partial" if lacking else "captured"
        return Coverage(status, "; ".join(said) or None, listed=lacking)


def read(source: Source) -> list[Captured]:
    """Return the table `raw`, whose rows are kept in the draft step by step.

    An object that cannot be read is a row that says so.
    """
    if not source.names.raw_bucket:
        return [Captured("raw", source.lacks("raw bucket"))]
    dates, listing = dates_of(source.options.window), listings.opened(source)
    begun = source.draft.note("raw") or {"after": "", "objects": 0, "unread": {}}
    tally = Tally(begun["objects"], Counter(begun["unread"]))
    entries = (one for one in listing.entries(dates, begun["after"]) if not _is_folder(one))
    ids = known_ids.of(source)
    if ids is not None:
        entries = (one for one in entries if known_ids.may_be_of(one, source.names, ids))
    _keep(source, entries, tally)
    # What is found by name afterwards does not tell how much the list leaves out.
    unproven = not tally.objects and not listing.proves_emptiness
    notes = [f"event dates {dates[0]} to {dates[1]} only", *listing.notes]
    notes += _keep_pointed_at(source, tally)
    if ids is not None:
        notes.insert(1, f"only the objects of {known_ids.words(ids, source.options.entities)}")
    if unproven:
        notes.append("it lists none under the prefix, for which it may not have been made")
    coverage = tally.coverage(notes, partly=ids is not None)
    if unproven or not known_ids.are_whole(source):
        coverage = replace(coverage, status="partial", listed=False)
    return [Captured("raw", replace(coverage, horizon=listing.horizon), kept=True)]


def _is_folder(entry: Listed) -> bool:
    # The console marks a folder by an empty object; it holds no event and never did.
    return entry.key.endswith("/") and not entry.size


def _keep(source: Source, entries: Iterator[Listed], tally: Tally) -> None:
    """Read the objects and keep them step by step, one step ahead of the one that is kept."""
    objects = source.connection.objects(str(source.names.raw_bucket))
    patience = Patience()

    def read_some(some: Sequence[Listed]) -> list[Row]:
        wanted = [entry for entry in some if _is_wanted(entry)]
        bodies = iter(objects.read_all(wanted))
        return [
            _row(source, entry, next(bodies) if _is_wanted(entry) else None, patience)
            for entry in some
        ]

    with Readers(read_some) as readers:
        waiting: list[tuple[str, list[Future[list[Row]]]]] = []
        for step in _steps(entries):
            waiting.append((step[-1].key, [readers.submit(some) for some in _shares(step)]))
            if len(waiting) > 1:
                _keep_step(source, tally, *waiting.pop(0))
        for one in waiting:
            _keep_step(source, tally, *one)


def _keep_pointed_at(source: Source, tally: Tally) -> Iterator[str]:
    """Read the objects that rows point at and no list has named; yield what came of it in words."""
    done = source.draft.note("raw/pointed-at")
    if done is None:
        keys = pointers.unlisted(source)
        rows = list(_existing(source, keys[: pointers.MOST]))
        tally.take(rows)
        done = {"asked": len(keys), "found": len(rows)}
        source.keep("raw/pointed-at", {"raw": rows}, done)
    if done["asked"] > pointers.MOST:
        yield f"more than {pointers.MOST:,} keys that rows point at are listed nowhere"
    elif done["asked"]:
        yield (
            f"of {counted(done['asked'], 'key')} that rows point at and no list names, "
            f"asked for by name, {done['found']} {'is' if done['found'] == 1 else 'are'} there"
        )


def _existing(source: Source, keys: Sequence[str]) -> Iterator[Row]:
    objects = source.connection.objects(str(source.names.raw_bucket))
    entries = [Listed(key, 0, None, None) for key in keys]
    for entry, body in zip(entries, objects.read_all(entries), strict=True):
        # Without the right to list, a 403 would say nothing; the list has said it already.
        if isinstance(body, Body):
            yield _row(source, entry, body, Patience())


def _keep_step(
    source: Source, tally: Tally, last: str, reading: Sequence[Future[list[Row]]]
) -> None:
    rows = [
        row
        for future in reading
        for row in future.result()
        if known_ids.is_kept(row, source.options.entities)
    ]
    tally.take(rows)
    note = {"after": last, "objects": tally.objects, "unread": dict(tally.unread)}
    source.keep("raw", {"raw": rows}, note)


def _steps(entries: Iterable[Listed]) -> Iterator[list[Listed]]:
    """Yield the objects in steps; all versions of one key are in the same step."""
    step: list[Listed] = []
    size = 0
    for entry in entries:
        full = len(step) >= STEP_OBJECTS or size >= STEP_BYTES
        if full and entry.key != step[-1].key:
            yield step
            step, size = [], 0
        step.append(entry)
        size += min(entry.size, LARGEST_BODY)
    if step:
        yield step


def _shares(step: Sequence[Listed]) -> Iterator[Sequence[Listed]]:
    """Yield what each thread takes of a step; the first one is small, because it is timed."""
    yield step[:_FIRST]
    for at in range(_FIRST, len(step), _AT_ONCE):
        yield step[at : at + _AT_ONCE]


def _described(source: Source, entry: Listed) -> Row:
    key = pipeline.parse_raw_key(entry.key, source.names.raw_prefix)
    row: Row = {
        "s3_key": entry.key,
        "size": entry.size,
        "last_modified": entry.last_modified,
        "etag": entry.etag,
    }
    if entry.version_id is not None:
        row["version_id"] = entry.version_id
    if key:
        row.update(zip(_OF_KEY, key, strict=True))
    return row


def _is_wanted(entry: Listed) -> bool:
    return not entry.deleted and entry.size <= LARGEST_BODY


def _row(source: Source, entry: Listed, body: Body | AccessError | None, patience: Patience) -> Row:
    row = _described(source, entry)
    row["readable"] = False
    if body is None:
        row["error"] = "deleted" if entry.deleted else f"failed ({entry.size} bytes)"
    elif isinstance(body, AccessError):
        patience.spend(body)
        row["error"] = _unread(body)
    else:
        # Written again since it was listed? Then the row describes what was read.
        row["size"] = len(body.data)
        row["etag"] = body.etag
        row["last_modified"] = body.last_modified
        row.update(read_body(body.data, payloads=source.options.payloads))
    return row


def _unread(error: AccessError) -> str:
    if error.code in ("NoSuchKey", "NoSuchVersion", "404"):
        return "gone"
    if error.code == "InvalidObjectState":
        return "archived"
    word = "denied" if error.kind == "denied" else "failed"
    return f"{word} ({error.code})"
