"""What is settled before anything is read: the account, the names, and that they exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from investigate.aws import Connection
from investigate.capture.dead_letter_queues import place_of_arn, place_of_url, region_of_url
from investigate.capture.discovery import check_account, discover
from investigate.capture.exports import Export
from investigate.capture.inventory import Inventory
from investigate.capture.privacy import Mask
from investigate.capture.source import CaptureOptions, body_at
from investigate.errors import AccessError, SettingsError, UsageError
from investigate.settings import PipelineNames
from investigate.tables import TABLES, schema_of

_OF_QUEUES = ("queue_state", "messages", "dead_letters", "mappings", "metric_points", "alarms")
_OF_FUNCTIONS = (
    "functions", "mappings", "invocations", "log_lines", "metric_points", "dead_letters", "spans",
    "deliveries", "deployments",
)  # fmt: skip
_REGION_HEADER = "x-amz-bucket-region"

Request = tuple[tuple[str, ...], str, str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pipeline that can be captured: its names, its account, and the tables that are wanted."""

    names: PipelineNames
    account: str
    wanted: tuple[str, ...]


def prepare(connection: Connection, names: PipelineNames, options: CaptureOptions) -> Prepared:
    """Return the names of a pipeline, its account and those of its stack included, after a first
    look at each.

    Raises `UsageError` for options that do not fit, `SettingsError` for a stack that is unclear,
    and `AccessError` for what no later request can mend: another account, a name that does not
    exist, credentials that do not work, an endpoint that does not answer.
    """
    wanted = options.only or tuple(TABLES)
    for table in wanted:
        schema_of(table)
    if options.sample_messages and not connection.sampling:
        raise UsageError(
            "messages are to be sampled over a connection that was not opened for sampling",
            hint="connect(..., sampling=True)",
        )
    Mask(options.mask)  # refuses what cannot be masked
    _refuse_folders(names, options)
    if set(wanted) <= names.in_folders:
        return _without_aws(connection, names, wanted)
    account = check_account(connection, names)
    names = replace(names, account_id=account)
    if names.stack:
        names = discover(connection, names.stack, names)
    _refuse_unknowable(names, options, wanted)
    first_look(connection, names, wanted)
    return Prepared(names, account, wanted)


def _without_aws(connection: Connection, names: PipelineNames, wanted: tuple[str, ...]) -> Prepared:
    """Return a pipeline of which everything that is wanted lies in folders of this machine."""
    first_look(connection, names, wanted)
    return Prepared(names, names.account_id or "", wanted)


def _refuse_folders(names: PipelineNames, options: CaptureOptions) -> None:
    """Raise `SettingsError` for a folder that is not there, and `UsageError` if folders of this
    machine are named and a copy of them is asked for."""
    if names.raw_folder and not Path(names.raw_folder).is_dir():
        raise SettingsError(
            f"raw_folder is {names.raw_folder!r}, and there is no such folder",
            hint=f"correct it, or: aws s3 sync s3://BUCKET/{names.raw_prefix} FOLDER",
        )
    if names.in_folders and not options.in_place:
        tables = ", ".join(table for table in TABLES if table in names.in_folders)
        raise UsageError(
            f"the configuration names folders of this machine for {tables}: these are not copied",
            hint="add --in-place, or name what is on AWS",
        )


def _refuse_unknowable(
    names: PipelineNames, options: CaptureOptions, wanted: Sequence[str]
) -> None:
    """Raise `UsageError` for entities whose events, which lead to all else, are not captured."""
    named = names.events_table or names.events_export
    if options.entities and not (named and "events" in wanted):
        raise UsageError(
            "an entity is captured by the rows of its events, and these are not captured",
            hint="add events to --only" if named else "name events_table under [pipeline]",
        )


def first_look(connection: Connection, names: PipelineNames, wanted: Sequence[str]) -> None:
    """Make one small request to each named resource that will be read, and open the reports that
    stand in for one; raise `AccessError`, and `SettingsError` for a report of something else.

    A denied request is left to the readers, who record it; a report that is damaged, too.
    """
    for tables, service, operation, parameters in _first_requests(names):
        if set(tables) & set(wanted) - names.in_folders:
            if operation == "GetQueueAttributes":
                _check_queue_region(connection, parameters["QueueUrl"])
            with _left_to_the_readers():
                answer = connection.call(service, operation, **parameters)
                if operation == "ListObjectsV2":
                    _check_region(connection, parameters["Bucket"], answer)
                if operation == "GetQueueAttributes":
                    _check_queue(parameters["QueueUrl"], answer)
    for table, opened in _reports(connection, names):
        if table in wanted:
            with _left_to_the_readers():
                opened()


@contextmanager
def _left_to_the_readers() -> Iterator[None]:
    try:
        yield
    except AccessError as error:
        if error.kind not in ("denied", "failed", "busy"):
            raise


def _check_region(connection: Connection, bucket: str, answer: dict[str, Any]) -> None:
    """botocore follows a bucket into another region; the other resources would not be there."""
    region = answer["ResponseMetadata"]["HTTPHeaders"].get(_REGION_HEADER)
    if region and region != connection.region:
        asked = f"s3:ListBucket of {bucket}"
        raise AccessError(
            f"the bucket {bucket} is in {region}, not in {connection.region}",
            hint=f'--region {region}, or region = "{region}" under [pipeline]',
            kind="not-found",
            code="WrongRegion",
            asked=asked,
        )


def _check_queue_region(connection: Connection, url: str) -> None:
    """The request would go to this region, where another pipeline may have such a queue, too."""
    region = region_of_url(url)
    if region and region != connection.region:
        raise AccessError(
            f"the queue {url} is in {region}, not in {connection.region}",
            hint=f'--region {region}, or region = "{region}" under [pipeline]; or correct the URL',
            kind="not-found",
            code="WrongRegion",
            asked=f"sqs:GetQueueAttributes of {url}",
        )


def _check_queue(url: str, answer: dict[str, Any]) -> None:
    """The queue that answered must be the one that the URL names."""
    arn = answer.get("Attributes", {}).get("QueueArn")
    if region_of_url(url) and arn and place_of_arn(arn) != place_of_url(url):
        raise AccessError(
            f"the queue {url} answers as {arn}",
            hint="correct the URL: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
            kind="not-found",
            code="WrongQueue",
            asked=f"sqs:GetQueueAttributes of {url}",
        )


def _reports(
    connection: Connection, names: PipelineNames
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Which tables are read from a report, and what opens it."""

    def read(bucket: str, key: str) -> bytes:
        return body_at(connection, bucket, key)

    if names.raw_inventory and names.raw_bucket:
        yield "raw", partial(Inventory.open, names.raw_inventory, read, bucket=names.raw_bucket)
    for table in ("events", "dedupe", "aggregates"):
        url, name = getattr(names, f"{table}_export"), getattr(names, f"{table}_table")
        if url:
            where = {"region": connection.region, "account": names.account_id}
            yield table, partial(Export.open, url, read, table=name, **where)


def _first_requests(names: PipelineNames) -> Iterator[Request]:
    """Which tables need which resource, and the smallest request that shows it is there."""
    if names.raw_bucket:
        listing = {"Bucket": names.raw_bucket, "Prefix": names.raw_prefix, "MaxKeys": 1}
        yield ("raw",), "s3", "ListObjectsV2", listing
    for table in ("events", "dedupe", "aggregates"):
        name = getattr(names, f"{table}_table")
        if name and not getattr(names, f"{table}_export"):
            yield (table,), "dynamodb", "Scan", {"TableName": name, "Limit": 1}
    for url in (names.replay_queue_url, *names.dead_letter_queue_urls):
        if url:
            asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
            yield _OF_QUEUES, "sqs", "GetQueueAttributes", asked
    for name in names.functions.values():
        yield _OF_FUNCTIONS, "lambda", "GetFunctionConfiguration", {"FunctionName": name}
