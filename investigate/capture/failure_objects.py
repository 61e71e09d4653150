"""Failures that Lambda put into a bucket: the only form of a destination that holds the records.

Keys and record: AWS Lambda developer guide, "Capturing records of asynchronous invocations" and
"Configuring on-failure destinations for Kinesis event source mappings".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import nlargest
from itertools import count
from typing import Any

from investigate.capture import dead_letters
from investigate.capture.dead_letter_queues import Folder
from investigate.capture.source import Gathered, Row, Source, coverage_of_error
from investigate.capture.values import json_object
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.pipeline import Design

MOST_OBJECTS = 1_000  # of one function or mapping; reading them has no effect, but takes its time
LARGEST = 32 * 1024 * 1024  # bytes; a batch has at most 6 MB
_CHANNELS = ("stream-destination", "lambda-destination")


def gather(source: Source, folder: Folder, gathered: Gathered) -> None:
    """Add a row for each failure in a folder since the window began, and what could not be read.

    Of more than `MOST_OBJECTS`, the newest. Reading an object has no effect, so that no permission
    of the user is needed, as it is for a queue.
    """
    try:
        newest, many = _newest(source, folder)
    except AccessError as error:
        known = coverage_of_error(error)
        said = f"failures of {folder.whose} go to {folder.place}: {known.reason}"
        gathered.gaps.append(Coverage(known.status, said))
        return
    if len(newest) < many:
        said = f"{folder.place}: the newest {MOST_OBJECTS:,} of {many:,} failures"
        gathered.gaps.append(Coverage("failed", said))
    gathered.add(_rows(source, folder, newest, gathered.gaps))


def _newest(source: Source, folder: Folder) -> tuple[list[dict[str, Any]], int]:
    """Return the failures that are read, the newest last, and how many there are. Never all of
    them are held: a bucket keeps whatever anybody let fail."""
    numbers = count()
    listed = (one for one, _ in zip(_listed(source, folder), numbers, strict=False))
    newest = nlargest(MOST_OBJECTS, listed, key=lambda one: (one["LastModified"], one["Key"]))
    return newest[::-1], next(numbers)


def _listed(source: Source, folder: Folder) -> Iterator[dict[str, Any]]:
    asked = {"Bucket": folder.bucket, "Prefix": folder.prefix}
    for page in source.connection.pages("s3", "ListObjectsV2", **asked):
        for one in page.get("Contents", []):
            if one["LastModified"] >= source.options.since:
                yield one


def _rows(
    source: Source, folder: Folder, listed: list[dict[str, Any]], gaps: list[Coverage]
) -> Iterator[Row]:
    for one in listed:
        try:
            asked = {"Bucket": folder.bucket, "Key": one["Key"]}
            _, body = source.connection.read_object(largest=LARGEST, **asked)
        except AccessError as error:
            gaps.append(coverage_of_error(error))
            continue
        row = row_of(folder, one, body, source.names.design)
        if row is None:
            said = f"s3://{folder.bucket}/{one['Key']} is no record of a failure"
            gaps.append(Coverage("failed", said))
        else:
            yield row if source.options.payloads else {**row, "body": None}


def row_of(folder: Folder, listed: Mapping[str, Any], body: bytes, design: Design) -> Row | None:
    """Return an object as a row of `dead_letters`; None if it is no record of a failure.

    Its `message_id` is the key, its `queue_arn` the bucket. It expires with no stream: the records
    are in it.
    """
    said = body.decode("utf-8", "backslashreplace")
    message = {"MessageId": listed["Key"], "Body": said}
    letter = dead_letters.taken_apart(message, dead_letters.LetterQueue(folder.arn), design)
    if json_object(said) is None or dead_letters.channel_of(letter) not in _CHANNELS:
        return None
    row = dead_letters.row_of(letter)
    return {**row, "sent_utc": listed["LastModified"], "expires_utc": None}
