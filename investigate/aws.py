"""The only door to AWS: clients that refuse all but a list of reads; errors in words."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from investigate.errors import AccessError, UsageError, WriteRefused

# Exactly these operations leave this machine; docs/permissions.md lists the same.
# ReceiveMessage is absent on purpose: it hides messages and raises their receive count.
READ_ONLY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "s3": frozenset(
            {"GetBucketVersioning", "GetObject", "ListObjectVersions", "ListObjectsV2"}
        ),
        "dynamodb": frozenset({"BatchGetItem", "DescribeTable", "Query", "Scan"}),
        "sqs": frozenset({"GetQueueAttributes", "GetQueueUrl"}),
        "lambda": frozenset(
            {
                "GetFunctionConcurrency",
                "GetFunctionConfiguration",
                "GetFunctionEventInvokeConfig",
                "ListEventSourceMappings",
                "ListFunctionEventInvokeConfigs",
            }
        ),
        "logs": frozenset({"DescribeLogGroups", "FilterLogEvents"}),
        "cloudwatch": frozenset({"DescribeAlarms", "GetMetricData"}),
        "xray": frozenset({"BatchGetTraces", "GetTraceSummaries"}),
        "cloudformation": frozenset({"ListStackResources"}),
        "sts": frozenset({"GetCallerIdentity"}),
    }
)
# Reads by name, with an effect on the pipeline; only for a connection opened for sampling.
SIDE_EFFECTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"sqs": frozenset({"ReceiveMessage"})}
)

WORKERS = 16  # as many objects are read at once, and as many connections are kept open

# What the code of an AWS error means, by the parts of it that the services agree on.
_KINDS = {
    "denied": ("AccessDenied", "UnauthorizedOperation", "AuthorizationError", "Forbidden", "403"),
    "expired": ("ExpiredToken", "RequestExpired", "TokenRefreshRequired"),
    "credentials": (
        "InvalidClientTokenId",
        "UnrecognizedClient",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidSignature",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "AuthFailure",
        "InvalidToken",
    ),
    "not-found": (
        "NoSuch",
        "NotFound",
        "DoesNotExist",
        "NonExistentQueue",
        "404",
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraint",
    ),
}
# The same for what never reached AWS, by the names of botocore's own errors.
_FAILURES = {
    "expired": {"SSOError", "LoginError"},
    "credentials": {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "TokenRetrievalError",
        "NoAuthTokenError",
    },
    "not-found": {"ParamValidationError", "InvalidRegionError"},
    "unreachable": {"HTTPClientError", "ConnectionError"},
}
_HINTS = {
    "denied": "allow {asked} for this identity; docs/permissions.md lists all that is needed",
    "expired": "renew the credentials (for example: aws sso login), then run the same again",
    "credentials": "give credentials: --profile NAME, AWS_PROFILE or aws configure; "
    "aws sts get-caller-identity shows who you are",
    "not-found": "check the name and the region ({region}) in the configuration, "
    "see docs/configuration.md",
    "unreachable": "check the network, the region ({region}) and --endpoint-url",
    "failed": "run the same again; if it persists, the AWS console shows more",
}
# Where the IAM action has another name than the operation.
_ACTIONS = {
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
}
_SUBJECTS = ("Bucket", "TableName", "QueueUrl", "FunctionName", "EventSourceArn", "logGroupName")


def connect(
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    sampling: bool = False,
) -> Connection:
    """Return a connection with this machine's ordinary credentials; nothing is asked of AWS yet.

    `sampling` also lets it receive messages from a queue, which hides them for a moment.
    """
    import boto3

    with _errors("open a session", region or "none", {}):
        session = boto3.Session(profile_name=profile, region_name=region)
    if not session.region_name:
        raise AccessError(
            "no region is known",
            hint='give --region eu-west-1, or region = "eu-west-1" under [pipeline]',
        )
    return Connection(session, endpoint_url=endpoint_url, sampling=sampling)


class Connection:
    """One account and region, read-only; every error of AWS comes out as `AccessError`."""

    def __init__(
        self, session: Any, *, endpoint_url: str | None = None, sampling: bool = False
    ) -> None:
        self.region: str = session.region_name
        self.sampling = sampling
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
        client = self.client(service)
        with _errors(action_of(service, operation), self.region, parameters):
            answer: dict[str, Any] = getattr(client, _method(operation))(**parameters)
            return answer

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield every page of an operation, by its API name; raise `AccessError`."""
        pager = self.client(service).get_paginator(_method(operation))
        with _errors(action_of(service, operation), self.region, parameters):
            yield from pager.paginate(**parameters)

    def read_object(self, **parameters: Any) -> tuple[dict[str, Any], bytes]:
        """Return the answer to s3:GetObject and the whole body; raise `AccessError`."""
        client = self.client("s3")
        with _errors("s3:GetObject", self.region, parameters):
            answer = client.get_object(**parameters)
            with answer["Body"] as body:
                return answer, body.read()

    def account(self) -> str:
        """Return the account these credentials belong to; raise `AccessError`."""
        return str(self.call("sts", "GetCallerIdentity")["Account"])

    def _open(self, service: str) -> Any:
        from botocore.config import Config

        allowed = allowed_operations(service, sampling=self.sampling)
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=WORKERS,
            user_agent_extra="investigate",
        )
        with _errors(f"open {service}", self.region, {}):
            client = self._session.client(
                service, region_name=self.region, endpoint_url=self._endpoint_url, config=config
            )
        # The first word on every request: before its parameters are even looked at.
        client.meta.events.register_first("before-parameter-build", _refusal(service, allowed))
        return client


def allowed_operations(service: str, *, sampling: bool = False) -> frozenset[str]:
    """Return the operations a connection may use of a service; raise `WriteRefused` for others."""
    if service not in READ_ONLY:
        raise WriteRefused(
            f"{service} is not on the read-only list",
            hint=f"the services a capture reads: {', '.join(sorted(READ_ONLY))}",
        )
    return READ_ONLY[service] | (
        SIDE_EFFECTS.get(service, frozenset()) if sampling else frozenset()
    )


def _refusal(service: str, allowed: frozenset[str]) -> Any:
    def refuse_unlisted(model: Any, **_: Any) -> None:
        if model.name in allowed:
            return
        opt_in = model.name in SIDE_EFFECTS.get(service, frozenset())
        raise WriteRefused(
            f"{service}:{model.name} is not on the read-only list; nothing was sent",
            hint="ask for it with --sample-messages N: it hides messages and counts as a receive"
            if opt_in
            else f"allowed of {service}: {', '.join(sorted(allowed))}",
        )

    return refuse_unlisted


def _method(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))


def action_of(service: str, operation: str) -> str:
    """Return the IAM action that allows an operation; S3 names two of them differently."""
    return f"{service}:{_ACTIONS.get(operation, operation)}"


@contextmanager
def _errors(asked: str, region: str, parameters: Mapping[str, Any]) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    subject = next((str(parameters[name]) for name in _SUBJECTS if name in parameters), "")
    where = f"{asked} of {subject}" if subject else asked
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", "unknown"))
        words = f"{code}: {said.get('Message', '')}"
        raise _access_error(_kind_of_code(code), code, where, words, region) from error
    except BotoCoreError as error:
        code = type(error).__name__
        raise _access_error(_kind_of_failure(error), code, where, str(error), region) from error
    except (ResponseParserError, KeyError) as error:
        # botocore trusts that well-formed XML is AWS's: what it misses in it is a KeyError.
        code, words = type(error).__name__, "what answers there is not AWS"
        raise _access_error("unreachable", code, where, words, region) from error
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):
            raise
        hint = "write it as --endpoint-url http://127.0.0.1:5000"
        raise UsageError(str(error), hint=hint) from error


def _access_error(kind: str, code: str, asked: str, said: str, region: str) -> AccessError:
    hint = _HINTS[kind].format(asked=asked, region=region)
    return AccessError(f"{asked}: {said}", hint=hint, kind=kind, code=code, asked=asked)


def _kind_of_code(code: str) -> str:
    for kind, parts in _KINDS.items():
        if any(part in code for part in parts):
            return kind
    return "failed"


def _kind_of_failure(error: Exception) -> str:
    names = {ancestor.__name__ for ancestor in type(error).__mro__}
    return next((kind for kind, known in _FAILURES.items() if names & known), "failed")
