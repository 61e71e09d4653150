"""The configuration: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from investigate.errors import SettingsError
from investigate.model import Window
from investigate.settings import PipelineNames, Thresholds, load_settings, parse_settings

COMPLETE = """
[pipeline]
stack = "orders"
region = "eu-west-1"
account_id = "123456789012"
raw_bucket = "orders-raw"
raw_prefix = "landing/"
events_table = "events"
dedupe_table = "dedupe"
aggregates_table = "aggregates"
replay_queue_url = "https://sqs.example/1/replay"
dead_letter_queue_urls = ["https://sqs.example/1/dead"]
raw_inventory = "s3://inventory/orders-raw/daily/2026-03-13T01-00Z/manifest.json"
events_export = "s3://exports/events/manifest-summary.json"
dedupe_export = "s3://exports/dedupe/manifest-summary.json"
aggregates_export = "s3://exports/aggregates/manifest-summary.json"
[pipeline.functions]
ingest = "orders-ingest"
replay = "orders-replay"
processor = "orders-processor"
[window]
start = "2026-03-10T00:00:00Z"
end = "2026-03-13T00:00:00Z"
[thresholds]
settle_seconds = 60
gap_factor = 3
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(text: str, tmp_path: Path) -> SettingsError:
    with pytest.raises(SettingsError) as error:
        load_settings(write(tmp_path, text))
    assert "pipeline.toml" in error.value.message
    return error.value


def test_a_complete_file_is_read(tmp_path):
    settings = load_settings(write(tmp_path, COMPLETE))
    assert settings.names == PipelineNames(
        stack="orders",
        region="eu-west-1",
        account_id="123456789012",
        raw_bucket="orders-raw",
        raw_prefix="landing/",
        events_table="events",
        dedupe_table="dedupe",
        aggregates_table="aggregates",
        replay_queue_url="https://sqs.example/1/replay",
        dead_letter_queue_urls=("https://sqs.example/1/dead",),
        raw_inventory="s3://inventory/orders-raw/daily/2026-03-13T01-00Z/manifest.json",
        events_export="s3://exports/events/manifest-summary.json",
        dedupe_export="s3://exports/dedupe/manifest-summary.json",
        aggregates_export="s3://exports/aggregates/manifest-summary.json",
        functions={
            "ingest": "orders-ingest", "replay": "orders-replay", "processor": "orders-processor",
        },
    )  # fmt: skip
    assert settings.window == Window.parse("2026-03-10T00:00:00Z", "2026-03-13T00:00:00Z")
    assert settings.thresholds.settle_seconds == 60
    assert settings.thresholds.gap_factor == 3


def test_an_empty_file_leaves_everything_unknown_and_every_threshold_as_it_is():
    settings = parse_settings({})
    assert settings.names == PipelineNames()
    assert settings.names.raw_prefix == "raw/"
    assert settings.window is None
    assert settings.thresholds == Thresholds()


def test_a_missing_file_says_where_to_start(tmp_path):
    with pytest.raises(
        SettingsError, match=r"there is no configuration file .*none\.toml"
    ) as error:
        load_settings(tmp_path / "none.toml")
    assert "docs/configuration.md" in error.value.hint


@pytest.mark.parametrize("content", [b"[pipeline", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "pipeline.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings(path)


@pytest.mark.parametrize(
    "name", ["arn:aws:lambda:eu-west-1:123456789012:function:orders-processor", "orders:live"]
)
def test_a_function_is_named_as_its_lines_and_metrics_name_it(tmp_path, name):
    error = refused(f"[pipeline.functions]\nprocessor = '{name}'", tmp_path)
    assert f"pipeline.functions.processor must be a function's name, not {name!r}" in error.message
    assert "ARN" in error.hint


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("account_id = 123456789012", "twelve digits in quotes"),
        ("account_id = '1234'", "twelve digits in quotes"),
        ("raw_bucket = 's3://orders-raw'", "leave out s3://"),
        ("raw_bucket = 'orders-raw/raw'", "leave out s3://"),
        ("raw_prefix = '/raw/'", "leave out s3://, bucket and first /"),
        ("raw_prefix = 's3://orders-raw/raw/'", "leave out s3://, bucket and first /"),
        ("events_table = 'arn:aws:dynamodb:eu-west-1:123456789012:table/e'", "leave out the ARN"),
        ("replay_queue_url = 'orders-replay'", "https://sqs.eu-west-1.amazonaws.com/123456789012"),
        ("dead_letter_queue_urls = ['arn:aws:sqs:eu-west-1:123456789012:d']", "https://sqs."),
        ("raw_inventory = 'inventory/manifest.json'", "as s3://bucket/folder/manifest.json"),
        ("events_export = 's3://bucket'", "as s3://bucket/folder/manifest.json"),
        ("stack = ''", "leave the entry out"),
    ],
)
def test_a_name_in_the_wrong_form_is_refused_with_the_right_one(tmp_path, entry, hint):
    error = refused(f"[pipeline]\n{entry}", tmp_path)
    assert f"pipeline.{entry.split()[0]} must be" in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("given", "kept"), [("raw", "raw/"), ("raw/", "raw/"), ("a/b", "a/b/"), ("", "")]
)
def test_a_prefix_ends_with_its_slash_so_that_it_takes_no_other_folder_in(given, kept):
    assert parse_settings({"pipeline": {"raw_prefix": given}}).names.raw_prefix == kept


def test_what_is_lacking_is_said_of_the_configuration_or_of_the_stack():
    assert PipelineNames().lacks("aggregates table") == "no aggregates table is configured"
    found = PipelineNames(stack="orders-prod")
    assert found.lacks("aggregates table") == "the stack orders-prod has no AggregatesTable"
    assert found.lacks("ingest function") == "the stack orders-prod has no IngestFunction"


def test_a_path_that_cannot_be_read_is_no_configuration(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "pipeline.toml",):
        with pytest.raises(SettingsError, match="cannot be read"):
            load_settings(path)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[pipelin]", "unknown section 'pipelin'", "did you mean 'pipeline'?"),
        ("[pipeline]\nraw_buket = 'x'", "unknown entry of [pipeline] 'raw_buket'", "'raw_bucket'"),
        (
            "[pipeline.functions]\nprocesor = 'x'",
            "unknown role of [pipeline.functions] 'procesor'",
            "'processor'",
        ),
        ("[window]\nstrat = 'x'", "unknown entry of [window] 'strat'", "'start'"),
        ("[thresholds]\nlate_second = 1", "unknown threshold 'late_second'", "'late_seconds'"),
    ],
)
def test_a_misspelt_name_is_refused_and_the_nearest_named(tmp_path, text, said, hint):
    error = refused(text, tmp_path)
    assert said in error.message
    assert hint in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "pipeline = 1",
        "thresholds = []",
        "[pipeline]\nfunctions = 'x'",
        "[pipeline]\nraw_bucket = 1",
        "[pipeline]\nraw_bucket = ''",
        "[pipeline]\nregion = true",
        "[pipeline.functions]\ningest = 7",
        "[pipeline]\ndead_letter_queue_urls = 'one'",
        "[pipeline]\ndead_letter_queue_urls = [1]",
        "[window]\nstart = '2026-03-10T00:00:00Z'",
        "[window]\nstart = '2026-03-10T00:00:00Z'\nend = '2026-03-09T00:00:00Z'",
        "[window]\nstart = '2026-03-10'\nend = '2026-03-11'",
        "[window]\nstart = 1\nend = 2",
        "[window]\nstart = 07:32:00\nend = 2026-03-11T00:00:00Z",
        "[thresholds]\nlate_seconds = 'long'",
        "[thresholds]\nlate_seconds = 1.5",
        "[thresholds]\nlate_seconds = true",
        "[thresholds]\nlate_seconds = -1",
        "[thresholds]\ngap_factor = nan",
        "[thresholds]\ngap_factor = inf",
        "[thresholds]\nraw_lifetime_days = 40_000",
        "[thresholds]\nlate_seconds = 1_000_000_001",
    ],
)
def test_a_value_of_a_wrong_kind_is_refused(tmp_path, text):
    refused(text, tmp_path)


def test_a_time_in_toml_needs_its_offset(tmp_path):
    dated = "[window]\nstart = 2026-03-10T00:00:00Z\nend = 2026-03-11T00:00:00+01:00"
    assert parse_window(tmp_path, dated) == Window.parse(
        "2026-03-10T00:00:00Z", "2026-03-10T23:00:00Z"
    )
    refused("[window]\nstart = 2026-03-10T00:00:00\nend = 2026-03-11T00:00:00", tmp_path)


def parse_window(folder: Path, text: str) -> Window | None:
    return load_settings(write(folder, text)).window


def test_changed_thresholds_leave_the_others_and_the_defaults():
    changed = Thresholds().changed({"late_seconds": 5, "gap_factor": 2.5})
    assert (changed.late_seconds, changed.gap_factor) == (5, 2.5)
    assert changed.settle_seconds == Thresholds().settle_seconds
    assert Thresholds().late_seconds != 5


def test_every_threshold_is_a_number_that_is_not_negative():
    for name, default in Thresholds.known().items():
        assert default >= 0
        with pytest.raises(SettingsError, match=name):
            Thresholds().changed({name: -1})


def test_a_folder_in_place_of_the_configuration_is_said_to_be_one(tmp_path):
    with pytest.raises(SettingsError, match="is a folder") as refused:
        load_settings(tmp_path)
    assert "pipeline.toml" in refused.value.hint
