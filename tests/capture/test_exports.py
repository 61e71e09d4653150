from __future__ import annotations

import gzip
import json
import tracemalloc
from base64 import b64encode
from datetime import UTC, datetime

import boto3
import pytest
from botocore.parsers import create_parser

from investigate.capture.exports import Export
from investigate.capture.values import plain
from investigate.errors import AccessError, SettingsError
from tests.capture.delivered import (
    BUCKET,
    EXPORT_ID,
    TABLE_ARN,
    Objects,
    base64_md5,
    hex_md5,
    item_lines,
)
from tests.capture.delivered import export as put_export

ROOT = f"AWSDynamoDB/{EXPORT_ID}"
FOLDER = f"2026-Mar/{ROOT}"
U1 = {"PK": {"S": "ENTITY#u1"}, "SK": {"S": "TS#2026-03-10T12:00:00Z#EVT#e1"}, "n": {"N": "1"}}
U2 = {"PK": {"S": "ENTITY#u2"}, "SK": {"S": "TS#2026-03-10T13:00:00Z#EVT#e2"}, "ok": {"BOOL": True}}
EVERY_TYPE = {
    "s": {"S": "text \u2028 é \ud83d\ude00"},
    "n": {"N": "12345678901234567890.5"},
    "b": {"B": b64encode(b"\x00\xff").decode()},
    "bool": {"BOOL": False},
    "null": {"NULL": True},
    "m": {"M": {"B": {"S": "a name, not a type"}, "deep": {"B": b64encode(b"deep").decode()}}},
    "l": {"L": [{"N": "1"}, {"B": ""}, {"L": []}]},
    "ss": {"SS": ["b", "a"]},
    "ns": {"NS": ["10", "2"]},
    "bs": {"BS": [b64encode(b"y").decode(), b64encode(b"x").decode()]},
}


def items_of(export):
    return [item for file in export.files for item in export.items(file)]


def read_back(objects, url):
    return items_of(Export.open(url, objects.read))


def refused(objects, url, error=AccessError, **options):
    with pytest.raises(error) as caught:
        read_back(objects, url) if not options else Export.open(url, objects.read, **options)
    return caught.value


def reseal(objects, key, body):
    """Put a manifest with a checksum that fits it."""
    objects[key] = body
    objects[key.replace(".json", ".md5")] = base64_md5(body).encode()


# The manifests


def test_an_export_says_of_which_table_and_time_it_is():
    objects = Objects()
    export = Export.open(put_export(objects, item_lines(U1), item_lines(U2)), objects.read)
    assert export.table_arn == TABLE_ARN
    assert export.export_time == datetime(2026, 3, 13, 1, tzinfo=UTC)
    assert export.item_count == 2
    assert [file.item_count for file in export.files] == [1, 1]
    assert [file.md5 for file in export.files] == [base64_md5(objects[f.key]) for f in export.files]


@pytest.mark.parametrize("ending", ["", "/", "/manifest-summary.json"])
def test_the_url_is_the_folder_of_the_export_or_its_summary(ending):
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    assert read_back(objects, url + ending) == [U1]


def test_opening_reads_the_two_manifests_and_their_checksums_only():
    objects = Objects()
    Export.open(put_export(objects, item_lines(U1)), objects.read)
    stems = [f"{FOLDER}/manifest-summary", f"{FOLDER}/manifest-files"]
    assert objects.reads == [f"{stem}.{kind}" for stem in stems for kind in ("json", "md5")]


def test_each_data_file_is_read_when_it_is_asked_for():
    objects = Objects()
    export = Export.open(put_export(objects, item_lines(U1), item_lines(U2)), objects.read)
    objects.reads.clear()
    assert list(export.items(export.files[1])) == [U2]
    assert objects.reads == [export.files[1].key]


@pytest.mark.parametrize("prefix", ["", "2026-Mar", "exports/prod/2026"])
@pytest.mark.parametrize("stated_prefix", [True, False])
@pytest.mark.parametrize("checksums", ["md5", "checksum"])
def test_every_convention_of_keys_and_checksums_is_read(prefix, stated_prefix, checksums):
    objects = Objects()
    url = put_export(
        objects, item_lines(U1), prefix=prefix, stated_prefix=stated_prefix, checksums=checksums
    )
    assert read_back(objects, url) == [U1]


@pytest.mark.parametrize("checksums", ["md5", "checksum"])
def test_a_reader_that_may_not_list_reads_every_convention_too(checksums):
    objects = Objects(can_list=False)
    assert read_back(objects, put_export(objects, item_lines(U1), checksums=checksums)) == [U1]


def test_a_checksum_in_hexadecimal_digits_is_taken_as_well():
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    for stem in ("manifest-summary", "manifest-files"):
        body = objects[f"{FOLDER}/{stem}.json"]
        objects[f"{FOLDER}/{stem}.md5"] = hex_md5(body).encode() + b"\n"
    assert read_back(objects, url) == [U1]


@pytest.mark.parametrize("target", ["copies/of/march", "", f"elsewhere/{ROOT}"])
def test_an_export_that_was_copied_to_another_folder_is_read_there(target):
    objects, copied = Objects(), Objects()
    put_export(objects, item_lines(U1))
    for key, body in objects.items():
        copied[f"{target}/{key.removeprefix(FOLDER + '/')}".lstrip("/")] = body
    url = f"s3://{BUCKET}/{target}/manifest-summary.json".replace("//manifest", "/manifest")
    assert read_back(copied, url) == [U1]


def test_the_example_of_the_developer_guide_is_understood():
    objects = Objects()
    root = "2020-Nov/AWSDynamoDB/01234567890123-a1b2c3d4"
    reseal(objects, f"{root}/manifest-summary.json", b"""{
   "version": "2020-06-30",
   "exportArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog/export/01234567890123-a1b2c3d4",
   "startTime": "2020-11-04T07:28:34.028Z",
   "endTime": "2020-11-04T07:33:43.897Z",
   "tableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/ProductCatalog",
   "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
   "exportTime": "2020-11-04T07:28:34.028Z",
   "s3Bucket": "ddb-productcatalog-export",
   "s3Prefix": "2020-Nov",
   "s3SseAlgorithm": "AES256",
   "s3SseKmsKeyId": null,
   "manifestFilesS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/manifest-files.json",
   "billedSizeBytes": 0,
   "itemCount": 8,
   "outputFormat": "DYNAMODB_JSON"
}""")  # fmt: skip # noqa: E501
    reseal(objects, f"{root}/manifest-files.json", b"""{"itemCount": 8,"md5Checksum": "sQMSpEILNgoQmarvDFonGQ==","etag": "af83d6f217c19b8b0fff8023d8ca4716-1","dataFileS3Key": "AWSDynamoDB/01234567890123-a1b2c3d4/data/sxrwgoi5ya2uhkvcxltv3ys4hu.json.gz"}
""")  # fmt: skip # noqa: E501
    export = Export.open(f"s3://{BUCKET}/{root}", objects.read, table="ProductCatalog")
    assert export.export_time == datetime(2020, 11, 4, 7, 28, 34, 28_000, tzinfo=UTC)
    (file,) = export.files
    assert (file.key, file.item_count) == (f"{root}/data/sxrwgoi5ya2uhkvcxltv3ys4hu.json.gz", 8)


@pytest.mark.parametrize(
    "wanted",
    [{}, {"table": "orders-events"}, {"region": "eu-west-1"}, {"account": "123456789012"}],
)
def test_an_export_of_what_is_wanted_is_opened_and_none_wanted_is_any(wanted):
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    assert Export.open(url, objects.read, **wanted).table_arn == TABLE_ARN


@pytest.mark.parametrize(
    ("wanted", "both"),
    [
        ({"region": "us-east-1"}, "in region eu-west-1, and the capture is of region us-east-1"),
        (
            {"account": "999999999999"},
            "in account 123456789012, and the capture is of account 999999999999",
        ),
    ],
)
def test_a_table_of_the_same_name_elsewhere_is_another_table(wanted, both):
    objects = Objects()
    error = refused(objects, put_export(objects), SettingsError, table="orders-events", **wanted)
    assert f"'orders-events' {both}" in error.message
    assert "name an export of that table" in error.hint


@pytest.mark.parametrize("arn", ["orders-events", "arn:aws:s3:::orders-events"])
def test_a_summary_with_the_arn_of_no_table_is_refused(arn):
    objects = Objects()
    error = refused(objects, put_export(objects, item_lines(U1), tableArn=arn))
    assert (error.code, "tableArn" in error.message) == ("UnreadableReport", True)


@pytest.mark.parametrize("table", ["orders-dedupe", "orders", "events"])
def test_an_export_of_another_table_is_refused_with_both_names(table):
    objects = Objects()
    error = refused(objects, put_export(objects), SettingsError, table=table)
    assert "'orders-events'" in error.message
    assert f"'{table}'" in error.message
    assert error.hint


def test_an_incremental_export_is_refused_with_one_clear_message():
    objects = Objects()
    url = put_export(
        objects,
        exportType="INCREMENTAL_EXPORT",
        exportTime=None,
        exportFromTime="2026-03-12T01:00:00.000Z",
        exportToTime="2026-03-13T01:00:00.000Z",
        outputView="NEW_AND_OLD_IMAGES",
    )
    error = refused(objects, url, SettingsError)
    assert "INCREMENTAL_EXPORT: changes alone are no picture of the table" in error.message
    assert "FULL_EXPORT" in error.hint
    assert not any("manifest-files" in key for key in objects.reads)


def test_an_export_in_ion_is_refused_and_says_how_to_export_again():
    objects = Objects()
    error = refused(objects, put_export(objects, outputFormat="ION"), SettingsError)
    assert "ION" in error.message
    assert "--export-format DYNAMODB_JSON" in error.hint


def test_an_older_summary_does_not_say_that_it_is_full():
    objects = Objects()
    assert read_back(objects, put_export(objects, item_lines(U1), exportType=None)) == [U1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "orders-exports/AWSDynamoDB/01773363600000-6de2c037",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/t/export/01773363600000-6de2c037",
        "s3://exports",
        "s3://exports/",
        "s3://exports/2026-Mar/AWSDynamoDB/",
        "s3://exports/AWSDynamoDB/01773363600000-6de2c037/data/",
        "s3://exports/AWSDynamoDB/01773363600000-6de2c037/_started",
        "s3://exports/AWSDynamoDB/01773363600000-6de2c037/manifest-files.json",
        "s3://exports/AWSDynamoDB/01773363600000-6de2c037/manifest-summary.md5",
        "s3://exports/AWSDynamoDB/01773363600000-6de2c037/data/a.json.gz",
    ],
)
def test_a_url_that_names_no_export_is_refused_before_anything_is_read(url):
    objects = Objects()
    error = refused(objects, url, SettingsError)
    assert "manifest-summary.json" in error.hint
    assert objects.reads == []


def test_a_summary_that_is_not_there_means_an_export_that_is_not_complete():
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    del objects[f"{FOLDER}/manifest-summary.json"]
    error = refused(objects, url)
    assert (error.kind, error.code) == ("not-found", "NoSuchKey")
    assert f"s3://evidence/{FOLDER}/manifest-summary.json is not there" in error.message
    assert "not complete" in error.message


def test_a_list_of_files_that_is_not_there_means_the_same():
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    del objects[f"{FOLDER}/manifest-files.json"]
    assert "manifest-files.json is not there" in refused(objects, url).message


@pytest.mark.parametrize("stem", ["manifest-summary", "manifest-files"])
def test_a_manifest_without_a_checksum_of_either_name_is_not_believed(stem):
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    del objects[f"{FOLDER}/{stem}.md5"]
    error = refused(objects, url)
    assert error.kind == "not-found"
    assert f"{stem}.md5 is not there, nor {stem}.checksum" in error.message


def test_a_missing_checksum_is_denied_to_a_reader_that_may_not_list():
    objects = Objects(can_list=False)
    url = put_export(objects, item_lines(U1))
    del objects[f"{FOLDER}/manifest-files.md5"]
    assert refused(objects, url).kind == "denied"


def test_another_failure_at_a_checksum_is_not_taken_for_its_absence():
    objects = Objects()
    url = put_export(objects, item_lines(U1))

    def read(bucket, key):
        if key.endswith(".md5"):
            raise AccessError("expired", kind="expired", code="ExpiredToken")
        return objects.read(bucket, key)

    with pytest.raises(AccessError) as caught:
        Export.open(url, read)
    assert caught.value.kind == "expired"


@pytest.mark.parametrize("stem", ["manifest-summary", "manifest-files"])
def test_a_manifest_that_was_changed_is_refused(stem):
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    objects[f"{FOLDER}/{stem}.json"] += b" "
    error = refused(objects, url)
    assert (error.kind, error.code) == ("failed", "ChecksumMismatch")
    assert f"{stem}.json" in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exportArn", None),
        ("tableArn", None),
        ("exportTime", None),
        ("exportTime", "yesterday"),
        ("itemCount", "1"),
        ("itemCount", True),
        ("outputFormat", None),
        ("manifestFilesS3Key", None),
    ],
)
def test_a_summary_without_what_is_needed_says_what_is_wrong(name, value):
    objects = Objects()
    error = refused(objects, put_export(objects, item_lines(U1), **{name: value}))
    assert error.code == "UnreadableReport"
    assert name in error.message


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{",
        b'{"itemCount":1,"md5Checksum":"x"}',
        b'{"itemCount":"1","md5Checksum":"x","dataFileS3Key":"y"}',
        b'{"itemCount":1,"dataFileS3Key":"y"}',
    ],
)
def test_a_list_of_files_that_makes_no_sense_is_refused(line):
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    reseal(objects, f"{FOLDER}/manifest-files.json", line)
    error = refused(objects, url)
    assert error.code == "UnreadableReport"
    assert "manifest-files.json" in error.message


def test_files_that_do_not_add_up_to_the_summary_are_refused():
    objects = Objects()
    error = refused(objects, put_export(objects, item_lines(U1), itemCount=2))
    assert error.code == "CountMismatch"
    assert "1 items" in error.message
    assert "2" in error.message


# The items


def test_the_partitions_without_items_have_empty_files():
    objects = Objects()
    empty = gzip.compress(b"", mtime=0)
    url = put_export(objects, item_lines(U1), b"", empty, items=(1, 0, 0))
    assert read_back(objects, url) == [U1]


def test_an_export_of_an_empty_table_has_no_items():
    objects = Objects()
    export = Export.open(put_export(objects, gzip.compress(b"", mtime=0)), objects.read)
    assert (export.item_count, items_of(export)) == (0, [])


def test_items_come_as_boto3_hands_them_out():
    objects = Objects()
    (item,) = read_back(objects, put_export(objects, item_lines(EVERY_TYPE)))
    client = boto3.client("dynamodb", region_name="eu-west-1")
    shape = client.meta.service_model.operation_model("GetItem").output_shape
    answer = {"body": json.dumps({"Item": EVERY_TYPE}).encode(), "headers": {}, "status_code": 200}
    assert item == create_parser("json").parse(answer, shape)["Item"]


def test_every_type_of_value_becomes_the_json_a_scan_gives():
    objects = Objects()
    (item,) = read_back(objects, put_export(objects, item_lines(EVERY_TYPE)))
    assert {name: plain(value) for name, value in item.items()} == {
        "s": "text \u2028 é 😀",
        "n": "12345678901234567890.5",
        "b": "AP8=",
        "bool": False,
        "null": None,
        "m": {"B": "a name, not a type", "deep": "ZGVlcA=="},
        "l": [1, "", []],
        "ss": ["a", "b"],
        "ns": [2, 10],
        "bs": ["eA==", "eQ=="],
    }


def test_a_text_that_looks_like_a_type_stays_as_it_is():
    objects = Objects()
    item = {"note": {"S": '{"B":"AP8="}'}, "B": {"S": "AP8="}, "BS": {"N": "1"}}
    assert read_back(objects, put_export(objects, item_lines(item))) == [item]


def test_lines_end_at_line_feeds_only_and_need_none_at_the_end():
    objects = Objects()
    item = {"PK": {"S": "a\u2028b\u0085c"}}
    lines = "\n".join(json.dumps({"Item": one}, ensure_ascii=False) for one in (item, U1))
    assert read_back(objects, put_export(objects, gzip.compress(lines.encode()), items=(2,))) == [
        item,
        U1,
    ]


def test_a_file_may_consist_of_several_gzip_members_or_be_uncompressed():
    first, second = (gzip.decompress(item_lines(item)) for item in (U1, U2))
    for body in (gzip.compress(first) + gzip.compress(second), first + second):
        objects = Objects()
        assert read_back(objects, put_export(objects, body, items=(2,))) == [U1, U2]


def test_the_same_file_gives_the_same_items_twice():
    objects = Objects()
    export = Export.open(put_export(objects, item_lines(U1, U2)), objects.read)
    (file,) = export.files
    assert list(export.items(file)) == list(export.items(file)) == [U1, U2]


def test_a_data_file_is_unpacked_line_by_line():
    objects = Objects()
    line = json.dumps({"Item": {**U1, "text": {"S": "x" * 1_000}}}).encode() + b"\n"
    export = Export.open(put_export(objects, gzip.compress(line * 20_000)), objects.read)
    tracemalloc.start()
    try:
        assert sum(1 for _ in export.items(export.files[0])) == 20_000  # 20 MB
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


# Contents that contradict the manifest


def test_a_data_file_with_one_other_byte_is_refused_before_an_item_is_given():
    objects = Objects()
    export = Export.open(put_export(objects, item_lines(U1)), objects.read)
    (file,) = export.files
    objects[file.key] = objects[file.key][:-1] + bytes([objects[file.key][-1] ^ 1])
    with pytest.raises(AccessError) as caught:
        export.items(file)
    assert caught.value.code == "ChecksumMismatch"
    assert file.key in caught.value.message


def test_a_data_file_with_another_count_is_refused_before_an_item_is_given():
    objects = Objects()
    export = Export.open(put_export(objects, item_lines(U1), items=(2,)), objects.read)
    with pytest.raises(AccessError, match="has 1 items, but its manifest states 2") as caught:
        export.items(export.files[0])
    assert caught.value.code == "CountMismatch"


def test_a_data_file_that_is_gone_is_named():
    objects = Objects()
    url = put_export(objects, item_lines(U1))
    del objects[next(key for key in objects if "/data/" in key)]
    error = refused(objects, url)
    assert (error.kind, error.code) == ("not-found", "NoSuchKey")
    assert "/data/" in error.message


@pytest.mark.parametrize(
    "line",
    [
        b'{"Metadata":{"WriteTimestampMicros":{"N":"1"}},"Keys":{},"NewImage":{}}',
        b'{"Item":[]}',
        b'"Item"',
        b"{",
        b'{"Item":{"b":{"B":"no base64"}}}',
        b'{"Item":{"b":{"B":"AP8=","S":"two types"}}}',
        b'{"Item":{"b":{"B":1}}}',
        b'{"Item":{"b":"B","c":{"B":"AP8="}}}',
        b"\xff",
    ],
)
def test_a_line_that_is_no_item_is_refused(line):
    objects = Objects()
    url = put_export(objects, gzip.compress(line + b"\n"))
    assert refused(objects, url).code == "UnreadableReport"


@pytest.mark.parametrize("cut", [10, 20, -4])
def test_a_data_file_that_was_cut_off_is_refused(cut):
    objects = Objects()
    url = put_export(objects, item_lines(U1, U2)[:cut], items=(2,))
    assert refused(objects, url).code == "UnreadableReport"
