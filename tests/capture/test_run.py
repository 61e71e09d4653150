from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from investigate.aws import READ_ONLY, SIDE_EFFECTS, connect
from investigate.capture import CAPTURES, CaptureOptions, capture, preparation, tables
from investigate.case import Coverage, open_case
from investigate.errors import AccessError, UsageError
from investigate.model import Window
from investigate.settings import Settings, Thresholds
from investigate.tables import TABLES
from tests.builders import END, START, at
from tests.capture.helpers import refuse

TOPIC = {"source": "web", "event_type": "order"}


@pytest.fixture
def busy(world):
    """A sandbox that took six events of two entities, replayed one and worked through it."""
    for number in range(6):
        body = {
            **TOPIC,
            "entity_id": f"e{number % 2}",
            "event_time": f"2026-03-10T0{number}:00:00Z",
            "payload": {"n": number},
        }
        world.at(at(6) + timedelta(minutes=number), lambda body=body: world.ingest(body))
    window = ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")
    world.at(at(7), lambda: world.replay("e0", *window))
    world.at(at(8), world.consume)
    world.at(at(9), lambda: world.replay("e1", *window))
    world.run()
    return world


def options_of(**changes):
    return CaptureOptions(Window(START, END), **{"captured_at": at(20), **changes})


def take(world, folder, *, connection=None, settings=None, resume=False, **options):
    chosen = options_of(**options)
    connection = connection or connect(
        region=world.options.region, sampling=bool(chosen.sample_messages), objects="botocore"
    )
    return capture(folder, settings or Settings(world.names), connection, chosen, resume=resume)


def rows(case, table):
    return [row for path in case.paths(table) for row in pq.read_table(path).to_pylist()]


def test_every_table_of_a_case_has_exactly_one_reader():
    named = Counter(table for tables in CAPTURES for table in tables)
    assert named == Counter(list(TABLES))


def test_a_capture_is_a_case_that_opens_with_every_table_accounted_for(busy, tmp_path):
    case = take(busy, tmp_path / "case", sample_messages=100)
    assert open_case(tmp_path / "case") == case
    assert case.name == "case"
    assert (case.captured_at, case.settle_seconds) == (at(20), Thresholds().settle_seconds)
    assert case.window == Window(START, END)
    assert set(case.coverage) == set(TABLES)
    assert {table: case.rows[table] for table in case.tables} == {
        "raw": 6,
        "events": 6,
        "dedupe": 6,
        "messages": 3,
        "aggregates": 1,
        "invocations": 9,
        "log_lines": case.rows["log_lines"],
        "metric_points": case.rows["metric_points"],
        "queue_state": 1,
        "functions": 3,
        "mappings": 1,
        "alarms": 0,
        "spans": 0,
        "deliveries": 0,
        "deployments": 3,
    }
    statuses = {table: case.coverage[table].status for table in case.tables}
    # Traces are sampled: there may always have been more.
    assert statuses == {**dict.fromkeys(case.tables, "captured"), "spans": "partial"}
    reasons = {table: case.coverage[table].reason for table in set(TABLES) - set(case.tables)}
    assert reasons == {
        "dead_letters": "no dead-letter queue is configured",
        "rescued": "no dead letters: no dead-letter queue is configured",
    }
    assert case.event_dates == ("2026-03-09", "2026-03-11")
    assert case.scope_entities == ()


NAMED_ONLY_IF_ASKED = (
    "stack", "raw_inventory", "events_export", "dedupe_export", "aggregates_export",
)  # fmt: skip


def test_the_manifest_says_which_pipeline_it_was(busy, tmp_path):
    case = take(busy, tmp_path / "case", name="incident 7")
    assert case.name == "incident 7"
    assert case.pipeline == {
        **dict.fromkeys(NAMED_ONLY_IF_ASKED),
        "region": "eu-west-1",
        "account_id": "123456789012",
        "raw_bucket": "demo-raw",
        "raw_prefix": "raw/",
        "events_table": "demo-events",
        "dedupe_table": "demo-dedupe",
        "aggregates_table": "demo-aggregates",
        "replay_queue_url": busy.names.replay_queue_url,
        "dead_letter_queue_urls": [],
        "functions": {role: f"demo-{role}" for role in ("ingest", "replay", "processor")},
    }


def test_a_masked_account_stands_nowhere_in_the_case(busy, tmp_path):
    case = take(busy, tmp_path / "case", mask_account=True)
    everything = (tmp_path / "case" / "case.json").read_text() + "".join(
        str(rows(case, table)) for table in case.tables
    )
    assert "123456789012" not in everything
    assert case.pipeline["account_id"] == "*" * 12
    (queue,) = rows(case, "queue_state")
    assert queue["arn"] == f"arn:aws:sqs:eu-west-1:{'*' * 12}:demo-replay"


def test_two_captures_of_one_pipeline_are_the_same_bytes(busy, tmp_path):
    first = take(busy, tmp_path / "first", name="same")
    second = take(busy, tmp_path / "second", name="same")
    assert first.files == second.files
    manifests = [(tmp_path / name / "case.json").read_bytes() for name in ("first", "second")]
    assert manifests[0] == manifests[1]


def requests_of(connection, service):
    made = []
    connection.client(service).meta.events.register_first(
        "before-send", lambda event_name, **_: made.append(event_name.rsplit(".", 1)[1])
    )
    return made


ABSENT = ("cloudformation", "sns", "kinesis", "dynamodbstreams")


@pytest.mark.parametrize("sample", [0, 100])
def test_a_whole_capture_sends_only_what_is_on_the_list(busy, tmp_path, sample):
    connection = connect(region="eu-west-1", sampling=bool(sample), objects="botocore")
    made = {service: requests_of(connection, service) for service in READ_ONLY}
    take(busy, tmp_path / "case", connection=connection, sample_messages=sample)
    for service, allowed in READ_ONLY.items():
        opted = SIDE_EFFECTS.get(service, frozenset()) if sample else frozenset()
        assert set(made[service]) <= allowed | opted
        # A stack is only looked into where one is named, a topic or stream where there is one.
        assert made[service] or service in ABSENT, f"nothing was asked of {service}"
    assert ("ReceiveMessage" in made["sqs"]) == bool(sample)


def test_a_capture_leaves_the_pipeline_as_it_was(busy, tmp_path):
    def state():
        clients, names = busy.clients, busy.names
        counts = clients.sqs.get_queue_attributes(
            QueueUrl=names.replay_queue_url, AttributeNames=["All"]
        )
        return (
            counts["Attributes"],
            [
                one["ETag"]
                for one in clients.s3.list_objects_v2(Bucket=names.raw_bucket)["Contents"]
            ],
            [
                clients.dynamodb.scan(TableName=table)["Items"]
                for table in (names.events_table, names.dedupe_table, names.aggregates_table)
            ],
        )

    before = state()
    take(busy, tmp_path / "case")
    assert state() == before


def test_only_the_tables_asked_for_are_captured(busy, tmp_path):
    case = take(busy, tmp_path / "case", only=("events", "log_lines"))
    assert case.tables == ("events", "log_lines")
    others = {known for table, known in case.coverage.items() if table not in case.tables}
    assert others == {Coverage("skipped", "not asked for (--only)")}


def test_an_unknown_table_is_refused_before_anything_is_asked(tmp_path, world):
    with pytest.raises(UsageError, match="unknown table 'event'"):
        take(world, tmp_path / "case", only=("event",))


def test_what_is_denied_is_left_out_with_the_code_and_the_case_is_written(busy, tmp_path):
    connection = connect(region="eu-west-1", objects="botocore")
    refuse(connection, "dynamodb", "Scan", only=lambda asked: b"demo-events" in asked["body"])
    case = take(busy, tmp_path / "case", connection=connection)
    reason = "AccessDeniedException: dynamodb:Scan of demo-events"
    assert case.coverage["events"] == Coverage("denied", reason)
    assert "events" not in case.tables
    assert case.coverage["dedupe"].status == "captured"


def test_what_fails_for_another_reason_is_failed(busy, tmp_path):
    connection = connect(region="eu-west-1", objects="botocore")
    refuse(connection, "s3", "ListObjectsV2", "NotImplemented")
    case = take(busy, tmp_path / "case", connection=connection)
    assert case.coverage["raw"] == Coverage("failed", "NotImplemented: s3:ListBucket of demo-raw")


def test_a_table_that_breaks_off_keeps_what_was_read_of_it(busy, tmp_path):
    for number in range(30):
        row = {"PK": f"p{number}", "SK": "s", "blob": "x" * 300_000}
        busy.put_item("events", row)
    connection = connect(region="eu-west-1", objects="botocore")
    refuse(
        connection, "dynamodb", "Scan", "ValidationException",
        only=lambda asked: b"demo-events" in asked["body"] and b"ExclusiveStart" in asked["body"],
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "STEP_ROWS", 1)
        case = take(busy, tmp_path / "case", connection=connection)
    reason = "ValidationException: dynamodb:Scan of demo-events"
    assert case.coverage["events"] == Coverage("partial", reason)
    assert 0 < case.rows["events"] < 36


@pytest.mark.parametrize("code", ["SlowDown", "ExpiredToken"])
def test_a_capture_that_is_stopped_goes_on_and_ends_as_if_it_had_not(busy, tmp_path, code):
    whole = take(busy, tmp_path / "whole", name="same")
    connection = connect(region="eu-west-1", objects="botocore")
    refuse(connection, "s3", "ListObjectsV2", code)
    refuse(connection, "s3", "GetBucketVersioning", code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "first_look", lambda *_: None)
        with pytest.raises(AccessError, match=code) as stopped:
            take(busy, tmp_path / "case", connection=connection, name="same")
    assert "the same command with --resume goes on" in stopped.value.hint
    assert not (tmp_path / "case").exists()
    with pytest.raises(UsageError, match="begun and not finished") as raised:
        take(busy, tmp_path / "case", name="same")
    assert "--resume" in raised.value.hint
    with pytest.raises(UsageError, match="was begun without --no-payloads, not with --no-payloads"):
        take(busy, tmp_path / "case", name="same", payloads=False, resume=True)
    resumed = take(busy, tmp_path / "case", name="same", captured_at=at(21), resume=True)
    assert resumed.files == whole.files
    assert resumed.captured_at == whole.captured_at
    assert resumed.consumed["resumed"] == ["2026-03-10T21:00:00Z"]
    assert "resumed" not in whole.consumed
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(UsageError, match="exists already"):
        take(busy, tmp_path / "case", name="same", resume=True)


def killed(*_):
    raise KeyboardInterrupt


def take_until(tables, world, folder, **options):
    """A capture that is killed when it comes to some tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CAPTURES, tables, killed)
        with pytest.raises(KeyboardInterrupt):
            take(world, folder, **options)


def test_retention_is_reckoned_from_when_the_lines_are_read(busy, tmp_path):
    for role in ("ingest", "replay", "processor"):
        group = f"/aws/lambda/demo-{role}"
        busy.clients.logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    take_until(("aggregates",), busy, tmp_path / "case")
    case = take(busy, tmp_path / "case", captured_at=at(30), resume=True)
    assert case.coverage["invocations"].status == "partial"
    horizon = "2026-03-10T06:00:00Z/2026-03-10T19:50:00Z"
    assert case.coverage["invocations"].horizon == horizon
    assert case.captured_at == at(20)


def test_a_field_that_an_earlier_run_masked_was_met(busy, tmp_path):
    chosen = {"mask": ("n", "nowhere")}
    take_until(("spans",), busy, tmp_path / "case", **chosen)
    case = take(busy, tmp_path / "case", resume=True, **chosen)
    assert case.masked == {"n": True, "nowhere": False}


def test_messages_are_not_received_again_although_something_was_not_answered(busy, tmp_path):
    first = connect(region="eu-west-1", sampling=True, objects="botocore")
    refuse(first, "cloudwatch", "GetMetricData", "Throttling")
    take_until(("spans",), busy, tmp_path / "case", connection=first, sample_messages=100)
    assert first.given_up
    second = connect(region="eu-west-1", sampling=True, objects="botocore")
    made = requests_of(second, "sqs")
    case = take(busy, tmp_path / "case", connection=second, sample_messages=100, resume=True)
    assert case.rows["messages"] == 3
    assert "ReceiveMessage" not in made
    assert case.coverage["queue_state"].status == "captured", "this was asked again"


def test_a_masked_account_does_not_stand_in_the_plan_and_another_is_told_apart(busy, tmp_path):
    take_until(("spans",), busy, tmp_path / "case", mask_account=True)
    assert "123456789012" not in (tmp_path / ".case.partial" / "plan.json").read_text()
    busy_names = Settings(replace(busy.names, account_id=None))
    other = connect(region="eu-west-1", objects="botocore")
    other.account = lambda: "999999999999"
    with pytest.raises(UsageError, match="with credentials of the account"):
        take(
            busy, tmp_path / "case", connection=other, settings=busy_names, mask_account=True,
            resume=True,
        )  # fmt: skip
    assert take(busy, tmp_path / "case", mask_account=True, resume=True).tables


def test_there_is_nothing_to_resume_where_nothing_was_begun(busy, tmp_path):
    with pytest.raises(UsageError, match="no unfinished capture") as raised:
        take(busy, tmp_path / "case", resume=True)
    assert "leave out --resume" in raised.value.hint


def test_what_is_not_configured_is_skipped(busy, tmp_path):
    names = replace(busy.names, raw_bucket=None, dedupe_table=None, functions={})
    case = take(busy, tmp_path / "case", settings=Settings(names))
    assert case.coverage["raw"] == Coverage("skipped", "no raw bucket is configured")
    assert case.coverage["dedupe"] == Coverage("skipped", "no dedupe table is configured")
    assert case.coverage["functions"].status == "skipped"
    assert case.coverage["events"].status == "captured"


@pytest.mark.parametrize(
    "wrong",
    [
        {"raw_bucket": "elsewhere"},
        {"events_table": "elsewhere"},
        {"dedupe_table": "elsewhere"},
        {"aggregates_table": "elsewhere"},
        {"replay_queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/elsewhere"},
        {"functions": {"ingest": "elsewhere"}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_name_stops_before_anything_is_written(world, tmp_path, wrong):
    settings = Settings(replace(world.names, **wrong))
    with pytest.raises(AccessError, match="elsewhere") as raised:
        take(world, tmp_path / "case", settings=settings)
    assert raised.value.kind == "not-found"
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_name_of_a_table_that_is_not_asked_for_does_not_matter(world, tmp_path):
    settings = Settings(replace(world.names, raw_bucket="elsewhere"))
    case = take(world, tmp_path / "case", settings=settings, only=("events",))
    assert case.tables == ("events",)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ExpiredToken", "expired"), ("InvalidClientTokenId", "credentials")],
)
def test_credentials_that_do_not_work_stop_before_anything_is_written(world, tmp_path, code, kind):
    connection = connect(region="eu-west-1", objects="botocore")
    refuse(connection, "sts", "GetCallerIdentity", code)
    with pytest.raises(AccessError) as raised:
        take(world, tmp_path / "case", connection=connection)
    assert raised.value.kind == kind
    assert "--resume" not in raised.value.hint, "there is nothing to go on with"
    assert list(tmp_path.iterdir()) == []


def test_a_case_that_is_there_is_never_written_over(world, tmp_path):
    (tmp_path / "case").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        take(world, tmp_path / "case")


def test_sampling_needs_a_connection_that_was_opened_for_it(world, tmp_path):
    with pytest.raises(UsageError, match="not opened for sampling"):
        take(
            world,
            tmp_path / "case",
            connection=connect(region="eu-west-1", objects="botocore"),
            sample_messages=1,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_window_that_has_not_begun_is_refused():
    with pytest.raises(UsageError, match="after the capture"):
        options_of(captured_at=START)
    with pytest.raises(UsageError, match="cannot be negative"):
        options_of(sample_messages=-1)


def test_hostile_evidence_is_written_and_opens(world, tmp_path):
    world.put_object("raw/surrogate.json", b'{"event_id": "\\ud800"}')
    world.put_object("raw/nul.json", b"\x00")
    body = json.dumps({"s3_bucket": "\ud800", "s3_key": "k", "event_time": "\ud800"})
    world.send_message(body)
    world.put_item("events", {"PK": "p\x00", "SK": "s", "entity_id": {"a": [1, {"b": None}]}})
    case = take(world, tmp_path / "case", sample_messages=10)
    (message,) = rows(case, "messages")
    assert (message["s3_bucket"], message["body"]) == ("\\ud800", body)
    assert {Path(row["s3_key"]).stem for row in rows(case, "raw")} == {"surrogate", "nul"}
    (row,) = rows(case, "events")
    assert (row["pk"], row["entity_id"]) == ("p\x00", '{"a": [1, {"b": null}]}')
