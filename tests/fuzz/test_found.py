"""What the fuzzers and their authors found: each input once broke the parser it is given to."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from decimal import Decimal

import pyarrow as pa
import pyarrow.orc
import pytest

from benchmarks.fuzz.targets import TARGETS
from investigate.aws.items import parse_page
from investigate.capture import dead_letters, spans
from investigate.capture.emf import MOST_POINTS, count_of, metric_points
from investigate.capture.exports import LARGEST_LINE, Export
from investigate.capture.inventory_files import read_file
from investigate.capture.loglines import LogReader
from investigate.capture.privacy import Mask
from investigate.capture.values import DEEPEST, json_object, plain
from investigate.case import open_case, verify_case
from investigate.errors import AccessError, CaseDamagedError, SettingsError, UsageError, quoted
from investigate.injected import refuse_unknown
from investigate.pipeline import REFERENCE
from investigate.settings import load_settings
from tests.capture.delivered import Objects
from tests.capture.delivered import export as put_export
from tests.commands.conftest import HEALTHY

DEEP = "[" * 2_000 + "]" * 2_000


def read_log(*lines):
    reader = LogReader("f")
    for line in lines:
        reader.take({"logStreamName": "s", "timestamp": 1_773_100_800_000, "message": line})
    return reader


@pytest.mark.parametrize("duration", ["1.2.3", "...", "9" * 400])
def test_a_line_that_looks_like_a_report_and_has_no_number_has_no_duration(duration):
    reader = read_log(f"REPORT RequestId: a-b\tDuration: {duration} ms\tMemory Size: 256 MB")
    (attempt,) = reader.invocations
    assert attempt["duration_ms"] is None
    assert attempt["memory_mb"] == 256


def test_an_attempt_longer_than_the_calendar_has_no_start():
    (attempt,) = read_log(f"REPORT RequestId: a\tDuration: {'9' * 20} ms").invocations
    assert attempt["started_utc"] is None
    assert attempt["ended_utc"]


def test_an_error_of_spaces_is_read_at_once():
    began = time.monotonic()
    (line,) = read_log("[ERROR] KeyError: " + " " * 200_000 + "x").lines
    assert line["message"].endswith("x")
    assert time.monotonic() - began < 5


def test_many_ends_without_a_start_are_read_at_once():
    began = time.monotonic()
    reader = read_log(*(f"END RequestId: {number}" for number in range(50_000)))
    assert len(reader.invocations) == 50_000
    assert time.monotonic() - began < 20


def test_a_line_of_metrics_that_would_be_billions_of_points_is_counted_and_left_out():
    about = {"Dimensions": [[]] * 2_000, "Metrics": [{"Name": "n"}] * 2_000}
    line = {"_aws": {"CloudWatchMetrics": [about]}, "n": [1] * 2_000}
    assert count_of(line) == 2_000**3
    reader = read_log(json.dumps(line), '{"_aws": {}}')
    assert (reader.points, reader.refused) == ([], 1)


def test_the_count_of_a_line_is_that_of_its_points():
    about = {"Dimensions": [["a"], []], "Metrics": [{"Name": "n"}, {"Name": "m"}]}
    line = {"_aws": {"CloudWatchMetrics": [about]}, "n": [1, 2], "m": 3}
    assert count_of(line) == len(list(metric_points(line, None))) == 6 < MOST_POINTS


@pytest.mark.parametrize("depth", [DEEPEST + 1, 985, 990, 100_000])
def test_json_nested_without_end_is_no_object_at_any_depth(depth):
    assert json_object('{"a":' + "[" * depth + "]" * depth + "}") is None


def test_json_of_the_deepest_nesting_is_an_object_and_brackets_in_texts_do_not_count():
    deepest = '{"a":' + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + "}"
    assert json_object(deepest) is not None
    assert json_object(json.dumps({"a": '["' * 1_000})) == {"a": '["' * 1_000}


def test_a_number_beyond_every_float_becomes_null_as_infinity_does():
    assert json_object('{"a": 1e999, "b": -1E+400, "c": 1e300, "d": Infinity}') == {
        "a": None, "b": None, "c": 1e300, "d": None,
    }  # fmt: skip


@pytest.mark.parametrize("digits", ["1e999999999", "9" * 5_000, "NaN", "-Infinity", "abc", ""])
def test_what_dynamodb_knows_as_no_number_stays_text(digits):
    assert plain({"N": digits}) == digits
    assert sorted(plain({"NS": ["2", digits, "10"]}), key=str) == sorted([2, digits, 10], key=str)


def test_the_greatest_number_of_dynamodb_is_still_a_number():
    assert plain({"N": "9.9999999999999999999999999999999999999E+125"}) == int(
        Decimal("9.9999999999999999999999999999999999999E+125")
    )


def test_a_batch_at_the_end_of_the_calendar_has_no_expiry():
    batch = {"DDBStreamBatchInfo": {"approximateArrivalOfFirstRecord": "9999-12-31T23:59:59Z"}}
    message = {"MessageId": "m", "Body": json.dumps(batch)}
    place = dead_letters.LetterQueue("arn:q")
    row = dead_letters.row_of(dead_letters.taken_apart(message, place, REFERENCE))
    assert row["expires_utc"] is None
    assert row["channel"] == "stream-destination"


@pytest.mark.parametrize("start", [1e300, float("inf"), float("nan"), True, "soon"])
def test_a_segment_that_starts_at_no_time_has_none(start):
    (row,) = spans.span_rows("t", {"start_time": start, "subsegments": [1, "x", None]})
    assert row["started_utc"] is None


def test_a_key_with_a_line_break_in_its_source_has_the_layout_and_an_endless_one_has_not():
    key = REFERENCE.raw_key("a\nb", "t", "2026-03-10T07:00:00Z", "2026-03-10T07:00:00Z", "e")
    assert REFERENCE.parse_raw_key(key)[:2] == ("a\nb", "t")
    assert REFERENCE.parse_raw_key("raw/source=" + "/event_type=" * 20_000) is None


@pytest.mark.parametrize(
    "text",
    [
        f"[pipeline]\ndead_letter_queue_urls = {DEEP}\n",
        f"[pipeline]\naccount_id = 0x{'f' * 5_000}\n",
        f"[thresholds]\nlate_seconds = 0x{'f' * 5_000}\n",
        f"[pipeline]\n{'x' * 200_000} = 1\n",
        f"[window]\nstart = 0x{'f' * 5_000}\nend = 2026-03-11T00:00:00Z\n",
    ],
)
def test_a_configuration_that_no_message_can_repeat_is_refused_in_short(tmp_path, text):
    path = tmp_path / "pipeline.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load_settings(path)
    assert len(str(refused.value)) < 2_000


def test_a_file_of_a_case_with_a_name_that_no_file_can_have_is_damage(tmp_path):
    folder = tmp_path / "case"
    shutil.copytree(HEALTHY, folder)
    manifest = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    manifest["tables"]["raw"]["files"][0]["path"] = "r" * 3_000
    (folder / "case.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(CaseDamagedError, match="is longer than the path of a file") as damage:
        verify_case(open_case(folder))
    assert len(str(damage.value)) < 1_000


@pytest.mark.parametrize("cell", ["\ud800", "a\0b", "-" * 100_000 + "1", "(" * 100_000])
def test_a_cell_that_python_cannot_read_assigns_nothing(cell):
    declared = 'case = ""\nstart = ""\nend = ""\nentity = ""\nfindings = ""'
    refuse_unknown([declared, cell, "open_investigation()"])


@pytest.mark.parametrize(
    ("parser", "data"),
    [
        ("decisions", b"message_id,queue_arn,decision,note\nm,q,retry," + b"x" * 200_000),
        ("decisions", b"message_id,queue_arn,decision,note\nm\rq,1,2,3"),
        ("plan", b'{"schema": "investigate.redrive-plan/1", "letters": []}'),
        ("plan", b'{"schema": "investigate.redrive-plan/1", "manifest": 5, "captured_at": []}'),
        ("plan", b'{"schema": "investigate.redrive-plan/1", "a": ' + DEEP.encode() + b"}"),
        ("findings", b'{"own": [{"code": Infinity, "step": "raw", "outcome": "found"}]}'),
        ("manifest", b'{"schema": "investigate.case/1", "coverage": {"raw": {"status": []}}}'),
    ],
)
def test_a_document_of_another_shape_is_refused(parser, data):
    TARGETS[parser].run(data)


@pytest.mark.parametrize("horizon", [{"a": 1}, 5, ["../.."]])
def test_a_horizon_that_is_no_text_is_refused_when_the_case_is_opened(tmp_path, horizon):
    from investigate.case import Coverage

    with pytest.raises(CaseDamagedError, match="texts"):
        Coverage("partial", None, horizon)


def test_what_a_message_repeats_is_short_whatever_it_is():
    deep: list[object] = []
    for _ in range(2_000):
        deep = [deep]
    assert quoted("x") == "'x'"
    assert len(quoted("x" * 10_000)) < 300
    assert quoted(16**5_000) == "a int that cannot be shown"
    assert quoted(deep) == "a list that cannot be shown"
    with pytest.raises(UsageError) as refused:
        raise UsageError.unknown("entry", "x" * 200_000, ["raw_bucket"])
    assert len(str(refused.value)) < 500


# Reports of AWS that somebody else wrote


def export_of(body: bytes, items: int = 1):
    objects = Objects()
    export = Export.open(put_export(objects, body, items=(items,)), objects.read)
    return lambda: [item for file in export.files for item in export.items(file)]


@pytest.mark.parametrize(
    "item",
    [
        {"PK": {"S": 5}},
        {"PK": {}},
        {"PK": {"S": "x", "N": "1"}},
        {"PK": "x"},
        {"PK": {"SS": None}},
        {"PK": {"NS": [1]}},
        {"PK": {"X": "x"}},
        {"PK": {"BOOL": "x"}},
    ],
)
def test_an_item_that_dynamodb_does_not_write_makes_an_export_unreadable(item):
    read = export_of(gzip.compress(json.dumps({"Item": item}).encode()))
    with pytest.raises(AccessError, match="no attribute"):
        read()


def test_a_page_with_an_attribute_that_is_none_has_no_items():
    keys = {"PK": {"S": "x"}, "sample_event_idt": 1}
    assert parse_page(json.dumps({"Items": [keys, {"PK": {"S": "y"}}]}).encode()) is None
    compact = json.dumps({"Items": [keys, {"PK": {"S": "y"}}]}, separators=(",", ":")).encode()
    assert parse_page(compact) is None


def test_maps_within_maps_without_end_make_an_export_unreadable():
    deep = '{"M":{"a":' * 400 + '{"S":"x"}' + "}}" * 400
    with pytest.raises(AccessError, match="cannot be read"):
        export_of(gzip.compress(b'{"Item":{"PK":' + deep.encode() + b"}}"))()


@pytest.mark.parametrize(
    ("plain_text", "said"),
    [(b"x" * (3 * LARGEST_LINE), "a line of it has more than"), (b"\n" * 100_000, "are empty")],
)
def test_what_unpacks_to_a_thousand_times_its_size_is_read_no_further_than_it_should_go(
    plain_text, said
):
    with pytest.raises(AccessError, match=said):
        export_of(gzip.compress(plain_text))()


def test_a_million_items_where_one_is_stated_are_not_counted_to_the_end():
    line = b'{"Item":{"PK":{"S":"x"}}}\n'
    with pytest.raises(AccessError, match="has more than 1 items, but its manifest states 1"):
        export_of(gzip.compress(line * 100_000))()


def test_an_orc_file_of_a_few_kilobytes_takes_no_gigabyte():
    listed = pa.table({"key": ["raw/" + "a" * 1_000] * 100_000, "size": [1] * 100_000})
    sink = pa.BufferOutputStream()
    pyarrow.orc.write_table(listed, sink, compression="zlib", dictionary_key_size_threshold=1.0)
    body = sink.getvalue().to_pybytes()
    del listed
    assert len(body) < 20_000
    with pytest.raises(ValueError, match="more objects than"):
        list(read_file(body, "orc", (), "raw/"))


def test_columns_that_stand_twice_in_a_file_are_refused():
    sink = pa.BufferOutputStream()
    columns = [pa.array(["raw/a"]), pa.array(["raw/b"]), pa.array([1])]
    pa.parquet.write_table(pa.table(columns, names=["key", "Key", "size"]), sink)
    with pytest.raises(ValueError, match="a column twice"):
        list(read_file(sink.getvalue().to_pybytes(), "parquet", (), "raw/"))


@pytest.mark.parametrize("file_format", ["parquet", "orc"])
def test_a_text_of_a_listing_that_is_no_text_is_refused(file_format):
    key = pa.array([b"raw/\xff"], pa.binary()).view(pa.string())
    listed = pa.table([key, pa.array([1])], names=["key", "size"])
    sink = pa.BufferOutputStream()
    write = {"parquet": pa.parquet.write_table, "orc": pyarrow.orc.write_table}[file_format]
    write(listed, sink)
    with pytest.raises(pa.ArrowInvalid, match="UTF8"):
        list(read_file(sink.getvalue().to_pybytes(), file_format, (), "raw/"))


# Personal data in what Python cannot read


@pytest.mark.parametrize(
    "beside", ['"n":' + "1" * 5_000, '"n":' + DEEP, '"n":"\\ud800"', '"n":1e999']
)
@pytest.mark.parametrize("hidden", ['"ann@example.com"', '{"a":["ann@example.com"]}', DEEP])
def test_a_named_field_is_hidden_in_json_of_any_depth_and_any_number(beside, hidden):
    for text in (f'{{"email":{hidden},{beside}}}', f'{{{beside},"email":{hidden}}}'):
        masked = Mask({"email"}).text(text)
        assert '"email":"***"' in masked
        assert "ann" not in masked
        assert masked.count("[") == beside.count("[")
