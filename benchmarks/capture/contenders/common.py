"""What contenders share. They run in two environments: only the standard library is certain."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

THREADS = 16
SEGMENTS = 8
TIMES = ("event_time", "ingest_time")
FIELDS = ("event_id", "source", "event_type", "entity_id", *TIMES, "payload_sha")


@dataclass(frozen=True, slots=True)
class Job:
    """What there is to read. Endpoints and credentials stand in the environment, as for anyone."""

    module: str
    contender: str
    endpoint: str
    region: str
    bucket: str
    prefix: str
    table: str
    folder: str  # empty, for what is written
    aws: str  # the AWS CLI; empty if there is none


class Prepared(NamedTuple):
    """Clients are open and have had an answer; `work` is timed, `lines` makes it comparable."""

    work: Callable[[], Any]
    lines: Callable[[Any], Iterable[str]]


def body_line(body: Mapping[str, Any]) -> str:
    """Return all fields of an event's body as one line."""
    return canonical({**{name: body[name] for name in FIELDS}, "payload": body["payload"]})


def item_line(item: Mapping[str, Any]) -> str:
    """Return a row with plain values as one line."""
    return canonical({name: _whole(value) for name, value in item.items()})


def wire_line(item: Mapping[str, Mapping[str, str]]) -> str:
    """Return a row as DynamoDB sends it as one line; it holds texts and whole numbers only."""
    return canonical(
        {name: int(kind["N"]) if "N" in kind else kind["S"] for name, kind in item.items()}
    )


def canonical(value: Any) -> str:
    """Return JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def client(service: str, job: Job) -> Any:
    """Return a botocore client with a connection for each thread."""
    import boto3
    from botocore.config import Config

    config = Config(max_pool_connections=THREADS)
    return boto3.client(service, region_name=job.region, config=config)  # type: ignore[call-overload]


class Raw:
    """One connection to the endpoint that sends signed requests and parses nothing."""

    def __init__(self, job: Job, service: str) -> None:
        import botocore.session
        from botocore.auth import S3SigV4Auth, SigV4Auth

        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        credentials: Any = botocore.session.get_session().get_credentials()
        self._signer = signer(credentials, service, job.region)
        self._endpoint = job.endpoint
        self._connection = http.client.HTTPConnection(job.endpoint.removeprefix("http://"))

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> bytes:
        """Return the bytes of the answer."""
        from botocore.awsrequest import AWSRequest

        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest(method, self._endpoint + path, data=body, headers=sent)
        self._signer.add_auth(request)
        self._connection.request(method, path, body, dict(request.headers.items()))
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:200]!r}")
        return data

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) or hasattr(value, "item") else value
