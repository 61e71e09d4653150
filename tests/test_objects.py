"""Objects of a real HTTP server, by both clients: they name and read the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore import httpsession
from moto.server import ThreadedMotoServer
from obstore.auth import boto3 as boto3_auth

from investigate.aws import Listed, Objects, RequestLimits, connect
from investigate.errors import AccessError, UsageError

BUCKET = "raw"
PLAIN = tuple(f"raw/source=web/hour=0{hour}/event_id={hour}.json" for hour in range(4))
ODD = (
    "raw/source=a//b/empty-segment.json",
    "raw/source=./dot.json",
    "raw/source=../two-dots.json",
    "raw/source=a%2Fb/percent.json",
    "raw/source=a b+c&d?e#f/signs.json",
    "raw/source=größe/ümläut.json",
    "raw/source=\U0001f642/smile.json",
    "raw/a-folder/",
    "raw/source=web/hour=00/",
    "raw/./dot.json",
    "raw/x/../y.json",
    "raw//z.json",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    served = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    yield f"http://{host}:{port}"
    served.stop()


@pytest.fixture
def s3(server: str) -> Iterator[Any]:
    client = boto3.client("s3", endpoint_url=server, region_name="eu-west-1")
    client.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    yield client
    _emptied(client)
    client.delete_bucket(Bucket=BUCKET)
    client.close()


def _emptied(client: Any) -> None:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for entry in page.get("Versions", []) + page.get("DeleteMarkers", []):
            client.delete_object(Bucket=BUCKET, Key=entry["Key"], VersionId=entry["VersionId"])


def put(s3: Any, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())


def objects(server: str, client: str = "obstore", **limits: int) -> Objects:
    connection = connect(endpoint_url=server, region="eu-west-1", objects=client,
                         limits=RequestLimits(**limits))  # fmt: skip
    return connection.objects(BUCKET)


def listed(found: Objects, prefix: str = "raw/", after: str = "") -> list[Listed]:
    return [entry for page in found.listing(prefix, after) for entry in page]


def sent(found: Objects) -> dict[str, int]:
    requests: dict[str, int] = found._connection.meter.snapshot()["requests"]
    return requests


def by_bytes(keys: tuple[str, ...]) -> list[str]:
    return sorted(keys, key=str.encode)


def test_plain_keys_are_listed_and_read_without_botocore(server, s3):
    put(s3, *PLAIN)
    found = objects(server)
    entries = listed(found)
    assert [entry.key for entry in entries] == list(PLAIN)
    bodies = list(found.read_all(entries))
    assert [body.data.decode() for body in bodies] == list(PLAIN)
    assert [body.etag for body in bodies] == [entry.etag for entry in entries]
    assert sent(found) == {"s3:ListObjectsV2": 1, "s3:GetObject": len(PLAIN)}


@pytest.mark.parametrize("key", ODD)
def test_an_odd_key_is_listed_and_read_as_it_is(server, s3, key):
    put(s3, PLAIN[0], key, PLAIN[1])
    found = objects(server)
    entries = listed(found)
    assert [entry.key for entry in entries] == by_bytes((PLAIN[0], key, PLAIN[1]))
    for entry, body in zip(entries, found.read_all(entries), strict=True):
        assert not isinstance(body, AccessError), entry.key
        assert body.data.decode() == entry.key


@pytest.mark.parametrize("after", ["", PLAIN[1], "raw/source=a%2Fb/percent.json"])
def test_both_clients_list_the_same_objects(server, s3, after):
    put(s3, *PLAIN, *ODD)
    fast, slow = (
        listed(objects(server, client), after=after) for client in ("obstore", "botocore")
    )
    assert fast == slow
    assert [entry.key for entry in fast] == [
        key for key in by_bytes((*PLAIN, *ODD)) if key.encode() > after.encode()
    ]


@pytest.mark.parametrize("client", ["obstore", "botocore"])
def test_an_object_that_is_gone_is_an_error_in_its_place(server, s3, client):
    put(s3, *PLAIN)
    found = objects(server, client)
    entries = listed(found)
    s3.delete_object(Bucket=BUCKET, Key=PLAIN[1])
    first, gone, *others = found.read_all(entries)
    assert isinstance(gone, AccessError)
    assert (gone.kind, gone.code) == ("not-found", "NoSuchKey")
    assert not any(isinstance(body, AccessError) for body in (first, *others))


@pytest.mark.parametrize("client", ["obstore", "botocore"])
def test_a_version_is_read_as_it_was(server, s3, client):
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=BUCKET, Key="raw/k", Body=text)["VersionId"] for text in
                (b"old", b"newer")]  # fmt: skip
    entries = [Listed("raw/k", size, None, None, version)
               for size, version in zip((3, 5), versions, strict=True)]  # fmt: skip
    bodies = list(objects(server, client).read_all(entries))
    assert [not isinstance(body, AccessError) and body.data for body in bodies] == [
        b"old",
        b"newer",
    ]


def test_a_prefix_that_is_no_folder_is_listed_by_its_letters(server, s3):
    put(s3, "raw/ab", "raw/abc/d", "raw/b")
    assert [entry.key for entry in listed(objects(server), "raw/ab")] == ["raw/ab", "raw/abc/d"]


def test_a_level_has_its_prefixes_and_its_objects(server, s3):
    put(s3, "raw/a/x", "raw/b//y", "raw/c", "raw//z")
    below, here = objects(server).level("raw/")
    assert (below, [entry.key for entry in here]) == (["raw//", "raw/a/", "raw/b/"], ["raw/c"])


def test_a_limit_of_requests_stops_the_reading(server, s3):
    put(s3, *PLAIN)
    found = objects(server, requests=2)
    found._connection.meter.start_from({})
    entries = listed(found)
    list(found.read_all(entries[:1]))
    with pytest.raises(UsageError, match="--max-requests"):
        list(found.read_all(entries))


def test_a_bucket_that_is_not_there_is_said_so(server, s3):
    found = connect(endpoint_url=server, region="eu-west-1").objects("another")
    with pytest.raises(AccessError) as raised:
        list(found.listing("raw/"))
    assert raised.value.code == "NoSuchBucket"


HOSTILE = {
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_REQUEST_PAYER": "junk",
    "AWS_S3_EXPRESS": "true",
    "AWS_UNSIGNED_PAYLOAD": "junk",
    "AWS_DISABLE_TAGGING": "junk",
    "AWS_DISABLE_BULK_DELETE": "junk",
    "AWS_ENDPOINT": "http://127.0.0.1:9",
    "AWS_BUCKET": "another",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_environment_sends_no_request_elsewhere_and_changes_none(server, s3, monkeypatch, name):
    put(s3, *PLAIN)
    monkeypatch.setenv(name, HOSTILE[name])
    found = objects(server)
    entries = listed(found)
    bodies = list(found.read_all(entries))
    assert [body.data.decode() for body in bodies] == list(PLAIN)
    # No second opinion was needed.
    assert sent(found) == {"s3:ListObjectsV2": 1, "s3:GetObject": len(PLAIN)}


def test_what_obstore_does_not_understand_in_the_environment_leaves_botocore(
    server, s3, monkeypatch
):
    put(s3, *PLAIN)
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", "junk")
    found = objects(server)
    assert found._store is None
    assert [body.data.decode() for body in found.read_all(listed(found))] == list(PLAIN)


@pytest.mark.parametrize("key", ["raw/z/", "/raw/z"])
def test_a_key_with_a_slash_at_an_end_is_not_read_as_the_one_without(server, s3, key):
    put(s3, "raw/z", key)
    entries = {one["Key"]: Listed(one["Key"], one["Size"], one["LastModified"], one["ETag"][1:-1])
               for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}  # fmt: skip
    (body,) = objects(server).read_all([entries[key]])
    assert (body.data.decode(), body.key) == (key, key)


def test_a_key_that_lost_its_slash_in_the_listing_is_found_under_its_own(server, s3):
    put(s3, "raw/x.json/", "raw/y.json")
    found = objects(server)
    entries = listed(found)
    assert [entry.key for entry in entries] == ["raw/x.json", "raw/y.json"]
    bodies = list(found.read_all(entries))
    assert [body.key for body in bodies] == ["raw/x.json/", "raw/y.json"]
    assert bodies[0].data == b"raw/x.json/"


def test_another_object_than_the_listed_one_is_read_by_botocore(server, s3):
    put(s3, *PLAIN)
    found = objects(server)
    entries = listed(found)
    s3.put_object(Bucket=BUCKET, Key=PLAIN[0], Body=b"again")
    first, *_ = found.read_all(entries)
    assert first.data == b"again"
    assert sent(found)["s3:GetObject"] == len(PLAIN) + 1


@pytest.mark.parametrize("client", ["obstore", "botocore"])
def test_what_was_not_listed_is_read_up_to_a_size(server, s3, client):
    put(s3, "raw/four")
    unlisted = [Listed("raw/four", 0, None, None)]
    (body,) = objects(server, client).read_all(unlisted, largest=8)
    assert body.data == b"raw/four"
    (refused,) = objects(server, client).read_all(unlisted, largest=7)
    assert (refused.kind, refused.code) == ("failed", "8 bytes")


def test_obstore_is_dropped_after_failures_that_botocore_has_answers_for(server, s3, monkeypatch):
    keys = [f"raw/{number}.json" for number in range(8)]
    put(s3, *keys)
    found = objects(server)
    entries = listed(found)
    tried = []
    monkeypatch.setattr(found, "_read_fast", lambda store, entry: tried.append(entry))
    assert [body.data.decode() for body in found.read_all(entries)] == keys
    assert tried == entries[:5]


def test_objects_that_are_gone_are_no_reason_to_drop_obstore(server, s3):
    keys = [f"raw/{number}.json" for number in range(8)]
    put(s3, *keys)
    found = objects(server)
    entries = listed(found)
    _emptied(s3)
    assert {error.code for error in found.read_all(entries)} == {"NoSuchKey"}
    assert found._store is not None


def test_a_stopped_reading_ends_with_the_object_that_is_being_read(server, s3):
    put(s3, *PLAIN)
    found = objects(server)
    reading = found.read_all(listed(found))
    next(reading)
    found._connection.meter.stop()
    with pytest.raises(KeyboardInterrupt):
        next(reading)


def test_a_limit_of_requests_stops_the_reading_in_the_middle(server, s3):
    put(s3, *PLAIN)
    found = objects(server, requests=3)
    found._connection.meter.start_from({})
    reading = found.read_all(listed(found))
    assert [next(reading).key, next(reading).key] == list(PLAIN[:2])
    with pytest.raises(UsageError, match="--max-requests"):
        next(reading)


def test_an_empty_list_is_a_request_too_and_is_asked_for_twice(server, s3):
    """obstore takes any XML for an empty page; botocore says whether it was S3's."""
    found = objects(server)
    assert listed(found) == []
    assert sent(found) == {"s3:ListObjectsV2": 2}


@pytest.mark.parametrize("how", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "profile"])
def test_certificates_of_ones_own_leave_botocore_over_https(monkeypatch, tmp_path, how):
    bundle = httpsession.where()
    if how == "profile":
        config = tmp_path / "config"
        config.write_text(f"[default]\nca_bundle = {bundle}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    else:
        monkeypatch.setenv(how, bundle)
    for scheme, fast in (("https", False), ("http", True)):
        found = connect(region="eu-west-1", endpoint_url=f"{scheme}://127.0.0.1:9").objects(BUCKET)
        assert (found._store is not None) == fast


def test_renewed_credentials_are_looked_for_every_five_minutes(monkeypatch):
    asked = []

    class Provider(boto3_auth.Boto3CredentialProvider):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            asked.append(self.ttl)

    monkeypatch.setattr(boto3_auth, "Boto3CredentialProvider", Provider)
    connect(region="eu-west-1", endpoint_url="http://127.0.0.1:9").objects(BUCKET)
    assert asked == [timedelta(minutes=5)]
