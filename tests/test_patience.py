"""A patient connection asks again while time can mend it, and says why it waits."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError
from moto import mock_aws

from investigate.aws import Connection, connect, connection
from investigate.aws.failures import access_error
from investigate.aws.secrets import redact
from investigate.errors import AccessError


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 0.5)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(connection, "time", clock)
    monkeypatch.setattr(connection.random, "uniform", lambda low, high: high)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    return clock


def fail(patient: Connection, service: str, operation: str, times: float, code: str) -> list[str]:
    """Let AWS answer an operation with an error so many times; return what was answered."""
    told: list[str] = []

    def answer(**_: Any) -> Any:
        if len(told) >= times:
            return None
        told.append(code)
        said = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {}}
        return SimpleNamespace(status_code=400, headers={}, raw=None), said

    client = patient.client(service)
    name = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-call.{name}.{operation}", answer)
    return told


def raising(error: Exception) -> Callable[..., None]:
    def raise_it(**_: Any) -> None:
        raise error

    return raise_it


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "SlowDown", "ProvisionedThroughputExceededException", "503"]
)
@mock_aws
def test_a_throttled_request_is_asked_again_until_it_is_answered(clock, code):
    patient = connect(patience=60)
    told = fail(patient, "sts", "GetCallerIdentity", 4, code)
    assert patient.account() == "123456789012"
    assert len(told) == 4
    assert clock.slept == [1, 2, 4, 8]
    assert patient.given_up == 0


@mock_aws
def test_patience_ends_and_the_error_is_that_of_aws(clock):
    patient = connect(patience=60)
    told = fail(patient, "sts", "GetCallerIdentity", float("inf"), "ThrottlingException")
    with pytest.raises(AccessError, match="ThrottlingException: no") as raised:
        patient.account()
    assert clock.slept == [1, 2, 4, 8, 16, 20, 20]
    assert (len(told), raised.value.kind, patient.given_up) == (8, "busy", 1)
    assert "wait a little, then run the same again" in raised.value.hint


@mock_aws
def test_without_patience_nothing_is_asked_again(clock):
    told = fail(hasty := connect(), "sts", "GetCallerIdentity", 1, "ThrottlingException")
    with pytest.raises(AccessError):
        hasty.account()
    assert (len(told), clock.slept) == (1, [])


@pytest.mark.parametrize(
    "code",
    ["AccessDenied", "ExpiredToken", "NoSuchBucket", "ValidationException", "NotImplemented"],
)
@mock_aws
def test_what_waiting_cannot_mend_is_said_at_once(clock, code):
    patient = connect(patience=60)
    told = fail(patient, "s3", "ListObjectsV2", float("inf"), code)
    with pytest.raises(AccessError, match=code):
        patient.call("s3", "ListObjectsV2", Bucket="raw")
    assert (len(told), clock.slept, patient.given_up) == (1, [], 0)


@mock_aws
def test_a_network_that_is_lost_is_waited_for(clock):
    patient = connect(patience=60)
    assert patient.account()
    lost = raising(EndpointConnectionError(endpoint_url="https://sts"))
    client = patient.client("sts")
    client.meta.events.register("before-call.sts", lost)
    patient.on_wait = lambda _: client.meta.events.unregister("before-call.sts", lost)
    assert patient.account() == "123456789012"
    assert clock.slept == [1]


@mock_aws
def test_an_endpoint_that_never_answered_is_not_waited_for(clock):
    patient = connect(patience=60)
    never = ConnectTimeoutError(endpoint_url="https://sts")
    patient.client("sts").meta.events.register("before-call.sts", raising(never))
    with pytest.raises(AccessError) as raised:
        patient.account()
    assert (raised.value.kind, clock.slept, patient.given_up) == ("unreachable", [], 1)
    assert "--endpoint-url" in raised.value.hint


@mock_aws
def test_who_waits_says_why(clock):
    patient = connect(patience=60)
    fail(patient, "sts", "GetCallerIdentity", 2, "ThrottlingException")
    said: list[str] = []
    patient.on_wait = lambda error: said.append(error.message)
    patient.account()
    assert said == ["sts:GetCallerIdentity: ThrottlingException: no"] * 2


def bucket(objects: int) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(objects):
        s3.put_object(Bucket="raw", Key=f"k{number}", Body=b"{}")


@mock_aws
def test_a_page_is_asked_for_again_and_not_all_before_it(clock):
    bucket(5)
    patient = connect(patience=60)
    asked: list[str] = []
    client = patient.client("s3")

    def note(params: dict[str, Any], **_: Any) -> Any:
        asked.append(params["query_string"].get("continuation-token", ""))
        if len(asked) not in (2, 3):
            return None
        said = {"Error": {"Code": "SlowDown", "Message": "no"}, "ResponseMetadata": {}}
        return SimpleNamespace(status_code=503, headers={}, raw=None), said

    client.meta.events.register("before-call.s3.ListObjectsV2", note)
    pages = list(patient.pages("s3", "ListObjectsV2", Bucket="raw", MaxKeys=2))
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == [
        "k0", "k1", "k2", "k3", "k4",
    ]  # fmt: skip
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]
    first, second, again, once_more, third = asked
    assert first == ""
    assert second == again == once_more != third


@mock_aws
def test_an_object_is_read_again(clock):
    bucket(1)
    patient = connect(patience=60)
    fail(patient, "s3", "GetObject", 2, "InternalError")
    assert patient.read_object(Bucket="raw", Key="k0")[1] == b"{}"
    assert clock.slept == [1, 2]


TOKEN = "IQoJb3JpZ2luX2VjEDkaCWV1LXdlc3QtMSJ" + "x" * 40
CANONICAL = (
    "The Canonical String for this request should have been\n'POST\n/\n\n"
    f"host:dynamodb.eu-west-1.amazonaws.com\nx-amz-date:20260310T000000Z\n"
    f"x-amz-security-token:{TOKEN}\n'"
)


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("The key AKIAIOSFODNN7EXAMPLE is unknown", "AKIAIOSFODNN7EXAMPLE"),
        ("The key ASIAIOSFODNN7EXAMPLE has expired", "ASIAIOSFODNN7EXAMPLE"),
        (CANONICAL, TOKEN),
        (f"GET /k?X-Amz-Security-Token={TOKEN}&X-Amz-Date=1", TOKEN),
        ("GET /k?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260310&x=1", "AKIAIOSFODNN7EXAMPLE"),
        (f"GET /k?X-Amz-Signature={'a1' * 32}", "a1" * 32),
        (f"AWS4-HMAC-SHA256 Signature={'b2' * 32}", "b2" * 32),
    ],
)
def test_no_message_holds_a_secret_that_aws_quotes(said, secret):
    error = access_error("SignatureDoesNotMatch", "s3:GetObject of raw", said, "eu-west-1")
    assert secret not in str(error)
    assert "***" in str(error)
    assert error.kind == "credentials"


@pytest.mark.parametrize(
    "text",
    [
        "asiapacificproductionbucket is not there",
        "eu-west-1",
        "ARN arn:aws:iam::123456789012:role/x",
    ],
)
def test_a_message_without_a_secret_stays_as_it_is(text):
    assert redact(text) == text
