"""Where rows lie that a case only points at: what cannot be is refused before anything is read."""

from __future__ import annotations

import pytest

from investigate.in_place import DYNAMODB_EXPORT, RAW_OBJECTS, DataFile, InPlace

DATA = DataFile("data/0.json.gz", 2, "md5")
RAW = {"kind": RAW_OBJECTS, "location": "s3://orders-raw/", "rows": 3, "prefix": "raw/"}
EXPORT = {
    "kind": DYNAMODB_EXPORT, "location": "file:///exports/one/", "rows": 2, "report": "m.json",
    "as_of": "2026-03-10T00:00:00Z", "files": [DATA.as_json()],
}  # fmt: skip


@pytest.mark.parametrize("known", [RAW, EXPORT], ids=["objects", "export"])
def test_what_a_manifest_says_is_said_again(known):
    table = InPlace.of_json(known)
    assert InPlace.of_json(table.as_json()) == table
    assert {name: table.as_json()[name] for name in known} == known


def test_a_place_is_a_bucket_or_a_folder():
    assert (InPlace.of_json(RAW).bucket, InPlace.of_json(RAW).folder) == ("orders-raw", "")
    assert (InPlace.of_json(EXPORT).bucket, InPlace.of_json(EXPORT).folder) == ("", "/exports/one/")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({**RAW, "kind": "pickle"}, "the kind 'pickle' is none of"),
        *(
            ({**RAW, "location": location}, "is no s3://bucket/ and no file:///folder/")
            for location in (
                "", "/etc/", "s3://", "s3://bucket", "s3://bucket/below/", "file://host/folder/",
                "file:///folder", "https://bucket/", "S3:bucket/",
            )
        ),
        *(
            ({**EXPORT, "files": [{**DATA.as_json(), "key": key}]}, "leaves file:///exports/one/")
            for key in ("/etc/passwd", "../two/0.gz", "data/../../x", "data/\0.gz")
        ),
        ({**EXPORT, "rows": 3}, "the files of m.json do not have 3 items"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(known, said):
    with pytest.raises(ValueError, match="lake: ") as refused:
        InPlace.of_json(known)
    assert said in str(refused.value)
