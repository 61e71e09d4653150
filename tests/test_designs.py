"""Designs of pipelines: what one must be, how it is found, and what a case records of it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate.case import MANIFEST, open_case, read_manifest
from investigate.designs import (
    VARIABLE,
    _loaded,
    design_named,
    known_designs,
    recorded,
    recorded_design,
)
from investigate.errors import CaseDamagedError, DesignError, SettingsError
from investigate.layouts import pieces_of, raw_layout_of
from investigate.model import parse_time
from investigate.pipeline import LONGEST_KEY, REFERENCE, Aggregate, Design, format_time
from investigate.sandbox import meter_readings
from investigate.sandbox.meter_readings import METER_READINGS
from investigate.settings import parse_settings
from tests.commands.conftest import CASES

PLUGIN = """
from dataclasses import replace
from investigate.pipeline import REFERENCE
ORDERS = replace(REFERENCE, name="orders", accepted="OK")
OTHER = "not a design"
"""
TIME = "2026-03-10T07:05:00Z"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of a user's own, which Python can import."""
    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "my_pipelines.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    _loaded.cache_clear()
    yield folder
    sys.modules.pop("my_pipelines", None)
    _loaded.cache_clear()


def a_case_of(folder: Path, told: Any) -> Path:
    """The healthy demo case, as if it had been captured from a pipeline of another design."""
    shutil.copytree(CASES / "healthy", folder)
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "design": told}), encoding="utf-8")
    return folder


# what a design says


def test_the_ids_of_meter_readings_are_made_by_their_own_recipes():
    text = f"{TIME}~m1~web~reading~{'p' * 64}"
    hashed = METER_READINGS.hashed_event_id("web", "reading", "m1", TIME, "p" * 64)
    assert hashed == hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    keyed = METER_READINGS.keyed_event_id("web", "reading", "m1", "k1")
    told = hashlib.sha1(b"key~m1~web~reading~k1", usedforsecurity=False).hexdigest()
    assert keyed == told
    body = {
        "source": "web", "event_type": "reading", "entity_id": "m1", "event_time": TIME,
        "payload_sha": "p" * 64, "event_id": "changed",
    }  # fmt: skip
    assert METER_READINGS.recomputed_event_id(body) == hashed


def test_a_raw_key_of_meter_readings_is_read_again():
    key = METER_READINGS.raw_key("a/b", "reading", TIME, "2026-03-11T00:00:00Z", "ab")
    assert key == "readings/2026-03-10/reading/a/b/07h/2026-03-11.ab.json"
    parsed = METER_READINGS.parse_raw_key(key)
    assert parsed is not None
    assert (parsed.event_date, parsed.hour) == ("2026-03-10", "07")
    assert (parsed.ingest_date, parsed.event_id) == ("2026-03-11", "ab")
    assert METER_READINGS.parse_raw_key(key.removeprefix("readings/")) is None
    assert METER_READINGS.parse_raw_key("readings/2026-03-10/reading/x.json") is None


def test_a_part_that_a_raw_key_does_not_tell_is_none():
    design = replace(REFERENCE, raw_key_layout="{event_date}/{event_id}.json")
    parsed = design.parse_raw_key("raw/2026-03-10/ab.json")
    assert parsed == (None, None, "2026-03-10", None, None, "ab")


def test_the_inputs_of_an_hour_are_hashed_as_its_design_says():
    inputs = [("t2", "b", "sha-b"), ("t1", "a", 'sha-"a"')]
    told = hashlib.sha256(b'sha-"a" a\nsha-b b\n').hexdigest()
    assert METER_READINGS.aggregate.inputs_hash(inputs) == told
    assert METER_READINGS.aggregate.inputs_hash([]) == hashlib.sha256(b"").hexdigest()


def test_an_aggregate_is_of_a_day_or_an_hour_and_counts_or_adds_up():
    daily, hourly = REFERENCE.aggregate, METER_READINGS.aggregate
    assert (daily.period_of(TIME), hourly.period_of(TIME)) == ("2026-03-10", "2026-03-10T07")
    payloads = [{"watt_hours": 5}, {"watt_hours": 7}]
    assert (daily.value(payloads), hourly.value(payloads)) == (2, 12)
    with pytest.raises(KeyError):
        hourly.value([{"watts": 5}])
    sk = hourly.sk("2026-03-10T07", 12)
    assert sk == "HOUR/2026-03-10T07/V12"
    assert hourly.version_of(sk) == ("2026-03-10T07", "12")
    assert hourly.version_of("HOUR/2026-03-10T07/Vx") is None
    assert hourly.sk_start("2026-03-10T07") == "HOUR/2026-03-10T07/V"
    assert daily.sk_start("2026-03-10") == "DAY#2026-03-10#VER#"


def test_a_replay_compares_with_what_stands_before_the_time_in_the_sort_key():
    assert METER_READINGS.replay_bound(TIME) == f"AT/{TIME}"
    assert METER_READINGS.event_sk(TIME, "ab").startswith(METER_READINGS.replay_bound(TIME))


def test_a_message_calls_its_fields_as_its_design_says():
    row = {"event_id": "e", "entity_id": "m", "event_time": TIME, "s3_bucket": "b", "s3_key": "k"}
    sent = json.loads(METER_READINGS.replay_message(row))
    assert sent == {"reading": "e", "meter": "m", "at": TIME, "bucket": "b", "key": "k"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"raw_key_layout": "{source}/{event_id}.json"}, "a folder that ends with {event_date}"),
        ({"raw_key_layout": "{event_date}/x.json"}, "must have {event_id}"),
        ({"raw_key_layout": "{event_date}/{colour}/{event_id}"}, "must have {event_id}, and else"),
        ({"raw_key_layout": "{event_date}-x/{event_id}"}, "ends with {event_date}"),
        ({"raw_key_layout": "{event_date}/{event_id}/{event_id}"}, "each name once"),
        ({"pk_layout": "{entity_id}#E"}, "must be a text and then {entity_id}"),
        ({"sk_layout": "{event_id}#{event_time}"}, "{event_time} as its first name"),
        ({"aggregate": Aggregate(metric_name="n", sk_layout="D{day}")}, "{day}, then {version}"),
        (
            {"aggregate": Aggregate(metric_name="n", sk_layout="V{version}#{day}")},
            "{day}, then {version}",
        ),
        ({"keyed_id_layout": "{entity_id}|{event_time}"}, "cannot have {event_time}"),
        ({"gsi1sk_layout": "{lag}"}, "cannot have {lag}"),
        ({"sk_layout": "{event_time}#{event_id:.7}"}, "names alone in its braces"),
        ({"id_digest": "shake_128"}, "has no length of its own"),
        ({"aggregate": Aggregate(metric_name="n", input_layout="{event_id}")}, "and {payload_sha}"),
        ({"message_fields": {"event_id": "id"}}, "message_fields must name event_id, entity_id"),
        ({"id_digest": "sha0"}, "unsupported hash type"),
        ({"pk_layout": "{entity_id"}, "expected '}'"),
    ],
)
def test_a_design_that_cannot_be_one_is_refused(changes, said):
    with pytest.raises(ValueError, match=said.replace("{", r"\{").replace("}", r"\}")):
        replace(REFERENCE, **changes)


# where designs are found


def test_the_designs_of_this_package_are_there_by_name():
    assert known_designs() == ("reference", "meter-readings")
    assert design_named("reference") is REFERENCE
    assert design_named("meter-readings") is METER_READINGS


def test_a_design_that_is_nowhere_is_refused_with_those_there_are():
    with pytest.raises(DesignError, match=r"'orders' here \(known: reference, meter-readings\)"):
        design_named("orders")


def test_the_environment_names_a_module_of_ones_own(plugin, monkeypatch):
    monkeypatch.setenv(VARIABLE, "my_pipelines:ORDERS")
    assert design_named("orders").accepted == "OK"
    assert "orders" in known_designs()
    settings = parse_settings({"pipeline": {"design": "orders", "raw_bucket": "b"}})
    assert settings.names.design.name == "orders"


def test_an_installed_package_has_an_entry_point(plugin):
    about = plugin / "my_pipelines-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-pipelines\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[investigate.pipelines]\norders=my_pipelines:ORDERS\n")
    assert design_named("orders").accepted == "OK"
    assert known_designs() == ("reference", "meter-readings", "orders")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("my_pipelines:OTHER", "is a str, not a Design"),
        ("my_pipelines:LACKING", "cannot be loaded"),
        ("no_such_module:ORDERS", "No module named 'no_such_module'"),
        ("my_pipelines", "names no design of a pipeline"),
        ("not a place", "names no design of a pipeline"),
    ],
)
def test_what_the_environment_names_must_be_a_design(plugin, monkeypatch, place, said):
    monkeypatch.setenv(VARIABLE, place)
    with pytest.raises(DesignError, match=said):
        design_named("orders")


def test_an_entry_point_has_the_name_of_its_design(plugin):
    about = plugin / "my_pipelines-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-pipelines\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[investigate.pipelines]\nshop=my_pipelines:ORDERS\n")
    with pytest.raises(DesignError, match="calls itself 'orders', not 'shop'"):
        design_named("shop")


def test_a_configuration_names_a_design_and_takes_its_prefix():
    assert parse_settings({}).names.design is REFERENCE
    names = parse_settings({"pipeline": {"design": "meter-readings"}}).names
    assert (names.design, names.raw_prefix) == (METER_READINGS, "readings/")
    with pytest.raises(SettingsError, match=r"pipeline\.design must be a text, not 3"):
        parse_settings({"pipeline": {"design": 3}})
    with pytest.raises(DesignError, match="'meters' here"):
        parse_settings({"pipeline": {"design": "meters"}})


# what a case records


def test_a_case_without_a_design_is_of_the_reference_pipeline():
    assert open_case(CASES / "healthy").design is REFERENCE
    assert "design" not in json.loads((CASES / "healthy" / MANIFEST).read_text(encoding="utf-8"))


def test_a_case_has_the_design_again_that_it_records(tmp_path):
    told = json.loads(json.dumps(recorded(METER_READINGS)))
    assert recorded_design(told) is METER_READINGS
    assert read_manifest(a_case_of(tmp_path / "case", told)).design is METER_READINGS


def test_a_design_that_has_changed_since_is_refused_with_what_differs(monkeypatch, plugin):
    monkeypatch.setenv(VARIABLE, "my_pipelines:ORDERS")
    told = json.loads(json.dumps(recorded(replace(design_named("orders"), accepted="FINE"))))
    with pytest.raises(DesignError, match="is not the one of the case: it differs in accepted"):
        recorded_design(told)


def test_a_fact_that_a_later_version_has_more_had_its_default_when_the_case_was_made(
    monkeypatch, plugin
):
    told = json.loads(json.dumps(recorded(METER_READINGS)))
    del told["facts"]["id_digest"]  # that of this design is not the default
    with pytest.raises(DesignError, match="it differs in id_digest"):
        recorded_design(told)
    monkeypatch.setenv(VARIABLE, "my_pipelines:ORDERS")
    told = json.loads(json.dumps(recorded(design_named("orders"))))
    del told["facts"]["sample_ids"]
    assert recorded_design(told).name == "orders"


def test_the_event_date_is_found_in_its_own_folder():
    layout = replace(
        REFERENCE, raw_key_layout="ingest_dt={ingest_date}/dt={event_date}/{event_id}.json"
    ).raw_layout
    key = "raw/ingest_dt=2026-03-12/dt=2026-03-10/x.json"
    (found,) = re.findall(layout.date_in_key("raw/"), key)
    assert found == layout.date_of(key.removeprefix("raw/")) == "2026-03-10"
    assert layout.date_of("ingest_dt=2026-03-12/dt=soon/x.json") is None
    assert REFERENCE.raw_layout.date_in_key("raw/") == r"event_date=(\d{4}-\d{2}-\d{2})/"


def test_a_folder_that_is_only_a_date_is_looked_for_in_its_place_alone():
    layout = replace(REFERENCE, raw_key_layout="{event_date}/{event_id}.json").raw_layout
    found = re.compile(layout.date_in_key("raw/"))
    assert found.findall("raw/2026-03-10/x.json") == ["2026-03-10"]
    assert found.findall("other/2026-03-10/x.json") == []


def test_a_key_has_as_many_characters_as_s3_takes_and_no_more():
    key = REFERENCE.raw_key("web", "order", "2026-03-10T07:05:00Z", "2026-03-10T07:05:01Z", "id")
    longest = key.replace("source=web", "source=" + "w" * (LONGEST_KEY - len(key) + 3))
    assert len(longest) == LONGEST_KEY
    assert REFERENCE.parse_raw_key(longest)
    assert REFERENCE.parse_raw_key(longest.replace("source=w", "source=ww")) is None
    assert REFERENCE.parse_raw_key(key, prefix="elsewhere/") is None


@pytest.mark.parametrize("layout", ["{}", "{event_id}/{event_id}", "{event_id!r}", "{event_id:>9}"])
def test_a_layout_has_names_alone_and_each_once(layout):
    with pytest.raises(ValueError, match=r"each name once|names alone"):
        pieces_of(layout)


def test_a_layout_of_raw_keys_without_the_event_id_is_told_what_else_there_is():
    with pytest.raises(ValueError, match=r"must have \{event_id\}") as refused:
        raw_layout_of("{source}/{event_date}/x.json")
    named = str(refused.value).rpartition("else only ")[2]
    assert named == "{source}, {event_type}, {event_date}, {ingest_date}, {hour}"


def test_the_words_around_a_part_of_a_key_are_its_own():
    layout = REFERENCE.raw_layout
    assert layout.marks_of("source") == ("source=", "/event_type=")
    assert layout.marks_of("event_type") == ("/event_type=", "/event_date=")
    bare = raw_layout_of("source={source}/{event_type}/{event_date}/{event_id}.json")
    assert bare.marks_of("source") is None, "no word stands behind it"
    assert bare.marks_of("event_type") is None, "nor before"
    assert bare.marks_of("hour") is None, "there is no such part"


def of_python(pattern: str) -> str:
    """A regular expression of the engines, whose end of a text has another letter in Python."""
    return pattern.replace(r"\z", r"\Z")


def test_a_part_of_a_key_is_found_in_its_place_and_none_that_is_not_there():
    layout = REFERENCE.raw_layout
    key = REFERENCE.raw_key("web", "order", "2026-03-10T07:05:00Z", "2026-03-11T00:00:01Z", "id")
    for name, part in (("source", "web"), ("event_type", "order"), ("event_id", "id")):
        found = re.match(of_python(layout.part_in_key(name, "raw/")), key)
        assert found
        assert found[1] == part
    without = raw_layout_of("{source}/{event_date}/{event_id}.json")
    of_none = of_python(without.part_in_key("hour", "raw/"))
    assert not re.match(of_none, "raw/web/2026-03-10/id.json")


def test_a_period_is_as_long_as_the_texts_that_tell_it_apart():
    hourly = Aggregate(metric_name="n", period="hour")
    for aggregate in (REFERENCE.aggregate, hourly):
        start = "2026-03-10T00:00:00.000Z"
        last = format_time(parse_time(start) + aggregate.length - timedelta(seconds=1))
        after = format_time(parse_time(start) + aggregate.length)
        assert aggregate.period_of(last) == aggregate.period_of(start) != aggregate.period_of(after)
    assert (REFERENCE.aggregate.length, hourly.length) == (timedelta(days=1), timedelta(hours=1))


@pytest.mark.parametrize("told", [{"name": "x"}, {"name": 3, "facts": {}}, "meter-readings", []])
def test_a_record_that_is_none_is_a_damaged_case(tmp_path, told):
    with pytest.raises(CaseDamagedError):
        read_manifest(a_case_of(tmp_path / "case", told))


def test_a_case_makes_nothing_run_that_lies_in_it(tmp_path, monkeypatch):
    folder = a_case_of(tmp_path / "case", {"name": "evil:DESIGN", "facts": {}})
    (folder / "evil.py").write_text("raise SystemExit('it ran')\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)  # even there, a name that a case gives is no module
    with pytest.raises(DesignError, match="no design of a pipeline 'evil:DESIGN' here"):
        read_manifest(folder)
    assert "evil" not in sys.modules


def test_the_second_design_is_one_module_of_a_few_lines():
    source = Path(meter_readings.__file__).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 150
    assert isinstance(METER_READINGS, Design)
