"""Every way to read the evidence that is measured, by subject. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What a contender is in the comparison."""

    BASELINE = "baseline"
    OTHER = "other"
    LIMIT = "limit"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to read: a function of the module of its subject, and where it runs."""

    function: str
    name: str
    role: Role = Role.OTHER
    tooled: bool = False  # runs in the environment of the tools

    @property
    def ours(self) -> bool:
        """Whether it is Investigate's own way."""
        return self.role is Role.OURS


@dataclass(frozen=True, slots=True)
class Subject:
    """What is read, by which contenders of which module."""

    title: str
    module: str
    contenders: tuple[Contender, ...]


SUBJECTS: Mapping[str, Subject] = {
    "raw": Subject(
        "raw objects, read and parsed",
        "raw",
        (
            Contender("by_boto3", "boto3 get_object, 16 threads, json.loads", Role.BASELINE),
            Contender("by_awswrangler", "awswrangler s3.read_json", tooled=True),
            Contender("by_sync", "aws s3 sync, json.loads", tooled=True),
            Contender("by_obstore", "obstore get, 16 threads, json.loads"),
            Contender("unparsed", "server's limit: obstore get, nothing parsed", Role.LIMIT),
            Contender("ours", "investigate capture --only raw, to Parquet", Role.OURS),
        ),
    ),
    "list": Subject(
        "keys, listed",
        "listing",
        (
            Contender("by_boto3", "boto3 paginator", Role.BASELINE),
            Contender("by_awswrangler", "awswrangler s3.list_objects", tooled=True),
            Contender("by_obstore", "obstore list"),
            Contender("unparsed", "server's limit: raw HTTP, nothing parsed", Role.LIMIT),
            Contender("ours", "investigate, the capture's own listing", Role.OURS),
        ),
    ),
    "tables": Subject(
        "rows of EventsTable, all attributes",
        "tables",
        (
            Contender("by_resource", "boto3 resource, Table.scan", Role.BASELINE),
            Contender("by_client", "boto3 client, paginator"),
            Contender("by_awswrangler", "awswrangler dynamodb.read_items, 8 threads", tooled=True),
            Contender("unparsed", "server's limit: raw HTTP, nothing parsed", Role.LIMIT),
            Contender("ours", "investigate capture --only events, to Parquet", Role.OURS),
        ),
    ),
}
