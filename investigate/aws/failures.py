"""What AWS and the way to it say when something fails, as `AccessError`s with words and a hint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from investigate.aws.secrets import redact
from investigate.errors import AccessError, UsageError

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
    "busy": (
        "Throttl",
        "SlowDown",
        "ThroughputExceeded",
        "RequestLimitExceeded",
        "TooManyRequests",
        "LimitExceededException",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "ServiceUnavailable",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalService",
        "ServiceException",
        "RequestTimeout",
        "OverLimit",
        "500",
        "502",
        "503",
        "504",
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
    "unreachable": {
        "HTTPClientError",
        "ConnectionError",
        "IncompleteReadError",
        "ResponseStreamingError",
    },
}
_HINTS = {
    "denied": "allow {asked} for this identity; docs/permissions.md lists all that is needed",
    "expired": "renew the credentials (for example: aws sso login), then run the same again",
    "credentials": "give credentials: AWS_PROFILE, aws configure, or --profile NAME where the "
    "command has it; aws sts get-caller-identity shows who you are",
    "not-found": "check the name and the region ({region}) in the configuration, "
    "see docs/configuration.md",
    "unreachable": "check the network, the region ({region}) and --endpoint-url",
    "busy": "AWS is throttling or failing; wait a little, then run the same again",
    "failed": "run the same again; if it persists, the AWS console shows more",
}
_LONGEST = 300  # characters of what a server says that are told
_SUBJECTS = (
    "Bucket", "TableName", "QueueUrl", "QueueName", "FunctionName", "EventSourceArn",
    "logGroupName", "StackName", "StreamARN", "StreamArn", "TargetArn", "Rule", "TopicArn",
    "SubscriptionArn", "Name",
)  # fmt: skip


def subject_of(parameters: Mapping[str, Any]) -> str:
    """Return the resource a request is about, empty if it names none."""
    return next((str(parameters[name]) for name in _SUBJECTS if name in parameters), "")


@contextmanager
def as_access_errors(asked: str, region: str, parameters: Mapping[str, Any]) -> Iterator[None]:
    """Turn whatever botocore raises in the block into an `AccessError` of what was asked."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    subject = subject_of(parameters)
    where = f"{asked} of {subject}" if subject else asked
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", "unknown"))
        raise access_error(code, where, _first_line(said.get("Message")), region) from error
    except BotoCoreError as error:
        code = type(error).__name__
        raise _of_kind(_kind_of_failure(error), code, where, str(error), region) from error
    except (ResponseParserError, KeyError) as error:
        # botocore trusts that well-formed XML is AWS's: what it misses in it is a KeyError.
        code, words = type(error).__name__, "what answers there is not AWS"
        because = f": {_first_line(error)}" if isinstance(error, ResponseParserError) else ""
        raise _of_kind("unreachable", code, where, f"{words}{because}", region) from error
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):
            raise
        hint = "write it as --endpoint-url http://127.0.0.1:5000"
        raise UsageError(str(error), hint=hint) from error


def _first_line(message: object) -> str:
    """Return what a server says, without the page it may have sent instead."""
    lines = [line for line in str(message or "").splitlines() if line.strip()]
    return lines[0][:_LONGEST] if lines else ""


def access_error(code: str, asked: str, said: str, region: str) -> AccessError:
    """Return the error for a code of AWS's own, what was asked and what AWS said."""
    return _of_kind(_kind_of_code(code), code, asked, f"{code}: {said}", region)


def _of_kind(kind: str, code: str, asked: str, said: str, region: str) -> AccessError:
    hint = _HINTS[kind].format(asked=asked, region=region)
    message = redact(f"{asked}: {said}")
    return AccessError(message, hint=hint, kind=kind, code=code, asked=asked)


def _kind_of_code(code: str) -> str:
    for kind, parts in _KINDS.items():
        if any(part in code for part in parts):
            return kind
    return "failed"


def _kind_of_failure(error: Exception) -> str:
    names = {ancestor.__name__ for ancestor in type(error).__mro__}
    return next((kind for kind, known in _FAILURES.items() if names & known), "failed")
