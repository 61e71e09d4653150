"""What AWS answers when it refuses a request: each service's own words, in the protocol asked in.

The kinds: throttled (too many requests), failed (an error of AWS), expired (the credentials) and
denied (the action).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from investigate.sandbox.cloud import ACCOUNT
from investigate.sandbox.operations import FORM

Headers = list[tuple[str, str]]
REQUEST_ID = "00000000-0000-4000-8000-000000000000"
WHO = f"arn:aws:iam::{ACCOUNT}:user/investigator"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status, AWS's word for it and the sentence beside it."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RefusalForms:
    """How one service refuses; of several ways, any may come."""

    throttled: tuple[Refusal, ...]
    failed: tuple[Refusal, ...]
    expired: Refusal
    denied: Refusal


_EXPIRED = "The security token included in the request is expired"
_DENIED = "User: {who} is not authorized to perform: {action} because no identity-based policy "
_DENIED += "allows the {action} action"
_USUAL = RefusalForms(
    (Refusal(400, "ThrottlingException", "Rate exceeded"),),
    (Refusal(500, "InternalFailure", "The request processing has failed."),),
    Refusal(403, "ExpiredTokenException", _EXPIRED),
    Refusal(403, "AccessDeniedException", _DENIED),
)
_OF_QUERY = RefusalForms(  # the services that began with the query protocol
    (Refusal(400, "Throttling", "Rate exceeded"),),
    (Refusal(503, "ServiceUnavailable", "Service is unable to handle request."),),
    Refusal(403, "ExpiredToken", _EXPIRED),
    Refusal(403, "AccessDenied", _DENIED),
)
REFUSAL_FORMS: Mapping[str, RefusalForms] = {
    "s3": RefusalForms(
        (Refusal(503, "SlowDown", "Please reduce your request rate."),),
        (
            Refusal(500, "InternalError", "We encountered an internal error. Please try again."),
            Refusal(503, "ServiceUnavailable", "Please reduce your request rate."),
        ),
        Refusal(400, "ExpiredToken", "The provided token has expired."),
        Refusal(403, "AccessDenied", _DENIED),
    ),
    "dynamodb": RefusalForms(
        (
            Refusal(
                400,
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded. "
                "Consider increasing your provisioning level with the UpdateTable API.",
            ),
            Refusal(400, "ThrottlingException", "Rate of requests exceeds the allowed throughput."),
            Refusal(400, "RequestLimitExceeded", "Throughput exceeds the limit of this account."),
        ),
        (Refusal(500, "InternalServerError", "Internal server error"),),
        Refusal(400, "ExpiredTokenException", _EXPIRED),
        Refusal(400, "AccessDeniedException", _DENIED),
    ),
    "logs": RefusalForms(
        _USUAL.throttled,
        (Refusal(500, "ServiceUnavailableException", "The service cannot complete the request."),),
        Refusal(400, "ExpiredTokenException", _EXPIRED),
        Refusal(400, "AccessDeniedException", _DENIED),
    ),
    "kinesis": RefusalForms(
        (Refusal(400, "ProvisionedThroughputExceededException", "Rate exceeded for shard."),),
        _USUAL.failed,
        Refusal(400, "ExpiredTokenException", _EXPIRED),
        Refusal(400, "AccessDeniedException", _DENIED),
    ),
    "sqs": RefusalForms(
        (Refusal(403, "RequestThrottled", "Request is denied due to request throttling."),),
        _OF_QUERY.failed,
        _OF_QUERY.expired,
        _OF_QUERY.denied,
    ),
    "lambda": RefusalForms(
        (Refusal(429, "TooManyRequestsException", "Rate exceeded"),),
        (Refusal(500, "ServiceException", "The service encountered an internal error."),),
        _USUAL.expired,
        _USUAL.denied,
    ),
    "xray": RefusalForms(
        (Refusal(429, "ThrottledException", "Rate exceeded"),),
        _USUAL.failed,
        _USUAL.expired,
        _USUAL.denied,
    ),
    "cloudwatch": RefusalForms(
        _OF_QUERY.throttled,
        (Refusal(500, "InternalServiceError", "Request processing has failed."),),
        _OF_QUERY.expired,
        _OF_QUERY.denied,
    ),
    "cloudformation": _OF_QUERY,
    "sts": _OF_QUERY,
}


def refusal_forms_of(service: str) -> RefusalForms:
    """Return how a service refuses; most of those not named here do it alike."""
    return REFUSAL_FORMS.get("dynamodb" if service == "dynamodbstreams" else service, _USUAL)


def denial(service: str, action: str) -> Refusal:
    """Return how a service says that an IAM action is not allowed."""
    known = refusal_forms_of(service).denied
    return Refusal(known.status, known.code, known.message.format(who=WHO, action=action))


def written(
    refusal: Refusal, service: str, environ: Mapping[str, Any]
) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of a refusal in the protocol of the request."""
    headers, body = _protocol(service, environ)(refusal, environ)
    if environ["REQUEST_METHOD"] == "HEAD":
        body = b""
    told = [*headers, ("x-amzn-RequestId", REQUEST_ID), ("Content-Length", str(len(body)))]
    return refusal.status, told, body


Writer = Callable[[Refusal, Mapping[str, Any]], tuple[Headers, bytes]]


def _protocol(service: str, environ: Mapping[str, Any]) -> Writer:
    if "HTTP_X_AMZ_TARGET" in environ:
        return _json
    if FORM in environ:
        return _query
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return _cbor
    return _s3 if service == "s3" else _rest_json


def _json(refusal: Refusal, environ: Mapping[str, Any]) -> tuple[Headers, bytes]:
    # A service keeps its types under its own name, which clients leave away.
    prefix = environ["HTTP_X_AMZ_TARGET"].rpartition(".")[0].lower()
    body = {"__type": f"com.amazonaws.{prefix}#{refusal.code}", "message": refusal.message}
    kind = environ.get("CONTENT_TYPE") or "application/x-amz-json-1.0"
    return [("Content-Type", kind), *_query_mode(refusal, environ)], json.dumps(body).encode()


def _rest_json(refusal: Refusal, environ: Mapping[str, Any]) -> tuple[Headers, bytes]:
    side = "User" if refusal.status < 500 else "Service"
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", refusal.code)]
    return headers, json.dumps({"Type": side, "message": refusal.message}).encode()


def _query(refusal: Refusal, environ: Mapping[str, Any]) -> tuple[Headers, bytes]:
    body = (
        f"<ErrorResponse><Error><Type>{_side(refusal)}</Type>{_code_and_message(refusal)}</Error>"
        f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
    )
    return [("Content-Type", "text/xml")], body.encode()


def _s3(refusal: Refusal, environ: Mapping[str, Any]) -> tuple[Headers, bytes]:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error>{_code_and_message(refusal)}<RequestId>{REQUEST_ID}</RequestId>"
        "<HostId>sandbox</HostId></Error>"
    )
    return [("Content-Type", "application/xml")], body.encode()


def _cbor(refusal: Refusal, environ: Mapping[str, Any]) -> tuple[Headers, bytes]:
    headers = [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
    texts = ("__type", refusal.code, "message", refusal.message)
    body = b"\xa2" + b"".join(_cbor_text(text) for text in texts)  # a map of two pairs
    return [*headers, *_query_mode(refusal, environ)], body


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    return b"\x79" + len(raw).to_bytes(2, "big") + raw  # a text whose length takes two bytes


def _code_and_message(refusal: Refusal) -> str:
    return f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"


def _query_mode(refusal: Refusal, environ: Mapping[str, Any]) -> Headers:
    """The word of the query protocol, for a client that still goes by it."""
    if environ.get("HTTP_X_AMZN_QUERY_MODE") != "true":
        return []
    return [("x-amzn-query-error", f"{refusal.code};{_side(refusal)}")]


def _side(refusal: Refusal) -> str:
    return "Sender" if refusal.status < 500 else "Receiver"
