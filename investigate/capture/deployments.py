"""When the functions' code and the pipeline's stack were changed, as AWS itself remembers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from investigate.capture.qualifiers import LATEST
from investigate.capture.source import Captured, Gathered, Row, Source, coverage_of_error
from investigate.capture.values import moment, text, utc
from investigate.errors import AccessError

# How long before the window a change of the stack can still be a part of the story.
STACK_LEAD = timedelta(days=14)


def read_deployments(source: Source) -> list[Captured]:
    """Return the table `deployments`: the versions of the functions, the events of the stack.

    AWS keeps only the last change of `$LATEST`: an earlier one shows only where a version of it was
    published.
    """
    gathered = Gathered()
    for name in sorted(set(source.names.functions.values())):
        _gather(gathered, _versions(source, name))
    if source.names.stack:
        _gather(gathered, _stack_events(source, source.names.stack))
    if not (source.names.functions or source.names.stack):
        gathered.gaps.append(source.lacks("function"))
    return [gathered.captured("deployments")]


def _gather(gathered: Gathered, rows: Iterator[Row]) -> None:
    try:
        gathered.add(list(rows))
    except AccessError as error:
        gathered.gaps.append(coverage_of_error(error))


def _versions(source: Source, name: str) -> Iterator[Row]:
    operation = "ListVersionsByFunction"
    for page in source.connection.pages("lambda", operation, FunctionName=name):
        yield from (version_row(name, one) for one in page["Versions"])


def _stack_events(source: Source, stack: str) -> Iterator[Row]:
    """Yield the stack's events that are young enough; CloudFormation gives the newest first."""
    since = source.options.window.start - STACK_LEAD
    for page in source.connection.pages("cloudformation", "DescribeStackEvents", StackName=stack):
        for event in page["StackEvents"]:
            row = stack_row(event)
            if row["at_utc"] < since:
                return
            yield row


def version_row(name: str, version: Mapping[str, Any]) -> Row:
    """Return a version of a function as a row of `deployments`."""
    number = str(version["Version"])
    return {
        "resource": name,
        "kind": "function",
        "at_utc": moment(version.get("LastModified")),
        "what": f"{LATEST} updated" if number == LATEST else "version published",
        "status": text(version.get("LastUpdateStatus")),
        "version": number,
        "detail": text(version.get("CodeSha256")),
    }


def stack_row(event: Mapping[str, Any]) -> Row:
    """Return an event of a stack as a row of `deployments`."""
    status = text(event.get("ResourceStatus"))
    return {
        "resource": text(event.get("LogicalResourceId")),
        "kind": "stack",
        "at_utc": utc(event["Timestamp"]),
        "what": status,
        "status": status,
        "detail": text(event.get("ResourceType")),
    }
