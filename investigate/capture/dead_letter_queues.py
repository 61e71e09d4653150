"""Which queues take what a pipeline could not process, by its own settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from investigate.aws import Connection
from investigate.capture import deliveries, mappings
from investigate.capture.draft import CaptureDraft
from investigate.capture.sampling import redrive_of
from investigate.capture.source import CaptureOptions, Source, coverage_of_error
from investigate.case import Coverage
from investigate.errors import AccessError, UsageError
from investigate.model import Window
from investigate.settings import PipelineNames

# https://sqs.eu-west-1.amazonaws.com/..., and as it was written before.
_REGION = re.compile(
    r"https?://(?:sqs\.(?P<region>[a-z0-9-]+)|(?P<older>[a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?/"
)

# Where Lambda puts failures into a bucket: below it, the UUID of a mapping, or async/FUNCTION.
FAILURES_PREFIX = "aws/lambda/"


@dataclass(frozen=True, slots=True)
class Folder:
    """Where in a bucket the failures of one function or mapping are."""

    arn: str  # of the bucket
    prefix: str
    whose: str

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self.arn.split(":")[5]

    @property
    def place(self) -> str:
        """The folder as a URL."""
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass
class FailureTargets:
    """Where failures go: URLs that are configured, ARNs that the pipeline's settings name."""

    urls: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)  # ARNs of queues that no URL is known of
    folders: list[Folder] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)  # ARN of what is neither -> whose
    gaps: list[Coverage] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.urls or self.queues or self.folders or self.others)

    @property
    def names(self) -> list[str]:
        """The names of the queues."""
        return [place_of_url(url)[1] for url in self.urls] + [name_of(arn) for arn in self.queues]


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A dead-letter queue that could be looked at."""

    url: str
    attributes: Mapping[str, str]


def name_of(queue_arn: str) -> str:
    """Return the name of a queue, the last part of its ARN."""
    return place_of_arn(queue_arn)[1]


def place_of_arn(arn: str) -> tuple[str, str]:
    """Return the account and the name in the ARN of a queue; raise `UsageError` for another's."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sqs":
        raise UsageError(f"{arn!r} is not the ARN of a queue")
    return parts[4], parts[5]


def place_of_url(url: str) -> tuple[str, str]:
    """Return the account and the name in the URL of a queue."""
    account, name = url.rstrip("/").split("/")[-2:]
    return account, name


def region_of_url(url: str) -> str | None:
    """Return the region in the URL of a queue; None if it has none, as those of emulators."""
    match = _REGION.match(url)
    return match and (match["region"] or match["older"])


def url_of(connection: Connection, arn: str) -> str:
    """Return the URL of the queue with an ARN; raise `AccessError`."""
    account, name = place_of_arn(arn)
    answer = connection.call("sqs", "GetQueueUrl", QueueName=name, QueueOwnerAWSAccountId=account)
    return str(answer["QueueUrl"])


def targets(source: Source) -> FailureTargets:
    """Return where failures go; what could not be asked is among the gaps."""
    found = FailureTargets(list(dict.fromkeys(source.names.dead_letter_queue_urls)))
    known = {place_of_url(url) for url in (*found.urls, source.names.replay_queue_url) if url}
    folders: dict[tuple[str, str], Folder] = {}
    for whose, arn, folder in _settings(source, found.gaps):
        service = arn.split(":")[2]
        if service == "s3" and folder:
            # Versions and aliases of one function share its folder, and each may name the bucket.
            prefix = f"{FAILURES_PREFIX}{folder}/"
            folders.setdefault((arn, prefix), Folder(arn, prefix, whose))
        elif service != "sqs":
            found.others[arn] = whose
        elif place_of_arn(arn) not in known:
            known.add(place_of_arn(arn))
            found.queues.append(arn)
    found.folders.extend(folders.values())
    return found


def named_with_all(
    connection: Connection, names: PipelineNames
) -> tuple[PipelineNames, tuple[str, ...]]:
    """Return the names with every queue that the pipeline's own settings send failures to, and the
    buckets that they send failures to.

    A queue whose URL may not be asked for has the one it has on AWS; one that is gone is left out.
    """
    day = datetime(1970, 1, 2, tzinfo=UTC)
    options = CaptureOptions(Window(day - timedelta(days=1), day), day)
    # Settings alone are asked for: nothing is kept in the draft, which is never begun.
    found = targets(Source(connection, names, options, CaptureDraft(Path("settings"), {})))
    urls = [*found.urls, *(_url_if_any(connection, arn) for arn in found.queues)]
    buckets = tuple(sorted({folder.bucket for folder in found.folders}))
    return replace(names, dead_letter_queue_urls=tuple(url for url in urls if url)), buckets


def _url_if_any(connection: Connection, arn: str) -> str | None:
    account, name = place_of_arn(arn)
    try:
        return url_of(connection, arn)
    except AccessError as error:
        coverage_of_error(error)  # raises what keeps everything from being asked
        on_aws = f"https://sqs.{connection.region}.amazonaws.com/{account}/{name}"
        return None if error.kind == "not-found" else on_aws


def opened(source: Source, found: FailureTargets) -> Iterator[DeadLetterQueue | Coverage]:
    """Yield each dead-letter queue with its attributes, or why it could not be looked at."""
    for url in found.urls:
        yield _opened(source, url, None)
    for arn in found.queues:
        try:
            url = url_of(source.connection, arn)
        except AccessError as error:
            yield _unopened(arn, error)
        else:
            yield _opened(source, url, arn)


def _opened(source: Source, url: str, arn: str | None) -> DeadLetterQueue | Coverage:
    try:
        attributes = source.queue(url)
    except AccessError as error:
        return coverage_of_error(error) if arn is None else _unopened(arn, error)
    if arn not in (None, attributes["QueueArn"]):  # the same name in another region
        return Coverage("failed", f"{arn} is not in this region ({source.connection.region})")
    return DeadLetterQueue(url, attributes)


def _unopened(arn: str, error: AccessError) -> Coverage:
    known = coverage_of_error(error)
    return Coverage(known.status, f"{arn} takes failed messages: {known.reason}")


def _settings(source: Source, gaps: list[Coverage]) -> Iterator[tuple[str, str, str]]:
    """Yield whose failures go to which ARN, and in a bucket to which folder, by all settings."""
    yield from _of_the_queue(source, gaps)
    for role, name in source.names.functions.items():
        known, configs = source.functions[role], source.invoke_configs[role]
        gaps.extend(one for one in (known, configs) if isinstance(one, Coverage))
        if not isinstance(known, Coverage):
            yield from _arns(name, known.get("DeadLetterConfig", {}).get("TargetArn"))
        for config in [] if isinstance(configs, Coverage) else configs:
            on_failure = config.get("DestinationConfig", {}).get("OnFailure", {})
            yield from _arns(name, on_failure.get("Destination"), f"async/{name}")
    yield from _of_what_is_before(source, gaps)


def _of_the_queue(source: Source, gaps: list[Coverage]) -> Iterator[tuple[str, str, str]]:
    if source.names.replay_queue_url:
        try:
            arn = redrive_of(source.replay_queue).get("deadLetterTargetArn")
        except AccessError as error:
            gaps.append(coverage_of_error(error))
        else:
            yield from _arns("the replay queue", arn)


def _of_what_is_before(source: Source, gaps: list[Coverage]) -> Iterator[tuple[str, str, str]]:
    """Yield where mappings, rules and subscriptions send what they could not deliver."""
    mapped, delivered = mappings.entries(source), deliveries.found(source)
    # What has no name is no lack of these: the pipeline may well have no such part.
    gaps.extend(one for one in (*mapped.gaps, *delivered.gaps) if one.status != "skipped")
    for entry in mapped.rows:
        whose = f"the mapping {entry['UUID']}"
        yield from _arns(whose, mappings.failures_to(entry), str(entry["UUID"]))
    for row in delivered.rows:
        yield from _arns(str(row["arn"]), row["dead_letter_arn"])


def _arns(whose: str, arn: object, folder: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(arn, str) and len(arn.split(":")) > 5:
        yield whose, arn, folder
