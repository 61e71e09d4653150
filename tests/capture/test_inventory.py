from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.capture import inventory_files
from investigate.capture.inventory import Inventory
from investigate.capture.inventory_files import ENTRIES
from investigate.errors import AccessError, SettingsError
from tests.capture.delivered import BUCKET, FIELDS, Objects, csv_text, data_file, hex_md5
from tests.capture.delivered import inventory as put_inventory

FORMATS = ("CSV", "ORC", "Parquet")
EVERYTHING = tuple(FIELDS)
CURRENT = ("bucket", "key", "size", "last_modified_date", "e_tag")
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
EVENING = datetime(2026, 3, 10, 20, tzinfo=UTC)
MD5 = "627c47efe292876b91978324485cd2ec"


def row(key, size=1511, **columns):
    return {
        "bucket": "orders-raw",
        "key": key,
        "version_id": "nuYD8l5blCvLV3DbAiN1IXuwo7aF3F98",
        "is_latest": True,
        "is_delete_marker": False,
        "size": size,
        "last_modified_date": NOON,
        "e_tag": MD5,
        "storage_class": "STANDARD",
        "is_multipart_uploaded": False,
        **columns,
    }


def deleted(key, **columns):
    absent = dict.fromkeys(("size", "e_tag", "storage_class", "is_multipart_uploaded"))
    return row(key, **{**absent, "is_delete_marker": True, **columns})


def entries_of(url, objects, prefix="raw/"):
    report = Inventory.open(url, objects.read)
    return [one for file in report.files for one in report.entries(file, prefix).to_pylist()]


def told(file_format, names, *rows, prefix="raw/"):
    objects = Objects()
    url = put_inventory(objects, file_format, names, data_file(file_format, names, list(rows)))
    return entries_of(url, objects, prefix)


def opened(objects, url):
    with pytest.raises(AccessError) as caught:
        Inventory.open(url, objects.read)
    return caught.value


def rewritten(objects, url, change):
    """Let the manifest say something else, with a checksum that fits it."""
    key = url.removeprefix(f"s3://{BUCKET}/")
    document = json.loads(objects[key])
    change(document)
    objects[key] = json.dumps(document).encode()
    objects[key.replace(".json", ".checksum")] = hex_md5(objects[key]).encode()


# The manifest


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_manifest_says_what_was_listed_when_and_in_which_files(file_format):
    objects = Objects()
    files = [data_file(file_format, EVERYTHING, [row(key)]) for key in ("raw/a", "raw/b")]
    url = put_inventory(objects, file_format, EVERYTHING, *files)
    report = Inventory.open(url, objects.read, bucket="orders-raw")
    assert report.source_bucket == "orders-raw"
    assert report.created == datetime(2026, 3, 13, 1, tzinfo=UTC)
    assert str(report.place) == url
    assert [file.size for file in report.files] == [len(body) for body in files]
    assert [file.md5 for file in report.files] == [hex_md5(body) for body in files]
    assert [objects[file.key] for file in report.files] == files
    assert "version_id" in report.columns


def test_opening_reads_the_manifest_and_its_checksum_only():
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT, data_file("CSV", CURRENT, [row("raw/a")]))
    Inventory.open(url, objects.read)
    folder = "inventory/orders-raw/all/2026-03-13T01-00Z"
    assert objects.reads == [f"{folder}/manifest.json", f"{folder}/manifest.checksum"]


def test_each_data_file_is_read_when_it_is_asked_for():
    objects = Objects()
    bodies = [data_file("CSV", CURRENT, [row(f"raw/{name}")]) for name in "ab"]
    report = Inventory.open(put_inventory(objects, "CSV", CURRENT, *bodies), objects.read)
    objects.reads.clear()
    report.entries(report.files[1], "raw/")
    assert objects.reads == [report.files[1].key]


def test_the_manifest_of_the_user_guide_is_understood():
    objects = Objects()
    manifest = """{
    "sourceBucket": "example-source-bucket",
    "destinationBucket": "arn:aws:s3:::example-inventory-destination-bucket",
    "version": "2016-11-30",
    "creationTimestamp" : "1514944800000",
    "fileFormat": "CSV",
    "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus, IntelligentTieringAccessTier, BucketKeyStatus, ChecksumAlgorithm, ObjectAccessControlList, ObjectOwner",
    "files": [
        {
            "key": "Inventory/example-source-bucket/2016-11-06T21-32Z/files/939c6d46-85a9-4ba8-87bd-9db705a579ce.csv.gz",
            "size": 2147483647,
            "MD5checksum": "f11166069f1990abeb9c97ace9cdfabc"
        }
    ]
}
"""  # noqa: E501
    objects["i/manifest.json"] = manifest.encode()
    objects["i/manifest.checksum"] = (hex_md5(manifest.encode()) + "\n").encode()
    report = Inventory.open(f"s3://{BUCKET}/i/manifest.json", objects.read)
    assert report.source_bucket == "example-source-bucket"
    assert report.created == datetime(2018, 1, 3, 2, tzinfo=UTC)
    assert report.columns[:8] == ("Bucket", *ENTRIES.names)[:8]
    assert report.files[0].size == 2147483647


@pytest.mark.parametrize(
    "schema",
    [
        "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); "
        "optional int64 size; optional int64 last_modified_date (TIMESTAMP_MILLIS); "
        "optional binary e_tag (UTF8); }",
        "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);"
        "  optional int64 size;  optional int64 last_modified_date (TIMESTAMP(MILLIS,true));"
        "  optional binary e_tag (STRING);}",
    ],
)
def test_both_spellings_of_a_parquet_schema_are_understood(schema):
    objects = Objects()
    url = put_inventory(objects, "Parquet", CURRENT, fileSchema=schema)
    columns = Inventory.open(url, objects.read).columns
    assert columns == ("bucket", "key", "size", "last_modified", "etag")


def test_the_checksum_stands_in_hexadecimal_digits_of_either_case():
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT)
    key = "inventory/orders-raw/all/2026-03-13T01-00Z/manifest.checksum"
    objects[key] = objects[key].upper() + b"\n"
    assert Inventory.open(url, objects.read).files == ()


def test_a_report_of_an_empty_bucket_has_no_files():
    objects = Objects()
    assert entries_of(put_inventory(objects, "CSV", CURRENT), objects) == []


@pytest.mark.parametrize(
    "url",
    [
        "orders-inventory/manifest.json",
        "https://s3.amazonaws.com/orders-inventory/manifest.json",
        "s3://orders-inventory",
        "s3://orders-inventory/",
        "s3:///manifest.json",
        "s3://orders-inventory/all/2026-03-13T01-00Z/",
        "s3://orders-inventory/all/hive/dt=2026-03-13-01-00/symlink.txt",
        "s3://orders-inventory/all/2026-03-13T01-00Z/manifest.checksum",
        "s3://orders-inventory/all/data/939c6d46.csv.gz",
        "",
    ],
)
def test_a_url_that_names_no_manifest_is_refused_before_anything_is_read(url):
    objects = Objects()
    with pytest.raises(SettingsError, match=r"manifest\.json"):
        Inventory.open(url, objects.read)
    assert objects.reads == []


def test_a_report_of_another_bucket_is_refused_with_both_names():
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT)
    with pytest.raises(SettingsError, match="'orders-raw', but raw_bucket is 'orders-raw-2'"):
        Inventory.open(url, objects.read, bucket="orders-raw-2")


def test_a_manifest_that_is_not_there_may_still_be_written():
    error = opened(Objects(), f"s3://{BUCKET}/i/2026-03-13T01-00Z/manifest.json")
    assert (error.kind, error.code) == ("not-found", "NoSuchKey")
    assert "s3://evidence/i/2026-03-13T01-00Z/manifest.json is not there" in error.message
    assert "still being written" in error.message
    assert error.hint == "aws s3 ls s3://evidence/i/2026-03-13T01-00Z/"


def test_a_manifest_without_its_checksum_is_not_complete():
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT)
    del objects["inventory/orders-raw/all/2026-03-13T01-00Z/manifest.checksum"]
    error = opened(objects, url)
    assert error.kind == "not-found"
    assert "not complete" in error.message


def test_a_denied_report_is_denied_and_says_what_that_may_mean():
    objects = Objects(can_list=False)
    error = opened(objects, f"s3://{BUCKET}/i/manifest.json")
    assert error.kind == "denied"
    assert "AccessDenied" in error.message
    assert "s3:ListBucket" in error.hint


def test_a_bucket_that_does_not_exist_is_not_a_report_being_written():
    error = opened(Objects(), "s3://no-such-bucket/i/manifest.json")
    assert "NoSuchBucket" in error.message
    assert "being written" not in error.message


def test_a_manifest_that_was_changed_is_refused():
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT)
    key = url.removeprefix(f"s3://{BUCKET}/")
    objects[key] = objects[key].replace(b"orders-raw", b"orders-raw-2")
    error = opened(objects, url)
    assert (error.kind, error.code) == ("failed", "ChecksumMismatch")
    assert hex_md5(objects[key]) in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sourceBucket", None),
        ("creationTimestamp", None),
        ("creationTimestamp", "2026-03-13"),
        ("creationTimestamp", "9" * 18),
        ("fileFormat", 1),
        ("fileFormat", "JSON"),
        ("fileSchema", ["Bucket", "Key"]),
        ("files", None),
        ("files", {}),
        ("files", ["data.csv.gz"]),
        ("files", [{"key": "a", "size": True, "MD5checksum": "b"}]),
        ("files", [{"key": "a", "size": 1}]),
    ],
)
def test_a_manifest_without_what_is_needed_says_what_is_wrong(name, value):
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT, **{name: value})
    error = opened(objects, url)
    assert error.code == "UnreadableReport"
    assert url in error.message


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(text):
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT)
    key = url.removeprefix(f"s3://{BUCKET}/")
    objects[key] = text
    objects[key.replace(".json", ".checksum")] = hex_md5(text).encode()
    assert opened(objects, url).code == "UnreadableReport"


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(("lacking", "said"), [("size", "Size"), ("key", "Key")])
def test_a_report_without_keys_or_sizes_is_refused_before_its_files_are_read(
    file_format, lacking, said
):
    objects = Objects()
    names = tuple(name for name in CURRENT if name != lacking)
    url = put_inventory(objects, file_format, names)
    with pytest.raises(SettingsError, match=f"no column {said}"):
        Inventory.open(url, objects.read)


# The entries


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_entry_under_the_prefix_is_given_and_no_other(file_format):
    rows = [row("raw/a"), row("rawness"), row("other/raw/a"), row("raw/b", size=0), row("raw/")]
    keys = [one["key"] for one in told(file_format, EVERYTHING, *rows)]
    assert keys == ["raw/a", "raw/b", "raw/"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_entry_says_all_that_a_listing_of_versions_would(file_format):
    rows = [row("raw/a"), deleted("raw/b", version_id="t5w9"), row("raw/c", is_latest=False)]
    first, second, third = told(file_format, EVERYTHING, *rows)
    assert first == {
        "key": "raw/a",
        "version_id": "nuYD8l5blCvLV3DbAiN1IXuwo7aF3F98",
        "is_latest": True,
        "is_delete_marker": False,
        "size": 1511,
        "last_modified": NOON,
        "etag": MD5,
    }
    assert second["is_delete_marker"]
    assert (second["version_id"], second["size"], second["etag"]) == ("t5w9", None, None)
    assert second["last_modified"] == NOON
    assert not third["is_latest"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_etag_stands_without_quotes_as_in_a_listing(file_format):
    rows = [row("raw/a", e_tag=f'"{MD5}"'), row("raw/b", e_tag=f"{MD5}-12")]
    etags = [one["etag"] for one in told(file_format, CURRENT, *rows)]
    assert etags == [MD5, f"{MD5}-12"]


@pytest.mark.parametrize("absent", [None, ""])
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_version_from_before_versioning_is_called_null_as_s3_does(file_format, absent):
    rows = [row("raw/a", version_id=absent), row("raw/a", version_id="x", is_latest=False)]
    assert [one["version_id"] for one in told(file_format, EVERYTHING, *rows)] == ["null", "x"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_report_of_current_objects_has_no_versions_and_only_latest_objects(file_format):
    objects = Objects()
    url = put_inventory(
        objects, file_format, CURRENT, data_file(file_format, CURRENT, [row("raw/a")])
    )
    assert "version_id" not in Inventory.open(url, objects.read).columns
    (entry,) = entries_of(url, objects)
    assert (entry["version_id"], entry["is_latest"]) == (None, True)
    assert entry["is_delete_marker"] is False


@pytest.mark.parametrize("file_format", FORMATS)
def test_columns_that_were_not_configured_are_null(file_format):
    (entry,) = told(file_format, ("bucket", "key", "size"), row("raw/a"))
    assert (entry["last_modified"], entry["etag"]) == (None, None)
    assert entry["size"] == 1511


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_order_of_the_columns_is_that_of_the_manifest(file_format):
    names = tuple(reversed(EVERYTHING))
    rows = (row("raw/a"), deleted("raw/b"))
    assert told(file_format, names, *rows) == told(file_format, EVERYTHING, *rows)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row("other")],
        [row("raw/a", size=0), row("raw/a", size=2**40)],
        [row("raw/source=web/event_type=order.placed/a b+c%20d&e.json")],
        [row("raw/é/日本/😀"), row('raw/",\\'), row("raw/a\nb"), row("raw/%"), row("raw/%2B")],
        [row("raw/NULL", version_id="NULL"), row("raw/nan", e_tag="NA"), row("raw/ ", size=1)],
        [row("raw/a", e_tag='"' + MD5 + '"'), row("raw/b", e_tag=f"{MD5}-12")],
        [row("raw/a", last_modified_date=EVENING), deleted("raw/b"), row("raw/c", version_id=None)],
        [row(f"raw/{number:06d}", size=number) for number in range(3_000)],
    ],
)
@pytest.mark.parametrize("names", [EVERYTHING, CURRENT])
def test_all_formats_give_equal_tables(rows, names):
    if "is_delete_marker" not in names:
        rows = [one for one in rows if not one["is_delete_marker"]]
    tables = []
    for file_format in FORMATS:
        objects = Objects()
        body = data_file(file_format, names, rows)
        report = Inventory.open(put_inventory(objects, file_format, names, body), objects.read)
        tables.append(report.entries(report.files[0], "raw/"))
    first, *others = tables
    assert first.schema == ENTRIES
    assert all(other.equals(first) for other in others)
    assert first["key"].to_pylist() == [one["key"] for one in rows if one["key"].startswith("raw/")]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=20))
def test_keys_are_decoded_as_s3_encodes_them(keys):
    for encode in (quote_plus, quote):
        encoded = pa.chunked_array([pa.array([encode(key, safe="/") for key in keys], pa.string())])
        assert inventory_files._decoded(encoded).to_pylist() == keys


def test_a_decoded_percent_sign_is_not_the_start_of_an_escape():
    encoded = pa.chunked_array([["raw/%252B%2B", "raw/%253D=%3d%3D", "%25252525"]])
    assert inventory_files._decoded(encoded).to_pylist() == ["raw/%2B+", "raw/%3D===", "%252525"]


def test_the_keys_of_orc_and_parquet_are_taken_as_they_stand():
    for file_format in ("ORC", "Parquet"):
        assert told(file_format, CURRENT, row("raw/a%20b+c"))[0]["key"] == "raw/a%20b+c"


def test_a_csv_file_may_come_uncompressed_or_in_several_gzip_members():
    rows = [row("raw/a"), row("raw/b")]
    texts = [csv_text(CURRENT, [one]) for one in rows]
    plain, members = b"".join(texts), b"".join(map(gzip.compress, texts))
    for body in (plain, members):
        objects = Objects()
        url = put_inventory(objects, "CSV", CURRENT, body)
        assert [one["key"] for one in entries_of(url, objects)] == ["raw/a", "raw/b"]


@pytest.mark.parametrize("body", [b"", gzip.compress(b"", mtime=0)])
def test_an_empty_csv_file_lists_nothing(body):
    objects = Objects()
    report = Inventory.open(put_inventory(objects, "CSV", CURRENT, body), objects.read)
    table = report.entries(report.files[0], "raw/")
    assert (len(table), table.schema) == (0, ENTRIES)


def test_a_file_of_many_blocks_comes_piece_by_piece_and_whole(monkeypatch):
    monkeypatch.setattr(inventory_files, "_ROWS", 100)
    rows = [row(f"raw/{number:05d}") for number in range(1_000)]
    for file_format, least in (("Parquet", 10), ("CSV", 1), ("ORC", 1)):
        objects = Objects()
        body = data_file(file_format, CURRENT, rows)
        report = Inventory.open(put_inventory(objects, file_format, CURRENT, body), objects.read)
        pieces = list(report.batches(report.files[0], "raw/"))
        assert len(pieces) >= least
        assert pa.concat_tables(pieces)["key"].to_pylist() == [one["key"] for one in rows]


def test_an_older_parquet_file_with_times_without_zone_is_in_utc():
    schema = pa.schema([("key", pa.binary()), ("size", pa.int32()), ("last_modified_date", pa.timestamp("ms"))])  # fmt: skip # noqa: E501
    table = pa.table([[b"raw/a"], [1], [NOON.replace(tzinfo=None)]], schema=schema)
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    objects = Objects()
    body = sink.getvalue().to_pybytes()
    url = put_inventory(objects, "Parquet", ("key", "size", "last_modified_date"), body)
    (entry,) = entries_of(url, objects)
    assert (entry["key"], entry["size"], entry["last_modified"]) == ("raw/a", 1, NOON)


# Contents that contradict the manifest


def first_entries(objects, url):
    report = Inventory.open(url, objects.read)
    with pytest.raises(AccessError) as caught:
        report.entries(report.files[0], "raw/")
    assert report.files[0].key in caught.value.message
    return caught.value


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_data_file_with_one_other_byte_is_refused(file_format):
    objects = Objects()
    url = put_inventory(
        objects, file_format, CURRENT, data_file(file_format, CURRENT, [row("raw/a")])
    )
    key = next(key for key in objects if "/data/" in key)
    objects[key] = objects[key][:-1] + bytes([objects[key][-1] ^ 1])
    assert first_entries(objects, url).code == "ChecksumMismatch"


def test_a_data_file_of_another_size_is_refused():
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT, data_file("CSV", CURRENT, [row("raw/a")]))
    key = next(key for key in objects if "/data/" in key)
    objects[key] += b"\0"
    error = first_entries(objects, url)
    assert error.code == "SizeMismatch"
    assert str(len(objects[key])) in error.message


def test_a_data_file_that_is_gone_is_named():
    objects = Objects()
    url = put_inventory(objects, "CSV", CURRENT, b"x")
    del objects[next(key for key in objects if "/data/" in key)]
    error = first_entries(objects, url)
    assert (error.kind, error.code) == ("not-found", "NoSuchKey")


@pytest.mark.parametrize(
    ("file_format", "body"),
    [
        ("CSV", b'"orders-raw","raw/a"\n'),
        ("CSV", b'"orders-raw","raw/a","many","2026-03-10T12:00:00.000Z",""\n'),
        ("CSV", b'"orders-raw","raw/a","1","yesterday",""\n'),
        ("CSV", b'"orders-raw","","1","2026-03-10T12:00:00.000Z",""\n'),
        ("CSV", b'"orders-raw","raw/%FF","1","2026-03-10T12:00:00.000Z",""\n'),
        ("CSV", b'"orders-raw","raw/a","","2026-03-10T12:00:00.000Z",""\n'),
        ("CSV", gzip.compress(b"x" * 1000, mtime=0)[:20]),
        ("ORC", b"ORC"),
        ("ORC", data_file("Parquet", CURRENT, [row("raw/a")])),
        ("Parquet", b"PAR1"),
        ("Parquet", data_file("ORC", CURRENT, [row("raw/a")])),
        ("Parquet", data_file("Parquet", ("bucket", "key"), [row("raw/a")])),
        ("ORC", data_file("ORC", ("bucket", "size"), [row("raw/a")])),
    ],
)
def test_a_data_file_that_is_not_in_the_stated_format_is_refused(file_format, body):
    objects = Objects()
    url = put_inventory(objects, file_format, CURRENT, body)
    assert first_entries(objects, url).code == "UnreadableReport"


def test_a_deletion_has_no_size_but_an_object_without_one_is_refused():
    objects = Objects()
    rows = [deleted("raw/a"), row("raw/b", size=None)]
    url = put_inventory(objects, "Parquet", EVERYTHING, data_file("Parquet", EVERYTHING, rows))
    assert first_entries(objects, url).code == "UnreadableReport"


def test_the_same_report_gives_the_same_table_twice():
    objects = Objects()
    body = data_file("CSV", CURRENT, [row(f"raw/{number}") for number in range(500)])
    report = Inventory.open(put_inventory(objects, "CSV", CURRENT, body), objects.read)
    (file,) = report.files
    assert report.entries(file, "raw/").equals(report.entries(file, "raw/"))
