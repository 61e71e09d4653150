"""Connections to one account and region, which can only read."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar

from investigate.aws.answers import check_answer
from investigate.aws.failures import as_access_errors
from investigate.aws.meter import Meter, RequestLimits
from investigate.aws.objects import BOTOCORE, CLIENTS, OBSTORE, Objects
from investigate.aws.operations import (
    SIDE_EFFECTS,
    action_of,
    allowed_operations,
    refuse_unlisted,
)
from investigate.aws.store import open_store
from investigate.errors import AccessError, UsageError

_POOL = 96  # connections that are kept open to one service; as many threads read objects
_ATTEMPTS = 6  # of one request, by the SDK itself, with exponential backoff and jitter
READ_SECONDS = 60.0  # that an answer may take; longer, and the request did not get through
_LONGEST_WAIT = 20.0  # seconds between two tries of a patient connection
_PASSING = ("busy", "unreachable")  # kinds of failures that time can mend

Answer = TypeVar("Answer")


def connect(
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    sampling: bool = False,
    objects: str = "",
    patience: float = 0.0,
    limits: RequestLimits | None = None,
) -> Connection:
    """Return a connection with this machine's ordinary credentials; nothing is asked of AWS yet.

    `sampling` also lets it receive messages from a queue, which hides them for a moment. `objects`
    is the client that reads many S3 objects: `obstore`, or `botocore` where that cannot be used;
    botocore also where a bundle of certificates is configured for it (`ca_bundle`,
    `AWS_CA_BUNDLE`, `REQUESTS_CA_BUNDLE`). A request that AWS throttles, or that does not get
    through, is tried again for `patience` seconds after the SDK has given up; not one to an
    endpoint that has not answered since patience with it ended, or never yet. What has a side
    effect is asked for once and never again: it may have had it, although no answer came.
    """
    import boto3

    if objects and objects not in CLIENTS:
        raise UsageError.unknown("client of S3 objects", objects, CLIENTS)
    with as_access_errors("open a session", region or "none", {}):
        session = boto3.Session(profile_name=profile, region_name=region)
    if not session.region_name:
        raise AccessError(
            "no region is known",
            hint="set AWS_DEFAULT_REGION=eu-west-1; a command that reaches the pipeline also takes "
            '--region, or region = "eu-west-1" under [pipeline]',
        )
    connection = Connection(session, endpoint_url=endpoint_url, sampling=sampling)
    connection.objects_client = objects or OBSTORE
    connection.patience = patience
    connection.meter = Meter(limits)
    return connection


class Connection:
    """One account and region, read-only; every error of AWS comes out as `AccessError`.

    `meter` counts what it consumes; `patience` and `objects_client` are those of `connect`.
    `given_up` counts the requests that patience ended for: later they may well be answered.
    `on_wait` is told why a patient connection waits, from any thread.
    """

    def __init__(
        self, session: Any, *, endpoint_url: str | None = None, sampling: bool = False
    ) -> None:
        self.region: str = session.region_name
        self.sampling = sampling
        self.meter = Meter()
        self.patience = 0.0
        self.objects_client = BOTOCORE
        self.given_up = 0
        self.on_wait: Callable[[AccessError], None] = _silent
        self._answered = False
        self._session = session
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return the client of a service, which refuses every operation that is not on the list."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._open(service)
            return self._clients[service]

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to one operation, by its API name; raise `AccessError`."""
        method = getattr(self.client(service), _method(operation))
        asked = action_of(service, operation)

        def ask() -> dict[str, Any]:
            with as_access_errors(asked, self.region, parameters):
                answer: dict[str, Any] = method(**parameters)
                return answer

        once = operation in SIDE_EFFECTS.get(service, ())
        return ask() if once else self._patiently(ask)

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield every page of an operation, by its API name; raise `AccessError`."""
        pager = self.client(service).get_paginator(_method(operation))
        asked, ask = action_of(service, operation), pager._method

        def ask_patiently(**more: Any) -> Any:
            def once() -> Any:
                with as_access_errors(asked, self.region, parameters):
                    return ask(**more)

            return self._patiently(once)

        pager._method = ask_patiently  # so that one page is asked for again, and not all of them
        with as_access_errors(asked, self.region, parameters):
            yield from pager.paginate(**parameters)

    def read_object(
        self, *, largest: int | None = None, **parameters: Any
    ) -> tuple[dict[str, Any], bytes]:
        """Return the answer to s3:GetObject and the whole body; raise `AccessError`, also for a
        body of more than `largest` bytes."""
        client = self.client("s3")

        def ask() -> tuple[dict[str, Any], bytes]:
            with as_access_errors("s3:GetObject", self.region, parameters):
                answer = client.get_object(**parameters)
                # As a context manager a body is read without comparing it with its length.
                with closing(answer["Body"]) as body:
                    _refuse_large(answer["ContentLength"], largest)
                    return answer, body.read()

        return self._patiently(ask)

    def objects(self, bucket: str) -> Objects:
        """Return a reader of many objects of a bucket, under the same rule as every client."""
        for operation in ("GetObject", "ListObjectsV2"):
            refuse_unlisted("s3", operation)
        client = self.client("s3")
        # Certificates of one's own are known to botocore only, which looks for them so.
        own = self._session._session.get_config_variable("ca_bundle")
        own = own or os.environ.get("REQUESTS_CA_BUNDLE")
        secure = client.meta.endpoint_url.startswith("https:")
        fast = self.objects_client == OBSTORE and not (own and secure)
        store = open_store(self._session, client, bucket) if fast else None
        return Objects(self, bucket, store)

    def account(self) -> str:
        """Return the account these credentials belong to; raise `AccessError`."""
        return str(self.call("sts", "GetCallerIdentity")["Account"])

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer, or an error that waiting cannot mend, or no patience."""
        until, wait = None, 1.0
        while True:
            try:
                answer = ask()
            except AccessError as error:
                if error.kind not in _PASSING:
                    raise
                # An endpoint that never answered is a wrong address sooner than a lost network;
                # one for which patience has ended is waited for no longer.
                new = error.kind != "unreachable" and not self.given_up
                hopeful = self._answered or new
                until = until or time.monotonic() + self.patience
                if not hopeful or time.monotonic() >= until:
                    with self._lock:
                        self.given_up += 1
                    self._answered = False
                    raise
                self.on_wait(error)
            else:
                self._answered = True
                return answer
            # Full jitter, so that many readers do not come back at once.
            time.sleep(random.uniform(0, wait))  # noqa: S311
            wait = min(wait * 2, _LONGEST_WAIT)

    def open_with(self, service: str, config: Any) -> Any:
        """Return a client that nothing holds back yet: for the two doors of this package only."""
        with as_access_errors(f"open {service}", self.region, {}):
            return self._session.client(
                service, region_name=self.region, endpoint_url=self._endpoint_url, config=config
            )

    def _open(self, service: str) -> Any:
        from botocore.config import Config

        allowed_operations(service, sampling=self.sampling)
        # A client for something with a side effect tries nothing again by itself.
        attempts = 1 if self.sampling and service in SIDE_EFFECTS else _ATTEMPTS
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=10,
            read_timeout=READ_SECONDS,
            max_pool_connections=_POOL,
            user_agent_extra="investigate",
        )
        client = self.open_with(service, config)

        def before_it_is_built(model: Any, **_: Any) -> None:
            refuse_unlisted(service, model.name, sampling=self.sampling)
            self.meter.check()

        def sent(request: Any, event_name: str, **_: Any) -> None:
            self.meter.request(f"{service}:{event_name.rsplit('.', 1)[-1]}")

        # The first word on every request: before its parameters are even looked at.
        client.meta.events.register_first("before-parameter-build", before_it_is_built)
        client.meta.events.register("before-send", sent)
        client.meta.events.register("before-parse", check_answer)
        return client


def _refuse_large(size: int, largest: int | None) -> None:
    if largest is not None and size > largest:
        said = f"s3:GetObject: {size} bytes are more than an object of this pipeline has"
        raise AccessError(said, code=f"{size} bytes", asked="s3:GetObject")


def _silent(error: AccessError) -> None:
    """Say nothing of the waiting."""


def _method(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))
