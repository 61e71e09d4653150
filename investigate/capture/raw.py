"""The raw objects: those of the event dates a window needs, listed and read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from investigate.aws import Body, Listed
from investigate.capture import known_ids, listings, pointers, raw_in_place
from investigate.capture.partitions import dates_of, in_steps
from investigate.capture.raw_rows import LARGEST_BODY, RawReading, is_folder, read_objects, row_of
from investigate.capture.readers import Patience, Readers
from investigate.capture.source import Captured, Row, Source
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.model import counted
from investigate.pipeline import ACCESS_ERRORS, GONE

# Objects are kept in steps of so many, or of so many bytes if they are large. The steps depend on
# nothing but the listing, so that a capture that was killed ends with the same files.
STEP_OBJECTS, STEP_BYTES = 5_000, 32 * 1024 * 1024
_FIRST, _AT_ONCE = 8, 50  # objects that one thread reads before it hands them over
_ASKED_AT_ONCE = 500  # objects in a step of those whose size no list has told
_NOTHING: Mapping[str, Any] = {"after": "", "objects": 0, "unread": {}}
_POINTED_AT = "raw/pointed-at"
_NOT_THERE = ("NoSuchKey", "404")


# What is missing where an object is denied.
_WORDS = {"denied": "denied (s3:GetObject, s3:GetObjectVersion of a version, kms:Decrypt of a key)"}


@dataclass
class Tally:
    """How many objects there were, and how many of them could not be read, by the reason."""

    objects: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, note: Mapping[str, Any]) -> Tally:
        """Return what a note of the draft says."""
        return cls(note["objects"], Counter(note["unread"]))

    @property
    def note(self) -> dict[str, Any]:
        """The same for the draft."""
        return {"objects": self.objects, "unread": dict(self.unread)}

    def add(self, other: Tally) -> None:
        """Count what another has counted."""
        self.objects += other.objects
        self.unread.update(other.unread)

    def take(self, rows: Iterable[Row]) -> None:
        """Count more rows."""
        for row in rows:
            self.objects += 1
            if not row["readable"]:
                self.unread[str(row["error"]).split(" ")[0]] += 1

    def coverage(self, notes: Iterable[str], *, partly: bool) -> Coverage:
        """Return what is known of the table; every object is listed, though not every one read."""
        unread = {word: self.unread[word] for word in ACCESS_ERRORS if self.unread[word]}
        said = list(notes)
        if unread:
            counts = ", ".join(
                f"{count} {_WORDS.get(word, word)}" for word, count in unread.items()
            )
            said.append(f"of {self.objects} objects could not be read: {counts}")
        # An object that is gone since it was listed is gone for good: nothing is left to capture.
        lacking = partly or bool(set(unread) - set(GONE))
        status = "partial" if lacking else "captured"
        return Coverage(status, "; ".join(said) or None, listed=lacking)


def read(source: Source) -> list[Captured]:
    """Return the table `raw`, whose rows are kept in the draft step by step.

    An object that cannot be read is a row that says so.
    """
    if source.options.in_place:
        return raw_in_place.read(source)
    if not source.names.raw_bucket:
        return [Captured("raw", source.lacks("raw bucket"))]
    dates, listing = dates_of(source.options.window), listings.opened(source)
    tally = Tally.of(source.draft.note("raw") or _NOTHING)
    ids, patience = known_ids.of(source), Patience()

    def is_of(entry: Listed) -> bool:
        return ids is None or known_ids.may_be_of(entry, source.names, ids)

    def is_listed(entry: Listed) -> bool:
        return listing.names_all(entry.key, dates) and is_of(entry)

    begun = (source.draft.note("raw") or _NOTHING)["after"]
    entries = (one for one in listing.entries(dates, begun) if not is_folder(one) and is_of(one))
    _keep(source, entries, tally, patience)
    # What is found by name afterwards does not tell how much the list leaves out.
    unproven = not tally.objects and not listing.proves_emptiness
    asked = _keep_pointed_at(source, patience, is_listed)
    tally.add(Tally.of(asked))
    notes = [f"event dates {dates[0]} to {dates[1]} only", *listing.notes, *_words_of(asked)]
    if ids is not None:
        notes.insert(1, f"only the objects of {known_ids.in_words(ids, source.options.entities)}")
    if unproven:
        notes.append("it lists none under the prefix, for which it may not have been made")
    coverage = tally.coverage(notes, partly=ids is not None)
    if unproven or asked["asked"] > pointers.MOST or not known_ids.are_whole(source):
        coverage = replace(coverage, status="partial", listed=False)
    return [Captured("raw", replace(coverage, horizon=listing.horizon), kept=True)]


def _keep(source: Source, entries: Iterable[Listed], tally: Tally, patience: Patience) -> None:
    """Read the objects and keep them step by step."""
    objects = source.connection.objects(str(source.names.raw_bucket))

    def read_some(some: Sequence[Listed]) -> list[Row]:
        return read_objects(objects, some, _layout(source), patience)

    listed = in_steps(entries, STEP_OBJECTS, STEP_BYTES, LARGEST_BODY)
    with closing(_read_in_steps(read_some, listed)) as steps:
        for last, found in steps:
            rows = [row for row in found if known_ids.is_kept(row, source.options.entities)]
            tally.take(rows)
            # A key may have been listed without the slash that it has.
            after = max([last, *(str(row["s3_key"]) for row in rows)])
            source.keep("raw", {"raw": rows}, {"after": after, **tally.note})


def _keep_pointed_at(
    source: Source, patience: Patience, is_listed: Callable[[Listed], bool]
) -> Mapping[str, Any]:
    """Read the objects that rows point at and no list has named; return what came of it."""
    objects = source.connection.objects(str(source.names.raw_bucket))

    def read_some(some: Sequence[Listed]) -> list[Row]:
        return [
            row_of(entry, body, _layout(source), patience)
            for entry, body in zip(some, objects.read_all(some, LARGEST_BODY), strict=True)
            if not _is_absent(body, is_listed(entry))
        ]

    keys, done = _to_ask_for(source)
    tally = Tally.of(done)
    entries = [Listed(key, 0, None, None) for key in keys]
    listed = in_steps(entries, _ASKED_AT_ONCE, STEP_BYTES, LARGEST_BODY)
    with closing(_read_in_steps(read_some, listed)) as steps:
        for last, rows in steps:
            tally.take(rows)
            done = {**done, "after": last, **tally.note}
            source.keep(_POINTED_AT, {"raw": rows}, done)
    if not keys:
        source.keep(_POINTED_AT, {}, done)
    return done


def _layout(source: Source) -> RawReading:
    names = source.names
    return RawReading(names.raw_prefix, names.design, source.options.payloads)


def _to_ask_for(source: Source) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Return the keys that are not asked for yet, and what is known of those that were."""
    done = source.draft.note(_POINTED_AT)
    if done is None:
        keys = pointers.unlisted(source)
        first = keys[: pointers.MOST]
        return first, {**_NOTHING, "asked": len(keys), "until": first[-1] if first else ""}
    if done["after"] == done["until"]:
        return [], done
    # Those that were found are in the table now, and not among them any more.
    left = pointers.unlisted(source)
    return [key for key in left if done["after"] < key <= done["until"]], done


def _is_absent(body: Body | AccessError, is_listed: bool) -> bool:
    """Whether an object that was asked for by name is not there; what else fails says nothing."""
    if not isinstance(body, AccessError):
        return False
    # Without the right to list, S3 denies what is not there; a whole list has said it already.
    return body.code in _NOT_THERE or (body.kind == "denied" and is_listed)


def _words_of(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield what came of asking for objects by name."""
    if asked["asked"] > pointers.MOST:
        most = f"{pointers.MOST:,}"
        yield f"more than {most} keys that rows point at are listed nowhere: {most} were asked for"
    elif asked["asked"]:
        unknown = sum(asked["unread"].get(word, 0) for word in ACCESS_ERRORS)
        there = asked["objects"] - unknown
        yield (
            f"of {counted(asked['asked'], 'key')} that rows point at and no list names, "
            f"asked for by name, {there} {'is' if there == 1 else 'are'} there"
            + (f", and of {unknown} it is not known" if unknown else "")
        )


def _read_in_steps(
    read_some: Callable[[Sequence[Listed]], list[Row]], steps: Iterable[list[Listed]]
) -> Generator[tuple[str, list[Row]], None, None]:
    """Yield the last key and the rows of each step, while the next one is read already."""
    with Readers(read_some) as readers:
        waiting: list[tuple[str, list[Future[list[Row]]]]] = []
        for step in steps:
            waiting.append((step[-1].key, [readers.submit(some) for some in _shares(step)]))
            if len(waiting) > 1:
                yield _finished(*waiting.pop(0))
        for one in waiting:
            yield _finished(*one)


def _finished(last: str, reading: Iterable[Future[list[Row]]]) -> tuple[str, list[Row]]:
    return last, [row for future in reading for row in future.result()]


def _shares(step: Sequence[Listed]) -> Iterator[Sequence[Listed]]:
    """Yield what each thread takes of a step; the first one is small, because it is timed."""
    yield step[:_FIRST]
    for at in range(_FIRST, len(step), _AT_ONCE):
        yield step[at : at + _AT_ONCE]
