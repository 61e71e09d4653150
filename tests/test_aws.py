from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse as RawResponse

from investigate.aws import READ_ONLY, SIDE_EFFECTS, allowed_operations, connect
from investigate.errors import AccessError, UsageError, WriteRefused

READ_VERBS = ("Get", "BatchGet", "List", "Describe", "Query", "Scan", "Filter")


def model_of(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def no_request(**_: Any) -> None:
    raise AssertionError("a request left this machine")


@pytest.mark.parametrize("service", READ_ONLY)
def test_every_listed_operation_exists_and_has_a_read_verb(service):
    known = model_of(service).operation_names
    assert [name for name in READ_ONLY[service] if name not in known] == []
    assert [name for name in READ_ONLY[service] if not name.startswith(READ_VERBS)] == []


def test_receiving_messages_is_on_no_list_but_the_opt_in_one():
    assert {"sqs": frozenset({"ReceiveMessage"})} == SIDE_EFFECTS
    assert "ReceiveMessage" not in READ_ONLY["sqs"]


@pytest.mark.parametrize("service", READ_ONLY)
def test_every_operation_that_is_not_listed_is_refused_before_it_is_built(service):
    client = connect().client(service)
    client.meta.events.register_first("before-call", no_request)
    refused = set()
    for method, operation in client.meta.method_to_api_mapping.items():
        if operation not in READ_ONLY[service]:
            with pytest.raises(
                WriteRefused, match=f"{service}:{operation} is not on the read-only"
            ):
                getattr(client, method)()
            refused.add(operation)
    assert refused == set(model_of(service).operation_names) - READ_ONLY[service]


def test_a_presigned_write_is_refused():
    with pytest.raises(WriteRefused, match="s3:PutObject"):
        connect().client("s3").generate_presigned_url(
            "put_object", Params={"Bucket": "raw", "Key": "k"}
        )


def test_an_upload_by_the_transfer_manager_is_refused(tmp_path):
    file = tmp_path / "body"
    file.write_text("{}")
    with pytest.raises(WriteRefused, match="s3:PutObject"):
        connect().client("s3").upload_file(str(file), "raw", "k")


def test_a_service_that_is_not_listed_has_no_client():
    with pytest.raises(WriteRefused, match="iam is not on the read-only list"):
        connect().client("iam")


def test_receiving_is_refused_unless_the_connection_was_opened_for_sampling():
    with pytest.raises(WriteRefused) as refused:
        connect().call("sqs", "ReceiveMessage", QueueUrl="https://q")
    assert "--sample-messages" in refused.value.hint
    with mock_aws():
        url = boto3.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        assert "Messages" not in connect(sampling=True).call("sqs", "ReceiveMessage", QueueUrl=url)


def test_sampling_opens_receiving_and_nothing_else():
    opened = {
        service: allowed_operations(service, sampling=True) - allowed_operations(service)
        for service in READ_ONLY
    }
    assert {service: new for service, new in opened.items() if new} == dict(SIDE_EFFECTS)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDenied", "denied"),
        ("AccessDeniedException", "denied"),
        ("UnauthorizedOperation", "denied"),
        ("KMSAccessDeniedException", "denied"),
        ("KMS.AccessDeniedException", "denied"),
        ("ExpiredToken", "expired"),
        ("ExpiredTokenException", "expired"),
        ("InvalidClientTokenId", "credentials"),
        ("UnrecognizedClientException", "credentials"),
        ("InvalidAccessKeyId", "credentials"),
        ("ResourceNotFoundException", "not-found"),
        ("NoSuchBucket", "not-found"),
        ("AWS.SimpleQueueService.NonExistentQueue", "not-found"),
        ("PermanentRedirect", "not-found"),
        ("InternalServerError", "busy"),
        ("SlowDown", "busy"),
        ("ProvisionedThroughputExceededException", "busy"),
        ("ValidationException", "failed"),
    ],
)
def test_an_error_of_aws_says_what_was_asked_what_was_said_and_what_to_do(code, kind):
    connection = connect()
    with Stubber(connection.client("dynamodb")) as stubber:
        stubber.add_client_error("scan", service_error_code=code, service_message="it said so")
        with pytest.raises(AccessError) as raised:
            connection.call("dynamodb", "Scan", TableName="events")
    error = raised.value
    assert error.message == f"dynamodb:Scan of events: {code}: it said so"
    assert (error.kind, error.code, error.asked) == (kind, code, "dynamodb:Scan of events")
    assert error.hint


def test_a_denied_request_names_the_iam_action_and_not_the_operation():
    connection = connect()
    with Stubber(connection.client("s3")) as stubber:
        stubber.add_client_error("list_objects_v2", service_error_code="AccessDenied")
        with pytest.raises(AccessError) as raised:
            list(connection.pages("s3", "ListObjectsV2", Bucket="raw"))
    assert raised.value.asked == "s3:ListBucket of raw"
    assert "docs/permissions.md" in raised.value.hint


def test_without_credentials_it_says_how_to_give_them(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AccessError) as raised:
        connect().account()
    assert raised.value.kind == "credentials"
    assert "--profile" in raised.value.hint


def test_an_unknown_profile_is_a_matter_of_credentials():
    with pytest.raises(AccessError, match="nobody") as raised:
        connect(profile="nobody")
    assert raised.value.kind == "credentials"


def test_without_a_region_it_says_where_to_put_one(monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AccessError, match="no region is known") as raised:
        connect()
    assert "AWS_DEFAULT_REGION" in raised.value.hint, "check, report and others have no --region"
    assert "--region" in raised.value.hint


def test_an_endpoint_that_does_not_answer_is_unreachable(monkeypatch):
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    with pytest.raises(AccessError) as raised:
        connect(endpoint_url="http://127.0.0.1:9").account()
    assert raised.value.kind == "unreachable"
    assert "--endpoint-url" in raised.value.hint


def test_an_endpoint_that_is_no_address_is_a_usage_error():
    with pytest.raises(UsageError, match="Invalid endpoint"):
        connect(endpoint_url="localhost").account()


@mock_aws
def test_pages_reads_on_until_there_is_no_more():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(5):
        s3.put_object(Bucket="raw", Key=f"k{number}")
    pages = list(connect().pages("s3", "ListObjectsV2", Bucket="raw", MaxKeys=2))
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]


@mock_aws
def test_read_object_returns_the_whole_body_and_names_what_is_not_there():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="raw", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="raw", Key="k", Body=b"{}")
    connection = connect()
    assert connection.read_object(Bucket="raw", Key="k")[1] == b"{}"
    with pytest.raises(AccessError) as raised:
        connection.read_object(Bucket="raw", Key="other")
    assert (raised.value.kind, raised.value.code) == ("not-found", "NoSuchKey")


class _NotAws(BaseHTTPRequestHandler):
    """Answers everything with a page."""

    page = b""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("page", [b"not xml <", b"<html><body>hello</body></html>"])
def test_a_server_that_is_not_aws_is_said_to_be_none(page):
    handler = type("Handler", (_NotAws,), {"page": page})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        connection = connect(endpoint_url=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(AccessError, match="is not AWS") as refused:
            connection.account()
        server.shutdown()
    assert refused.value.kind == "unreachable"
    assert "--endpoint-url" in refused.value.hint


@pytest.mark.parametrize("code", ["ServiceUnavailable", "ThrottlingException"])
def test_messages_are_asked_for_once_and_never_again(code):
    connection = connect(sampling=True, patience=60.0)
    sent = []
    events = connection.client("sqs").meta.events

    def refuse(request: Any, **_: Any) -> Any:
        sent.append(request.url)
        body = f'{{"__type": "com.amazonaws.sqs#{code}", "message": "later"}}'.encode()
        return AWSResponse(request.url, 503, {}, RawResponse(body))

    events.register("before-send.sqs.ReceiveMessage", refuse)
    with pytest.raises(AccessError) as raised:
        connection.call("sqs", "ReceiveMessage", QueueUrl="https://sqs.eu-west-1.amazonaws.com/1/q")
    assert raised.value.kind == "busy"
    assert len(sent) == 1
    assert connection.given_up == 0


def test_what_has_no_side_effect_is_tried_again(monkeypatch):
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    connection = connect(sampling=True)
    sent = []

    def refuse(request: Any, **_: Any) -> Any:
        sent.append(request.url)
        return AWSResponse(request.url, 503, {}, RawResponse(b""))

    connection.client("s3").meta.events.register("before-send.s3.GetObject", refuse)
    with pytest.raises(AccessError):
        connection.read_object(Bucket="raw", Key="k")
    assert len(sent) == 6


def test_after_patience_ended_nobody_waits_again_before_an_answer(monkeypatch):
    waits = []
    monkeypatch.setattr("investigate.aws.connection.time.sleep", waits.append)
    connection = connect(patience=0.05)

    def lost() -> None:
        raise AccessError("no way", kind="unreachable")

    connection._patiently(lambda: "an answer")
    for hopeful in (True, False, False):
        waits.clear()
        with pytest.raises(AccessError):
            connection._patiently(lost)
        assert bool(waits) == hopeful
    connection._patiently(lambda: "an answer")
    with pytest.raises(AccessError):
        connection._patiently(lost)
    assert waits


def answering(service: str, body: bytes) -> Any:
    """A connection whose requests to a service all get this, with a good status."""
    connection = connect(region="eu-west-1")

    def answer(request: Any, **_: Any) -> AWSResponse:
        told = {"content-length": str(len(body))}
        return AWSResponse(request.url, 200, told, RawResponse(body))

    connection.client(service).meta.events.register("before-send", answer)
    return connection


PAGE = b"<!DOCTYPE html><html><body>Log in</body></html>"
JSON = (b"", PAGE, b'{"status": "ok"}', b"[]", b"<Status>ok</Status>")
XML = (b"", PAGE, b"<Status>ok</Status>")  # what is no XML, botocore takes for a failure of S3
ASKED: dict[tuple[str, str], tuple[dict[str, str], tuple[bytes, ...]]] = {
    # A page without rows has an empty list of them.
    ("dynamodb", "Scan"): (
        {"TableName": "t"},
        (*JSON, b"{}", b'{"Count": 0}', b'{"Items": [5]}', b'{"Items": [{"a": 5}]}',
         b'{"Items":[{"a":{"X":{"S":"x"}}}]}'),
    ),
    ("logs", "FilterLogEvents"): ({"logGroupName": "g"}, JSON),
    ("sqs", "GetQueueAttributes"): ({"QueueUrl": "https://q/1/q"}, JSON),
    ("lambda", "ListEventSourceMappings"): ({}, JSON),
    ("s3", "ListObjectsV2"): ({"Bucket": "raw"}, XML),
    ("s3", "GetBucketVersioning"): ({"Bucket": "raw"}, XML),
}  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "asked", "body"),
    [(*names, asked, body) for names, (asked, bodies) in ASKED.items() for body in bodies],
)
def test_what_has_no_content_or_is_of_another_question_is_no_empty_answer(
    service, operation, asked, body
):
    with pytest.raises(AccessError, match="what answers there is not AWS") as raised:
        answering(service, body).call(service, operation, **asked)
    assert raised.value.kind == "unreachable"


def test_an_answer_without_a_member_is_one_where_aws_gives_such():
    told = answering("lambda", b"{}").call("lambda", "GetFunctionConcurrency", FunctionName="f")
    assert "ReservedConcurrentExecutions" not in told
    plain = b'<?xml version="1.0"?>\n<VersioningConfiguration xmlns="http://s3"/>'
    said_before = b"\xef\xbb\xbf<!-- by a gateway -->" + plain.split(b"\n")[1]
    assert "Status" not in answering("s3", said_before).call(
        "s3", "GetBucketVersioning", Bucket="raw"
    )
    page = answering("dynamodb", b'{"Count": 0, "Items": []}').call(
        "dynamodb", "Scan", TableName="t"
    )
    assert page["Items"] == []
    assert "Status" not in answering("s3", plain).call("s3", "GetBucketVersioning", Bucket="raw")
