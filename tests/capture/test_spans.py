from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from investigate.capture import spans
from investigate.errors import AccessError
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from investigate.tables import as_table
from tests.builders import START, at
from tests.capture.helpers import coverage, refuse, rows_of, source_of

EVENT = {"source": "web", "event_type": "order", "entity_id": "e", "payload": {"n": 1}}


@pytest.fixture
def traced() -> Iterator[Sandbox]:
    """A sandbox with three traces of ingest, the last of them a failure."""
    with emulator(SandboxOptions(start=START, traces=True)) as sandbox:
        for hour in (1, 2, 9):
            body = {**EVENT, "event_time": f"2026-03-10T0{hour}:00:00Z"}
            crash = "after-dedupe" if hour == 9 else None
            sandbox.at(at(hour), lambda body=body, crash=crash: sandbox.ingest(body, crash=crash))
        sandbox.run()
        yield sandbox


def read(source):
    (captured,) = spans.read(source)
    return captured


def questions(source, operation):
    made = []
    source.connection.client("xray").meta.events.register(
        f"provide-client-params.xray.{operation}", lambda params, **_: made.append(params)
    )
    return made


def answers(source, operation, change):
    source.connection.client("xray").meta.events.register(f"after-call.xray.{operation}", change)


def test_every_segment_and_subsegment_of_every_trace_is_a_row(traced):
    captured = read(source_of(traced))
    rows = rows_of(captured)
    as_table("spans", rows)
    assert len({row["trace_id"] for row in rows}) == 3
    assert sorted(row["name"] for row in rows) == ["Invocation"] * 3 + ["demo-ingest"] * 6
    ids = {row["segment_id"] for row in rows}
    assert len(ids) == 9
    assert all(row["parent_id"] in ids for row in rows if row["origin"] != "AWS::Lambda")


def test_a_segment_says_what_it_was_and_how_it_went(traced):
    rows = [row for row in rows_of(read(source_of(traced))) if row["origin"] == "AWS::Lambda"]
    assert [row["fault"] for row in sorted(rows, key=lambda row: row["started_utc"])] == [
        False,
        False,
        True,
    ]
    row = min(rows, key=lambda row: row["started_utc"])
    assert row["started_utc"] == at(1)
    assert row["ended_utc"] > row["started_utc"]
    assert row["request_id"] == traced.runtime.outcomes[0].request_id
    document = json.loads(row["document"])
    assert document["resource_arn"].endswith(":function:demo-ingest")


def test_the_coverage_always_says_that_traces_are_a_sample(traced):
    captured = read(source_of(traced, captured_at=at(12)))
    assert coverage(captured) == ("partial", spans.SAMPLED)
    assert captured.coverage.horizon == "2026-03-09T23:00:00Z/2026-03-10T12:00:00Z"


def test_no_trace_is_a_table_without_rows_and_no_proof(world):
    captured = read(source_of(world))
    assert (rows_of(captured), coverage(captured)) == ([], ("partial", spans.SAMPLED))


def test_only_what_x_ray_still_keeps_is_asked_for(world):
    source = source_of(world, captured_at=at(24 * 40))
    asked = questions(source, "GetTraceSummaries")
    assert read(source).coverage.horizon == "2026-03-20T00:00:00Z/2026-04-19T00:00:00Z"
    assert len(asked) == 30 * 4


def test_a_question_is_about_six_hours_at_most_and_none_is_left_out(world):
    source = source_of(world, captured_at=at(12.5))
    asked = questions(source, "GetTraceSummaries")
    read(source)
    times = [(one["StartTime"], one["EndTime"]) for one in asked]
    assert times == [(at(-1), at(5)), (at(5), at(11)), (at(11), at(12.5))]
    assert {(one["TimeRangeType"], one["Sampling"]) for one in asked} == {("Event", False)}


def test_the_filter_names_both_nodes_of_every_function():
    assert spans.filter_of(["a", "b"]) == (
        'service(id(name: "a", type: "AWS::Lambda")) OR '
        'service(id(name: "a", type: "AWS::Lambda::Function")) OR '
        'service(id(name: "b", type: "AWS::Lambda")) OR '
        'service(id(name: "b", type: "AWS::Lambda::Function"))'
    )


def test_traces_of_other_functions_are_left_out(traced):
    source = source_of(traced)
    source.names.functions.pop("ingest")
    assert rows_of(read(source)) == []


def test_traces_are_fetched_five_at_a_time(traced, monkeypatch):
    monkeypatch.setattr(spans, "TRACES_AT_ONCE", 2)
    source = source_of(traced)
    asked = questions(source, "BatchGetTraces")
    assert len(rows_of(read(source))) == 9
    assert [len(one["TraceIds"]) for one in asked] == [2, 1]


def test_of_too_many_traces_those_that_failed_are_read_first(traced, monkeypatch):
    monkeypatch.setattr(spans, "MOST_TRACES", 1)
    captured = read(source_of(traced))
    assert {row["fault"] for row in rows_of(captured) if row["origin"]} == {True}
    assert coverage(captured) == (
        "partial",
        f"{spans.SAMPLED}; 1 of 3 traces were read, failed ones first",
    )


@pytest.mark.parametrize(("times", "lacking"), [(1, ""), (2, "; not handed out: 1 trace")])
def test_what_is_not_handed_out_is_asked_for_once_more(traced, times, lacking):
    source = source_of(traced)
    asked = questions(source, "BatchGetTraces")

    def hold_back(parsed, **_):
        if len(asked) <= times:
            held = parsed["Traces"].pop()
            parsed["UnprocessedTraceIds"] = [held["Id"]]

    answers(source, "BatchGetTraces", hold_back)
    captured = read(source)
    assert len(asked) == 2
    assert coverage(captured) == ("partial", spans.SAMPLED + lacking)


def test_a_trace_that_is_cut_off_and_a_segment_that_is_no_json_are_told(traced):
    source = source_of(traced)

    def damage(parsed, **_):
        parsed["Traces"][0]["LimitExceeded"] = True
        parsed["Traces"][1]["Segments"][0]["Document"] = "{"

    answers(source, "BatchGetTraces", damage)
    captured = read(source)
    assert coverage(captured)[1] == (
        f"{spans.SAMPLED}; cut off at the limit of X-Ray: 1 trace; "
        "with an unreadable segment: 1 trace"
    )
    assert len(rows_of(captured)) in (7, 8)


def test_functions_that_are_not_traced_are_not_asked_about(world):
    source = source_of(world)
    passing = {"TracingConfig": {"Mode": "PassThrough"}}
    source.functions = {role: {**known, **passing} for role, known in source.functions.items()}
    asked = questions(source, "GetTraceSummaries")
    assert coverage(read(source)) == (
        "skipped",
        "tracing is not Active on any of the functions",
    )
    assert asked == []


def test_functions_that_may_not_be_looked_at_may_still_be_traced(traced):
    source = source_of(traced)
    refuse(source.connection, "lambda", "GetFunctionConfiguration")
    assert len(rows_of(read(source))) == 9


def test_without_a_function_there_is_nothing_to_ask(world):
    assert coverage(read(source_of(world, without=("functions",)))) == (
        "skipped",
        "no function is configured",
    )


def test_denied_traces_are_an_access_error(traced):
    for operation in ("GetTraceSummaries", "BatchGetTraces"):
        source = source_of(traced)
        refuse(source.connection, "xray", operation, "AccessDenied")
        with pytest.raises(AccessError):
            spans.read(source)


def test_what_was_read_before_a_request_failed_is_kept(traced, monkeypatch):
    monkeypatch.setattr(spans, "TRACES_AT_ONCE", 1)
    source = source_of(traced)
    answers(
        source,
        "BatchGetTraces",
        lambda **_: refuse(source.connection, "xray", "BatchGetTraces", "AccessDenied"),
    )
    captured = read(source)
    assert len(rows_of(captured)) == 3
    assert str(captured.coverage.reason).endswith("stopped by AccessDenied: xray:BatchGetTraces")


DOCUMENT = {
    "id": "a",
    "name": "orders",
    "start_time": 1773100800.25,
    "in_progress": True,
    "annotations": {"customer": "c-1"},
    "subsegments": [
        {"id": "b", "name": "S3", "error": True, "throttle": True, "subsegments": [{"id": "c"}]}
    ],
}


def test_subsegments_of_subsegments_have_the_one_above_as_their_parent():
    rows = list(spans.span_rows("1-2-3", DOCUMENT))
    as_table("spans", rows)
    assert [(row["segment_id"], row["parent_id"]) for row in rows] == [
        ("a", None), ("b", "a"), ("c", "b"),
    ]  # fmt: skip
    assert [(row["error"], row["throttle"], row["fault"]) for row in rows] == [
        (False, False, False), (True, True, False), (False, False, False),
    ]  # fmt: skip
    assert rows[0]["started_utc"] == START + timedelta(milliseconds=250)
    assert rows[0]["ended_utc"] is None
    assert "subsegments" not in json.loads(rows[0]["document"])


def test_without_payloads_what_a_function_wrote_into_its_trace_is_left_out():
    assert "c-1" in str(list(spans.span_rows("t", DOCUMENT)))
    assert "c-1" not in str(list(spans.span_rows("t", DOCUMENT, payloads=False)))


def test_a_capture_that_goes_on_later_claims_no_traces_that_expired_meanwhile(traced):
    captured_at = START + timedelta(days=30)
    source = source_of(traced, captured_at=captured_at, resumed_at=captured_at + timedelta(hours=9))
    asked = questions(source, "GetTraceSummaries")
    start = START + timedelta(hours=9)
    assert str(read(source).coverage.horizon).startswith("2026-03-10T09:00:00Z/")
    assert asked[0]["StartTime"] == start
