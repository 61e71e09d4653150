from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from investigate.errors import UsageError
from investigate.sandbox.cloud import ACCOUNT
from investigate.sandbox.refusals import Refusal, denial, written
from investigate.sandbox.serve import Served, serve
from investigate.sandbox.weather import CALM, Forecast, Weather, action_asked
from investigate.sandbox.world import Sandbox
from tests.sandbox.pipelines import ingest_many, keys, running

# One request per service: what it is, and how to make it.
REQUESTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "s3": ("list_objects_v2", {"Bucket": "demo-raw"}),
    "dynamodb": ("scan", {"TableName": "demo-events"}),
    "sqs": ("get_queue_attributes", {"QueueUrl": "http://x/1/demo-replay"}),
    "lambda": ("list_event_source_mappings", {}),
    "logs": ("filter_log_events", {"logGroupName": "/aws/lambda/demo-ingest"}),
    "cloudwatch": ("list_metrics", {}),
    "xray": ("get_trace_summaries", {"StartTime": 0, "EndTime": 1}),
    "cloudformation": ("list_stack_resources", {"StackName": "demo"}),
    "sts": ("get_caller_identity", {}),
    "events": ("list_rules", {}),  # any other service of AWS
}
# Status and code of each kind of refusal.
THROTTLED = {
    "s3": {(503, "SlowDown")},
    "dynamodb": {
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (400, "RequestLimitExceeded"),
    },
    "sqs": {(403, "RequestThrottled")},
    "lambda": {(429, "TooManyRequestsException")},
    "logs": {(400, "ThrottlingException")},
    "cloudwatch": {(400, "Throttling")},
    "xray": {(429, "ThrottledException")},
    "cloudformation": {(400, "Throttling")},
    "sts": {(400, "Throttling")},
    "events": {(400, "ThrottlingException")},
}
EXPIRED = {
    "s3": (400, "ExpiredToken"),
    "dynamodb": (400, "ExpiredTokenException"),
    "sqs": (403, "ExpiredToken"),
    "lambda": (403, "ExpiredTokenException"),
    "logs": (400, "ExpiredTokenException"),
    "cloudwatch": (403, "ExpiredToken"),
    "xray": (403, "ExpiredTokenException"),
    "cloudformation": (403, "ExpiredToken"),
    "sts": (403, "ExpiredToken"),
    "events": (403, "ExpiredTokenException"),
}
DENIED = {
    "s3": (403, "AccessDenied", "s3:ListBucket"),
    "dynamodb": (400, "AccessDeniedException", "dynamodb:Scan"),
    "sqs": (403, "AccessDenied", "sqs:GetQueueAttributes"),
    "lambda": (403, "AccessDeniedException", "lambda:ListEventSourceMappings"),
    "logs": (400, "AccessDeniedException", "logs:FilterLogEvents"),
    "cloudwatch": (403, "AccessDenied", "cloudwatch:ListMetrics"),
    "xray": (403, "AccessDeniedException", "xray:GetTraceSummaries"),
    "cloudformation": (403, "AccessDenied", "cloudformation:ListStackResources"),
    "sts": (403, "AccessDenied", "sts:GetCallerIdentity"),
    "events": (403, "AccessDeniedException", "events:ListRules"),
}


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Sandbox, Served]]:
    with running() as sandbox:
        ingest_many(sandbox, 3)
        with serve(sandbox) as served:
            yield sandbox, served


@pytest.fixture
def sandbox(world: tuple[Sandbox, Served]) -> Sandbox:
    return world[0]


@pytest.fixture
def served(world: tuple[Sandbox, Served]) -> Iterator[Served]:
    world[1].become(CALM)
    yield world[1]
    world[1].hook = None


def client(served: Served, service: str, *, attempts: int = 1, patience: float = 20) -> Any:
    return boto3.client(
        service,
        endpoint_url=served.url,
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(
            retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=patience
        ),
    )


def ask(served: Served, service: str, attempts: int = 1) -> Any:
    method, parameters = REQUESTS[service]
    return getattr(client(served, service, attempts=attempts), method)(**parameters)


def refusal(served: Served, service: str) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as raised:
        ask(served, service)
    answer = raised.value.response
    return (
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Code"],
        answer["Error"]["Message"],
    )


@pytest.mark.parametrize("service", REQUESTS)
def test_each_service_throttles_in_its_own_words(served: Served, service: str) -> None:
    served.become(Weather(throttled=1))
    seen = {refusal(served, service)[:2] for _ in range(12 if service == "dynamodb" else 1)}
    assert seen == THROTTLED[service]
    assert {asked.fate for asked in served.record} == {"throttled"}


@pytest.mark.parametrize("service", REQUESTS)
def test_a_failure_of_aws_is_a_status_of_500_or_more(served: Served, service: str) -> None:
    served.become(Weather(failed=1))
    status, code, message = refusal(served, service)
    assert status in (500, 503)
    assert code.startswith(("Internal", "Service"))
    assert message


@pytest.mark.parametrize("service", REQUESTS)
def test_credentials_expire_after_so_many_requests(served: Served, service: str) -> None:
    served.become(Weather(expires_after=1))
    client(served, "s3").list_buckets()
    assert refusal(served, service)[:2] == EXPIRED[service]


@pytest.mark.parametrize("service", REQUESTS)
def test_a_denial_names_the_action_that_is_missing(served: Served, service: str) -> None:
    status, code, action = DENIED[service]
    served.become(Weather(denied=frozenset({action})))
    told = refusal(served, service)
    assert told[:2] == (status, code)
    assert f"is not authorized to perform: {action}" in told[2]
    assert ACCOUNT in told[2]  # as AWS says it; a case must not keep it
    client(served, "s3").list_buckets()  # the others are allowed


# Without those of which the emulator knows nothing.
@pytest.mark.parametrize("service", sorted({*REQUESTS} - {"xray", "cloudformation", "events"}))
def test_a_client_that_tries_again_gets_through(served: Served, service: str) -> None:
    served.become(Weather(throttled=0.3, failed=0.1, seed=1))
    ask(served, service, attempts=9)
    assert served.record[-1].status == 200
    assert all(asked.fate in ("throttled", "failed") for asked in served.record[:-1])


def test_the_cbor_protocol_gets_its_refusals_in_cbor() -> None:
    environ = {"REQUEST_METHOD": "POST", "HTTP_SMITHY_PROTOCOL": "rpc-v2-cbor"}
    _, headers, body = written(Refusal(400, "Throttling", "Rate exceeded"), "cloudwatch", environ)
    assert dict(headers)["Content-Type"] == "application/cbor"
    assert body == b"\xa2\x79\x00\x06__type\x79\x00\x0aThrottling\x79\x00\x07message" + (
        b"\x79\x00\x0dRate exceeded"
    )


def test_a_head_is_refused_by_its_status_alone(sandbox: Sandbox, served: Served) -> None:
    served.become(Weather(denied=frozenset({"s3:GetObject"})))
    with pytest.raises(ClientError, match="403"):
        client(served, "s3").head_object(Bucket=sandbox.names.raw_bucket, Key=keys(sandbox)[0])


def test_a_missing_key_is_forbidden_to_one_who_may_not_list(
    sandbox: Sandbox, served: Served
) -> None:
    there, bucket = keys(sandbox)[0], sandbox.names.raw_bucket
    s3 = client(served, "s3")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="raw/gone.json")
    served.become(Weather(denied=frozenset({"s3:ListBucket"})))
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=bucket, Key="raw/gone.json")
    assert s3.get_object(Bucket=bucket, Key=there)["Body"].read().startswith(b"{")


def test_an_old_version_of_an_object_needs_its_own_action() -> None:
    environ = {"QUERY_STRING": "versionId=abc"}
    assert action_asked("s3", "GetObject", environ) == "s3:GetObjectVersion"
    assert action_asked("s3", "HeadObject", {}) == "s3:GetObject"
    assert action_asked("s3", "ListObjectVersions", {}) == "s3:ListBucketVersions"


def read(served: Served, sandbox: Sandbox, **options: Any) -> bytes:
    answer = client(served, "s3", **options).get_object(
        Bucket=sandbox.names.raw_bucket, Key=keys(sandbox)[0]
    )
    body: bytes = answer["Body"].read()
    return body


def test_a_dropped_connection_ends_without_an_answer(sandbox: Sandbox, served: Served) -> None:
    served.become(Weather(dropped=1))
    with pytest.raises(ConnectionClosedError):
        read(served, sandbox)
    assert [(asked.fate, asked.status) for asked in served.record] == [("dropped", None)]


def test_a_broken_answer_ends_in_its_middle(sandbox: Sandbox, served: Served) -> None:
    served.become(Weather(broken=1))
    with pytest.raises(ResponseStreamingError):
        read(served, sandbox)
    assert served.record[0].status == 200


def test_a_truncated_answer_looks_whole(sandbox: Sandbox, served: Served) -> None:
    whole = read(served, sandbox)
    served.become(Weather(truncated=1))
    assert read(served, sandbox) == whole[: len(whole) // 2]


def test_a_slow_answer_is_whole_in_the_end(sandbox: Sandbox, served: Served) -> None:
    whole = read(served, sandbox)
    served.become(Weather(slow=1, seconds=0.3))
    with pytest.raises(ReadTimeoutError):
        read(served, sandbox, patience=0.1)
    assert read(served, sandbox) == whole


def test_the_hook_hears_of_every_request_before_it_is_answered(served: Served) -> None:
    heard: list[tuple[int, int | None]] = []
    served.hook = lambda number: heard.append((number, served.record[-1].status))
    ask(served, "s3")
    ask(served, "dynamodb")
    assert heard == [(1, None), (2, None)]
    assert [asked.status for asked in served.record] == [200, 200]


FATES = Weather(throttled=0.3, failed=0.1, dropped=0.05, broken=0.05, seed=3)


def fates(weather: Weather, paths: list[str]) -> list[str | None]:
    forecast = Forecast(weather)
    return [forecast.fate("s3", "GetObject", reading(path), b"").fate for path in paths]


def reading(path: str) -> dict[str, str]:
    """A request as a server sees it, signed anew each time."""
    signature, invocation = os.urandom(8).hex(), os.urandom(8).hex()
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "HTTP_AUTHORIZATION": signature,
        "HTTP_AMZ_SDK_INVOCATION_ID": invocation,
    }


def test_what_befalls_a_request_depends_on_the_request_and_the_attempt_alone() -> None:
    paths = [f"/b/{number % 50}" for number in range(200)]
    once = fates(FATES, paths)
    assert once == fates(FATES, paths)
    assert once != fates(Weather(throttled=0.3, failed=0.1, dropped=0.1, seed=4), paths)

    def by_path(asked: list[str], told: list[str | None]) -> dict[str, list[str | None]]:
        return {
            path: [fate for one, fate in zip(asked, told, strict=True) if one == path]
            for path in asked
        }

    other_order = sorted(paths, key=lambda path: path[::-1])
    assert by_path(paths, once) == by_path(other_order, fates(FATES, other_order))


def test_the_shares_are_kept() -> None:
    told = Counter(fates(FATES, [f"/b/{number}" for number in range(10_000)]))
    assert {fate: round(count / 10_000, 2) for fate, count in told.items()} == pytest.approx(
        {None: 0.5, "throttled": 0.3, "failed": 0.1, "dropped": 0.05, "broken": 0.05}, abs=0.011
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"throttled": 30}, "the shares of requests do not add up: throttled 30"),
        ({"throttled": 0.6, "failed": 0.6}, "throttled 0.6, failed 0.6"),
        ({"denied": frozenset({"ListBucket"})}, "'ListBucket' is no IAM action"),
    ],
)
def test_an_impossible_weather_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Weather(**wrong)


def test_a_denial_says_who_and_what() -> None:
    assert denial("dynamodb", "dynamodb:Scan").message == (
        "User: arn:aws:iam::123456789012:user/investigator is not authorized to perform: "
        "dynamodb:Scan because no identity-based policy allows the dynamodb:Scan action"
    )


def raw_answer(served: Served, sandbox: Sandbox) -> tuple[int, bytes]:
    """What a client gets that takes every answer for the content of the object."""
    answer = client(served, "s3").get_object(Bucket=sandbox.names.raw_bucket, Key=keys(sandbox)[0])
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()


@pytest.mark.parametrize(
    ("fate", "content"),
    [
        ("emptied", b""),
        ("misshapen", b"<!DOCTYPE html>"),
        ("unrelated", b'{"status": "ok"}'),
    ],
)
def test_an_answer_of_somebody_else_has_a_good_status(
    sandbox: Sandbox, served: Served, fate: str, content: bytes
) -> None:
    served.become(Weather(**{fate: 1.0}))  # type: ignore[arg-type]
    status, body = raw_answer(served, sandbox)
    assert status == 200
    assert body[: len(content)] == content
    assert bool(body) == bool(content)


def test_a_swollen_answer_says_the_same_with_much_behind_it(
    sandbox: Sandbox, served: Served
) -> None:
    _, whole = raw_answer(served, sandbox)
    served.become(Weather(swollen=1))
    _, body = raw_answer(served, sandbox)
    assert body.rstrip() == whole
    assert len(body) > 8_000_000


def test_a_request_that_hangs_gets_no_answer(sandbox: Sandbox, served: Served) -> None:
    served.become(Weather(hung=1))
    with pytest.raises(ReadTimeoutError):
        read(served, sandbox, patience=0.2)


def test_the_weather_can_be_that_of_one_service_or_operation(
    sandbox: Sandbox, served: Served
) -> None:
    served.become(Weather(throttled=1, only=frozenset({"s3:ListObjectsV2", "dynamodb"})))
    assert raw_answer(served, sandbox)[0] == 200
    for service in ("s3", "dynamodb"):
        assert refusal(served, service)[:2] in THROTTLED[service]
