"""The pipeline as it is now, by reads alone: for the snapshot, and for the watch."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from investigate.analysis.logs import MARKERS
from investigate.aws import Connection
from investigate.capture.functions import dry_run_of, log_group
from investigate.capture.source import QUEUE_COUNTS
from investigate.errors import AccessError
from investigate.recovery.region_and_account import (
    RegionAndAccount,
    region_and_account,
    region_and_account_of,
)
from investigate.recovery.rules import refuse_dry_run, refused
from investigate.settings import PipelineNames

# What a line of a function that failed, or of a record that did, has in it.
_ERROR = re.compile(
    r"processor_record_failed|Task timed out|Runtime exited|\[ERROR\]|Status: (error|timeout)"
    r'|"level": ?"ERROR"|"errorType"|"status": ?"(error|timeout|failure)"'
)
_BEGUN = MARKERS["processor"]
_RECORDS = re.compile(r'\brecords\\*"?[:=] ?(\d+)')  # also as JSON within JSON
SKEW = timedelta(minutes=1)  # that this machine's clock may be ahead of AWS's
_LONGEST = 200  # characters of a line that are told
_COUNTS_AGAIN = 5
_MOST_PAGES = 100  # of log events in one look; a run is brief


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue and how much lies in it now."""

    url: str
    arn: str
    visible: int
    not_visible: int
    delayed: int
    dead_letter_arn: str | None

    @property
    def name(self) -> str:
        """Its name, the last part of its ARN."""
        return self.arn.rpartition(":")[2]

    @property
    def waiting(self) -> int:
        """Messages in whatever state."""
        return self.visible + self.not_visible + self.delayed

    def as_json(self) -> dict[str, Any]:
        """Return what stands in the record."""
        return {
            "name": self.name,
            "visible": self.visible,
            "not_visible": self.not_visible,
            "delayed": self.delayed,
        }


@dataclass(frozen=True)
class Live:
    """A pipeline behind a connection that only reads; every method raises `AccessError`, and
    `RecoveryRefused` (other-place) for a resource that is not where the case was captured."""

    connection: Connection
    names: PipelineNames

    @property
    def place(self) -> RegionAndAccount:
        """Where the case was captured, as far as it tells; what it masks is not known."""
        url = region_and_account_of(str(self.names.replay_queue_url))
        return region_and_account(self.names.region, self.names.account_id).or_else(url)

    def queue(self, name_or_arn: str) -> Queue:
        """Return a queue of this account by its name, ARN or URL."""
        name = name_or_arn.replace("/", ":").rpartition(":")[2]
        url = self.connection.call("sqs", "GetQueueUrl", QueueName=name)["QueueUrl"]
        told = self.connection.call(
            "sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]
        )["Attributes"]
        # AWS was asked by the last part of the name alone, which is the same everywhere.
        found = region_and_account_of(told["QueueArn"])
        region_and_account_of(name_or_arn).refuse_other(found, f"the queue {name}")
        self.place.refuse_other(found, f"the queue {name}")
        counts = {ours: int(told[theirs]) for ours, theirs in QUEUE_COUNTS.items()}
        policy = json.loads(told.get("RedrivePolicy") or "{}")
        return Queue(
            url=url, arn=told["QueueArn"], dead_letter_arn=policy.get("deadLetterTargetArn"),
            **counts,
        )  # fmt: skip

    def replay_queue(self) -> Queue:
        """Return the replay queue."""
        return self.queue(str(self.names.replay_queue_url))

    def dead_letter_queues(self, *more: str) -> list[Queue]:
        """Return the dead-letter queues of the pipeline and those named by ARN, each once."""
        behind = self.replay_queue().dead_letter_arn
        named = [*self.names.dead_letter_queue_urls, *more, *([behind] if behind else [])]
        names = dict.fromkeys(one.replace("/", ":").rpartition(":")[2] for one in named)
        return [self.queue(name) for name in names]

    def mapping(self) -> Mapping[str, Any]:
        """Return the only mapping from the replay queue to the processor; raise
        `RecoveryRefused` (mapping-absent) if there is none, or more than one."""
        function, queue = self.names.functions["processor"], self.replay_queue()
        found: list[Mapping[str, Any]] = self.connection.call(
            "lambda", "ListEventSourceMappings", EventSourceArn=queue.arn, FunctionName=function
        )["EventSourceMappings"]
        if len(found) != 1:
            count = "no" if not found else f"more than one ({len(found)})"
            raise refused("mapping-absent", found=count, queue=queue.name, function=function)
        arn = str(found[0].get("FunctionArn", ""))
        self.place.refuse_other(
            region_and_account_of(arn), f"the function {function} of the mapping"
        )
        return found[0]

    def processor(self) -> Mapping[str, Any]:
        """Return the configuration of the processor."""
        name = self.names.functions["processor"]
        return self.connection.call("lambda", "GetFunctionConfiguration", FunctionName=name)

    def refuse_dry_run(self) -> None:
        """Raise `RecoveryRefused` (dry-run, dry-run-unknown) if the processor would delete what it
        is sent, or if nobody can tell."""
        known = self.processor()
        dry_run = dry_run_of(known.get("Environment", {}))
        refuse_dry_run(dry_run, function=known["FunctionName"], seen="now")

    def errors_since(self, moment: datetime) -> dict[str, str]:
        """Return the log lines of the processor since a time that tell of a failure, by their ids
        in CloudWatch Logs."""
        lines = self._lines_since(moment)
        return {known: line for known, line in lines.items() if _ERROR.search(line)}

    def records_since(self, moment: datetime) -> dict[str, int]:
        """Return how many records the processor began with since a time, by the ids of the lines
        in CloudWatch Logs that say so."""
        # A term in quotes is looked for as it stands, in text and in JSON.
        lines = self._lines_since(moment, filterPattern=f'"{_BEGUN}"')
        counts = {known: _RECORDS.search(line) for known, line in lines.items() if _BEGUN in line}
        return {known: int(count[1]) for known, count in counts.items() if count}

    def _lines_since(self, moment: datetime, **more: str) -> dict[str, str]:
        group = log_group(self.processor())
        asked = {"logGroupName": group, "startTime": int(moment.timestamp() * 1000), **more}
        found: dict[str, str] = {}
        for number, page in enumerate(self.connection.pages("logs", "FilterLogEvents", **asked), 1):
            found.update((str(event["eventId"]), str(event["message"])) for event in page["events"])
            if number > _MOST_PAGES:
                # What cannot be seen is no good sign: the run ends.
                raise AccessError(
                    f"{group} has more lines than can be watched",
                    hint="try again at a quieter time, or for fewer messages",
                    asked="logs:FilterLogEvents",
                )
        return found

    def newest_version(self, entity_id: str, day: str) -> dict[str, Any]:
        """Return the newest aggregate version of an entity's day; its version is null if none."""
        begins = self.names.design.aggregate.sk_start(day)
        found = self.connection.call(
            "dynamodb",
            "Query",
            TableName=self.names.aggregates_table,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
            ExpressionAttributeValues={
                ":pk": {"S": self.names.design.event_pk(entity_id)},
                ":sk": {"S": begins},
            },
            ScanIndexForward=False,
            Limit=1,
        )["Items"]
        row = found[0] if len(found) else {}
        values = {name: next(iter(value.values())) for name, value in row.items()}
        about = {name: values.get(name) for name in ("version", "inputs_hash", "input_count")}
        return {"entity_id": entity_id, "day": day, **about}

    def snapshot(self, days: Iterable[Mapping[str, str]] = ()) -> dict[str, Any]:
        """Return what a recovery may change, as it is now."""
        mapping = self.mapping()
        return {
            "queues": [
                queue.as_json() for queue in (self.replay_queue(), *self.dead_letter_queues())
            ],
            "mapping": {
                name: mapping.get(name)
                for name in ("UUID", "State", "BatchSize", "ScalingConfig", "LastProcessingResult")
            },
            "aggregates": [self.newest_version(day["entity_id"], day["day"]) for day in days],
        }


class FailureWatch:
    """Looks whether something goes wrong since it was made: failures, or new dead letters."""

    def __init__(self, live: Live, since: datetime, pause: float = 1.0) -> None:
        """Look for the first time; `pause` are the seconds between two counts that disagree."""
        self._live = live
        self._since = since - SKEW
        self._pause = pause
        self._before = self._dead()
        self._known = live.errors_since(self._since).keys()
        self.taken = 0  # dead letters that we took away ourselves, which must not hide new ones

    def trouble(self) -> str:
        """Return what went wrong since, or why nobody can see, in words; empty if all is well."""
        try:
            return self._trouble()
        except AccessError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return f"the watch cannot see: {error.message}{hint}"

    def _trouble(self) -> str:
        errors = self._live.errors_since(self._since)
        new = [line for known, line in errors.items() if known not in self._known]
        if new:
            return f"the processor failed: {new[0][:_LONGEST]}"
        more = self._more()
        return f"{more} more dead letters than before" if more > 0 else ""

    def _more(self) -> int:
        """How many dead letters are new. Counts of SQS may still hold for a while what was taken
        away: then they are asked for again before a letter is called new."""
        more = self._dead() + self.taken - self._before
        for _ in range(_COUNTS_AGAIN):
            if not 0 < more <= self.taken:
                break
            time.sleep(self._pause)
            more = self._dead() + self.taken - self._before
        return more

    def _dead(self) -> int:
        return sum(queue.waiting for queue in self._live.dead_letter_queues())
