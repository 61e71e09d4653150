"""Who is asked, and what a stack holds: the names of a pipeline's resources, found or checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from investigate.aws import Connection
from investigate.errors import AccessError, SettingsError
from investigate.settings import FUNCTION_ROLES, LOGICAL_NAMES, PipelineNames

_DELETED = "DELETE_COMPLETE"
_NESTED = "AWS::CloudFormation::Stack"
_TABLES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
_QUEUE = "AWS::SQS::Queue"
# The last word of a logical id says what it is; templates differ in it.
_KINDS = {
    "bucket": (("AWS::S3::Bucket",), {"bucket"}),
    "table": (_TABLES, {"table"}),
    "queue": ((_QUEUE,), {"queue"}),
    "function": (("AWS::Lambda::Function",), {"function", "lambda", "fn", "handler"}),
}
# The words before it.
_WORDS = {
    "raw": {"raw"},
    "events": {"events", "event"},
    "dedupe": {"dedupe", "dedup", "deduplication"},
    "aggregates": {"aggregates", "aggregate"},
    "replay": {"replay"},
    "ingest": {"ingest", "ingestion"},
    "processor": {"processor"},
}
# The entries of the configuration that a stack can fill, and what each is in words.
_ENTRIES = {
    "raw_bucket": "raw bucket",
    **{f"{table}_table": f"{table} table" for table in ("events", "dedupe", "aggregates")},
    "replay_queue_url": "replay queue",
    **{role: f"{role} function" for role in FUNCTION_ROLES},
}
# What stands beside a pipeline and is called after it: the bucket of a bucket's access logs.
_BESIDE = {"access", "archive", "backup", "log", "logs", "metrics", "retention"}
_SUFFIX = re.compile(r"(?<=.)[0-9A-F]{8}$")  # what CDK and SAM append to a logical id
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a stack; `path` is its logical id, after those of the stacks around it."""

    path: str
    kind: str
    name: str

    @property
    def words(self) -> list[str]:
        """The words of the logical id, without what a tool has appended."""
        logical = self.path.rsplit("/", 1)[-1]
        return [word.lower() for word in _WORD.findall(_SUFFIX.sub("", logical))]


def check_account(connection: Connection, names: PipelineNames) -> str:
    """Return the account of the credentials; raise `AccessError` if it is not the one named."""
    account = connection.account()
    refuse_other_account(account, names)
    return account


def refuse_other_account(account: str, names: PipelineNames) -> None:
    """Raise `AccessError` if the account of the credentials is not the one that is named."""
    if names.account_id and names.account_id != account:
        raise AccessError(
            f"these credentials belong to account {account}, "
            f"the configuration is about {names.account_id}",
            hint="use --profile NAME with a profile of that account, or correct account_id",
            kind="credentials",
            asked="sts:GetCallerIdentity",
        )


def discover(connection: Connection, stack: str, names: PipelineNames) -> PipelineNames:
    """Return the names with those of a stack's resources filled in; the given ones win.

    What the stack does not have stays None. Raises `SettingsError` if a resource could be one of
    several, or the stack holds nothing of a pipeline, and `AccessError` if it cannot be read.
    """
    resources = list(_resources(connection, stack))
    unclear: list[str] = []
    found = {entry: _only(resources, entry, unclear) for entry in _unknown(names)}
    if unclear:
        raise SettingsError(
            f"the stack {stack} has more than one " + "; and more than one ".join(unclear),
            hint="write the right one into the configuration; what is named there wins",
        )
    if not any(found.values()) and len(found) == len(_ENTRIES):
        has = ", ".join(sorted(resource.path for resource in resources)) or "none at all"
        raise SettingsError(
            f"the stack {stack} has no resource of a pipeline; it has {has}",
            hint="check the name of the stack, or name the resources under [pipeline]",
        )
    return _filled(names, stack, found, resources)


def lacking(names: PipelineNames) -> list[str]:
    """Return what is not known of a pipeline, each as a reason; few have dead-letter queues."""
    return [names.lacks(_ENTRIES[entry]) for entry in _unknown(names)]


def _resources(connection: Connection, stack: str) -> Iterator[Resource]:
    """Every resource of a stack and of those within it that still exists."""
    waiting = [("", stack)]
    seen = {stack}
    while waiting:
        path, name = waiting.pop()
        for entry in _listed(connection, name):
            physical = entry.get("PhysicalResourceId")
            if entry["ResourceStatus"] == _DELETED or not physical:
                continue
            resource = Resource(path + entry["LogicalResourceId"], entry["ResourceType"], physical)
            if resource.kind != _NESTED:
                yield resource
            elif physical not in seen:
                seen.add(physical)
                waiting.append((f"{resource.path}/", physical))


def _listed(connection: Connection, stack: str) -> Iterator[dict[str, Any]]:
    try:
        for page in connection.pages("cloudformation", "ListStackResources", StackName=stack):
            yield from page["StackResourceSummaries"]
    except AccessError as error:
        if "does not exist" not in error.message:
            raise
        raise AccessError(
            f"there is no stack {stack} in {connection.region} of account {connection.account()}",
            hint="check pipeline.stack and region, and whose credentials these are (--profile)",
            kind="not-found",
            code=error.code,
            asked="cloudformation:ListStackResources",
        ) from error


def _unknown(names: PipelineNames) -> list[str]:
    """Return the entries that the configuration leaves open."""
    given = {**asdict(names), **names.functions}
    return [entry for entry in _ENTRIES if not given.get(entry)]


def _only(resources: Sequence[Resource], entry: str, unclear: list[str]) -> Resource | None:
    """Return the one resource that fits best; note the candidates if several fit as well."""
    what = _ENTRIES[entry]
    role, kind = what.split(" ")
    candidates = [one for one in resources if one.kind in _KINDS[kind][0]]
    ranks = {one: _rank(one.words, role, kind) for one in candidates if not _is_dead_letter(one)}
    best = min((rank for rank in ranks.values() if rank), default=None)
    fitting = [one for one, rank in ranks.items() if rank and rank == best]
    if len(fitting) > 1:
        listed = ", ".join(f"{one.path} ({one.name})" for one in fitting)
        section = "[pipeline.functions]" if kind == "function" else "[pipeline]"
        unclear.append(
            f"{LOGICAL_NAMES[what]}: {listed}; write {entry} under {section}, "
            f'for example {entry} = "{fitting[0].name}"'
        )
    return fitting[0] if len(fitting) == 1 else None


def _rank(words: list[str], role: str, kind: str) -> int | None:
    """How well the words of a logical id fit, from 1, the best; None if they do not."""
    ends = _KINDS[kind][1]
    if words == [role, kind]:
        return 1
    if words[-1] not in ends:
        words = [*words, kind]  # `OrdersEvents` is as good as `OrdersEventsTable`
    fitting = [first in _WORDS[role] and second in ends for first, second in pairwise(words)]
    if not any(fitting) or _BESIDE & set(words):
        return None
    return 4 if not fitting[-1] else 3 if len(fitting) > 1 else 2


def _is_dead_letter(resource: Resource) -> bool:
    words = resource.words
    return resource.kind == _QUEUE and ("dlq" in words or "deadletter" in "".join(words))


def _filled(
    names: PipelineNames,
    stack: str,
    found: Mapping[str, Resource | None],
    resources: Sequence[Resource],
) -> PipelineNames:
    known: dict[str, Any] = {entry: one.name for entry, one in found.items() if one}
    functions = {role: known.pop(role) for role in FUNCTION_ROLES if role in known}
    dead = sorted(one.name for one in resources if _is_dead_letter(one))
    return replace(
        names,
        stack=stack,
        dead_letter_queue_urls=names.dead_letter_queue_urls or tuple(dead),
        functions={**names.functions, **functions},
        **known,
    )
