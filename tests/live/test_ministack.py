"""A capture over HTTP from ministack, where Lambda and its event source mapping really run.

Where a test steps around ministack it says what AWS does instead. Beyond that, ministack has no
X-Ray and no metrics of queues, and leaves the function that a mapping calls out of its metrics.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from investigate import pipeline
from investigate.aws import connect
from investigate.capture import CaptureOptions, capture
from investigate.capture.discovery import discover
from investigate.case import Case
from investigate.evidence import Evidence
from investigate.findings import examine
from investigate.model import STEPS, Finding, Outcome, Severity, Window, isoformat
from investigate.pipeline import REFERENCE
from investigate.settings import PipelineNames, Settings, Thresholds
from tests.conftest import FAKE, UNSET
from tests.live.server import REGION, Clients
from tests.live.stack import HERE, Stack, deploy

ENTITIES = ("ada", "bob", "cyd", "dan")
EACH = (
    REFERENCE.batch_size
)  # events of one entity: one batch, so no second batch in its second (D14)
REPEATED = 3  # the number of the event of each entity that its client sends twice
ROLES = {"IngestFunction": 44, "ReplayFunction": 4, "ProcessorFunction": 4}  # invocations


@dataclass
class Captured:
    stack: Stack
    case: Case
    deleted: str  # the id of the event whose raw object was deleted
    accepted: dict[str, list[str]]  # event ids by entity

    def rows(self, table: str) -> list[dict[str, Any]]:
        return pq.read_table(self.case.folder / table).to_pylist()

    def function(self, logical_id: str) -> str:
        return self.stack.resources[logical_id]

    @cached_property
    def findings(self) -> dict[str, Finding]:
        """What the six steps find, by code; the chapters are about how a pipeline is set up."""
        return {one.code: one for one in examine(Evidence(self.case), STEPS).findings}


@pytest.fixture(scope="module")
def window() -> Window:
    """The first minute of an hour that has begun: a day never ends among its events."""
    ago = datetime.now(UTC) - timedelta(minutes=2)
    start = ago.replace(minute=0, second=0, microsecond=0)
    return Window(start, start + timedelta(minutes=1))


@pytest.fixture(scope="module", autouse=True)
def _credentials() -> Iterator[None]:
    """Made-up credentials for the captures that several tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FAKE.items():
            patch.setenv(name, value)
        for name in UNSET:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def failing(clients: Clients) -> Stack:
    """A pipeline with a message on which the processor really fails, again and again (D12)."""
    stack = deploy(clients, "poisoned", ProcessorSeconds="3", MaxReceiveCount="2")
    _send_unreadable(stack)
    return stack


@pytest.fixture(scope="module")
def captured(
    clients: Clients, failing: Stack, window: Window, tmp_path_factory: pytest.TempPathFactory
) -> Captured:
    """40 events ingested, 4 of them twice; all replayed and processed; then one object deleted.

    `failing` is only asked for so that its attempts are made meanwhile.
    """
    stack = deploy(clients, "orders")
    stack.set_mapping(enabled=False)  # until the queue is full: batches are whole then
    accepted = {entity: _ingest(stack, entity, window) for entity in ENTITIES}
    for entity in ENTITIES:
        assert _replay(stack, entity, window) == {"scanned": EACH, "sent": EACH}
    stack.wait_for(len(ENTITIES) * EACH)
    stack.set_mapping(enabled=True)
    stack.wait_for(0)
    deleted = accepted["bob"][5]
    (key,) = (key for key in _keys(stack) if deleted in key)
    clients.s3.delete_object(Bucket=stack.resources["RawBucket"], Key=key)
    case = _capture(tmp_path_factory.mktemp("cases") / "orders", stack, window)
    return Captured(stack, case, deleted, accepted)


@pytest.fixture(scope="module")
def sampled(captured: Captured, window: Window, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The same pipeline, with one entity replayed again while nothing consumes the queue."""
    captured.stack.set_mapping(enabled=False)
    _replay(captured.stack, "ada", window)
    folder = tmp_path_factory.mktemp("cases") / "sampled"
    only = ("messages", "queue_state", "mappings")
    return _capture(folder, captured.stack, window, sample_messages=EACH, only=only)


@pytest.fixture(scope="module")
def poisoned(failing: Stack, window: Window, tmp_path_factory: pytest.TempPathFactory) -> Captured:
    """The failing pipeline when its message is dead-lettered, and another one waits untouched."""
    failing.wait_for(1, "DeadLetterQueue")
    failing.set_mapping(enabled=False)
    _send_unreadable(failing)
    folder = tmp_path_factory.mktemp("cases") / "poisoned"
    case = _capture(folder, failing, window, sample_messages=1)
    return Captured(failing, case, "", {})


def _ingest(stack: Stack, entity: str, window: Window) -> list[str]:
    """Ingest the events of an entity, a second apart, one of them twice; return their ids."""
    ids = []
    for number in range(EACH):
        body = {
            "source": "web",
            "event_type": "order",
            "entity_id": entity,
            "event_time": isoformat(window.start + timedelta(seconds=number)),
            "payload": {"number": number},
        }
        answers = [stack.invoke("ingest", body) for _ in range(1 + (number == REPEATED))]
        assert [said["status"] for said in answers] == ["ACCEPTED", "DUPLICATE"][: len(answers)]
        ids.append(answers[0]["event_id"])
    return ids


def _replay(stack: Stack, entity: str, window: Window) -> dict[str, Any]:
    times = {"start": isoformat(window.start), "end": isoformat(window.end)}
    return stack.invoke("replay", {"entity_id": entity, **times})


def _keys(stack: Stack) -> list[str]:
    listed = stack.clients.s3.list_objects_v2(Bucket=stack.resources["RawBucket"])
    return [entry["Key"] for entry in listed["Contents"]]


def _send_unreadable(stack: Stack) -> None:
    """Send for an object that loads, and whose time then cannot be grouped by day."""
    bucket, key = stack.resources["RawBucket"], "raw/broken.json"
    event = {"event_id": "x", "entity_id": "eve", "event_time": "soon", "payload_sha": "x"}
    stack.clients.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(event))
    where = {"event_id": "x", "s3_bucket": bucket, "s3_key": key}
    stack.clients.sqs.send_message(
        QueueUrl=stack.resources["ReplayQueue"], MessageBody=json.dumps(where)
    )


def _capture(folder: Path, stack: Stack, window: Window, **options: Any) -> Case:
    connection = connect(
        region=REGION,
        endpoint_url=stack.clients.url,
        sampling=bool(options.get("sample_messages")),
    )
    names = discover(connection, stack.name, PipelineNames(region=REGION))
    settings = Settings(names, window, Thresholds(settle_seconds=0))
    return capture(
        folder, settings, connection, CaptureOptions(window, datetime.now(UTC), **options)
    )


def test_the_stack_names_every_resource_of_the_pipeline(captured, poisoned):
    connection = connect(region=REGION, endpoint_url=captured.stack.clients.url)
    for stack in (captured.stack, poisoned.stack):
        found = discover(connection, stack.name, PipelineNames(region=REGION))
        assert found.functions == stack.names.functions
        assert found.dead_letter_queue_urls == stack.names.dead_letter_queue_urls
        for name in ("raw_bucket", "events_table", "dedupe_table", "aggregates_table"):
            assert getattr(found, name) == getattr(stack.names, name)
        assert found.replay_queue_url == stack.names.replay_queue_url


def test_the_tables_are_whole(captured):
    counts = {"raw": 39, "events": 40, "dedupe": 40, "aggregates": 4, "functions": 3}
    assert {table: len(captured.rows(table)) for table in counts} == counts
    coverage = captured.case.coverage
    whole = {*counts, "mappings", "deliveries", "deployments", "alarms", "queue_state"}
    assert {table: coverage[table].status for table in whole} == dict.fromkeys(whole, "captured")
    accepted = {event_id for ids in captured.accepted.values() for event_id in ids}
    assert {row["event_id"] for row in captured.rows("events")} == accepted
    assert {row["event_id"] for row in captured.rows("dedupe")} == accepted
    assert {row["event_id"] for row in captured.rows("raw")} == accepted - {captured.deleted}
    assert all(row["readable"] for row in captured.rows("raw"))


def test_each_duplicate_overwrote_the_row_of_its_event(captured):
    statuses = Counter(row["status"] for row in captured.rows("events"))
    assert statuses == {"ACCEPTED": 36, "DUPLICATE": 4}


def test_the_mapping_made_one_batch_of_each_entity(captured):
    counts = {row["entity_id"]: row["input_count"] for row in captured.rows("aggregates")}
    assert counts == dict.fromkeys(ENTITIES, EACH)


def test_each_invocation_is_attributed_from_its_start_to_its_report(captured):
    rows = captured.rows("invocations")
    counts = {captured.function(logical_id): count for logical_id, count in ROLES.items()}
    assert Counter(row["function"] for row in rows) == counts
    assert {row["status"] for row in rows} == {"ok"}
    assert len({row["request_id"] for row in rows}) == len(rows)
    # ministack writes the lines of an invocation at its end, with one time and into a new stream,
    # where AWS keeps a stream per environment. Only REPORT tells how long an invocation took.
    assert all(row["started_utc"] == row["ended_utc"] for row in rows)
    assert len({row["log_stream"] for row in rows}) == len(rows)
    assert all(row["duration_ms"] > 0 and row["billed_ms"] > 0 for row in rows)
    memory = {row["function"]: row["memory_mb"] for row in rows}
    assert memory[captured.function("ProcessorFunction")] == pipeline.PROCESSOR_MEMORY_MB


def test_the_lines_of_both_log_formats_are_there_with_their_request(captured):
    lines = captured.rows("log_lines")
    said = Counter(row["message"] for row in lines)
    assert said == {
        "event_ingested": 44,
        "replay_enqueued": 4,
        "processor_start": 4,
        "processor_record_loaded": 40,
        "processor_grouped": 4,
        "processor_aggregate_written": 4,
    }
    known = {(row["function"], row["request_id"]) for row in captured.rows("invocations")}
    assert {(row["function"], row["request_id"]) for row in lines} == known
    formats = {row["name"]: row["log_format"] for row in captured.rows("functions")}
    assert formats[captured.function("IngestFunction")] == "Text"
    assert formats[captured.function("ProcessorFunction")] == "JSON"
    loaded = {row["event_id"] for row in lines if row["message"] == "processor_record_loaded"}
    assert loaded == {event_id for ids in captured.accepted.values() for event_id in ids}


def test_the_metrics_that_the_functions_print_are_there(captured):
    sums: Counter[str] = Counter()
    for row in captured.rows("metric_points"):
        if row["origin"] == "emf":
            sums[row["metric"]] += int(row["value"])
    sums.pop("IngestLagMs")
    assert +sums == {
        "IngestCount": 44,
        "DuplicateCount": 4,
        "ReplayRequestedCount": 4,
        "ReplayMessageCount": 40,
        "ProcessorMessageCount": 40,
    }


def test_the_mapping_is_as_it_was_deployed(captured):
    (mapping,) = captured.rows("mappings")
    assert mapping["uuid"] == captured.function("ProcessorMapping")
    assert mapping["function"] == captured.function("ProcessorFunction")
    assert mapping["source_arn"].endswith(":" + captured.function("ReplayQueue").split("/")[-1])
    assert mapping["state"] == "Enabled"
    assert mapping["batch_size"] == REFERENCE.batch_size
    assert mapping["partial_batch_response"] is False
    # AWS says "OK" or the problem; ministack adds a number, so only its first word is held to.
    assert mapping["last_result"].startswith("OK")


def test_traces_that_cannot_be_had_are_left_out_with_the_reason(captured):
    spans = captured.case.coverage["spans"]  # ministack has no X-Ray
    assert spans.status == "failed"
    assert "xray:GetTraceSummaries" in str(spans.reason)
    assert "spans" not in captured.case.tables


def test_the_deleted_object_is_found_and_nothing_dangerous_that_did_not_happen(captured):
    missing = captured.findings["raw/missing"]
    assert (missing.outcome, missing.count) == (Outcome.FOUND, 1)
    assert missing.keys == (captured.deleted,)
    assert missing.severity is Severity.ESCALATE
    found = {
        code: finding.keys
        for code, finding in captured.findings.items()
        if finding.outcome not in (Outcome.PASSED, Outcome.NOT_EVALUATED)
        and finding.severity >= Severity.DANGEROUS
    }
    # A replay of the deleted event would fail, which is as true as that it is missing.
    assert found == {"raw/missing": (captured.deleted,), "replay/would-fail": (captured.deleted,)}


@pytest.mark.parametrize(
    "code",
    [
        "raw/corrupt", "raw/payload-mismatch", "raw/id-mismatch", "raw/overwritten",
        "events/missing-row", "events/dangling-key", "events/reused-id", "events/key-mismatch",
        "dedupe/orphan", "dedupe/missing", "replay/truncated", "processor/errors",
        "processor/swallowed-errors", "aggregates/partial", "aggregates/unexplained",
    ],
)  # fmt: skip
def test_what_can_be_told_from_this_evidence_is_told(captured, code):
    finding = captured.findings[code]
    assert finding.outcome is Outcome.PASSED, finding.reason


def test_the_duplicates_are_named_as_what_they_are(captured):
    finding = captured.findings["events/duplicate"]
    assert set(finding.keys) == {captured.accepted[entity][REPEATED] for entity in ENTITIES}
    assert finding.severity is Severity.EXPECTED


def test_a_sample_of_a_paused_queue_holds_each_message(captured, sampled):
    rows = pq.read_table(sampled.folder / "messages").to_pylist()
    assert {row["event_id"] for row in rows} == set(captured.accepted["ada"])
    assert len(rows) == EACH
    assert all(row["well_formed"] and row["receive_count"] == 1 for row in rows)
    (mapping,) = pq.read_table(sampled.folder / "mappings").to_pylist()
    assert mapping["state"] == "Disabled"


def test_a_failing_batch_is_an_error_of_each_attempt(poisoned):
    rows = [
        row
        for row in poisoned.rows("invocations")
        if row["function"] == poisoned.function("ProcessorFunction")
    ]
    assert [row["status"] for row in rows] == ["error", "error"]
    assert {row["error_type"] for row in rows} == {"ValueError"}
    assert set(poisoned.findings["processor/errors"].keys) == {row["request_id"] for row in rows}


def test_both_queues_are_there_and_the_dead_letter_is_counted(poisoned):
    queues = {row["role"]: row for row in poisoned.rows("queue_state")}
    assert set(queues) == {"replay", "dead-letter"}
    assert queues["replay"]["dead_letter_arn"] == queues["dead-letter"]["arn"]
    assert queues["replay"]["max_receive_count"] == 2
    assert (queues["replay"]["visible"], queues["replay"]["not_visible"]) == (1, 0)
    assert queues["dead-letter"]["visible"] == 1
    assert queues["dead-letter"]["max_receive_count"] is None


def test_the_dead_letter_says_where_it_came_from_and_how_often_it_failed(poisoned):
    (letter,) = poisoned.rows("dead_letters")
    queues = {row["role"]: row for row in poisoned.rows("queue_state")}
    assert letter["channel"] == "sqs-redrive"
    assert letter["source_arn"] == queues["replay"]["arn"]
    assert letter["queue_arn"] == queues["dead-letter"]["arn"]
    assert json.loads(letter["body"])["event_id"] == letter["event_id"] == "x"
    assert letter["attempts"] == 2


def test_a_queue_with_a_redrive_policy_is_not_sampled(poisoned):
    coverage = poisoned.case.coverage["messages"]
    assert coverage.status == "skipped"
    assert "redrive policy (maxReceiveCount 2)" in str(coverage.reason)
    # Nobody has received the message that waits: the next receive is its first.
    answer = poisoned.stack.clients.sqs.receive_message(
        QueueUrl=poisoned.stack.resources["ReplayQueue"],
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )
    (message,) = answer["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_what_reaches_a_function_through_its_alias_is_found(captured, window, tmp_path):
    clients, function = captured.stack.clients, captured.function("ProcessorFunction")
    lambda_, events, sns = clients.lambda_, clients.events, clients.sns
    version = lambda_.publish_version(FunctionName=function)["Version"]
    made = lambda_.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    alias, topic = made["AliasArn"], sns.create_topic(Name="shop")["TopicArn"]
    lambda_.add_permission(
        FunctionName=function, Qualifier="live", StatementId="shop", SourceArn=topic,
        Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
    )  # fmt: skip
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=alias)
    events.put_rule(Name="nightly", ScheduleExpression="rate(1 day)", State="DISABLED")
    events.put_targets(Rule="nightly", Targets=[{"Id": "a", "Arn": alias}])
    case = _capture(tmp_path / "case", captured.stack, window, only=("deliveries",))
    rows = pq.read_table(case.folder / "deliveries").to_pylist()
    assert {(row["kind"], row["target_arn"]) for row in rows} == {
        ("eventbridge", alias), ("sns", alias),
    }  # fmt: skip
    assert case.coverage["deliveries"].status == "captured"


def test_the_lock_has_a_hash_for_every_pin_and_no_address():
    lock = (HERE / "ministack.lock").read_text(encoding="utf-8")
    pins = lock.replace("\\\n", " ").strip().splitlines()
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "ministack==1.5.33" in lock
    assert "://" not in lock
