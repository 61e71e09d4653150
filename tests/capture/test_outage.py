"""A network that is lost in the middle: what was not answered for is asked again on --resume."""

from __future__ import annotations

from collections import Counter

import pytest

from investigate.capture import logs
from investigate.errors import AccessError
from tests.capture.helpers import refuse
from tests.capture.whole import fill, over, rows, take

GROUPS = ("ingest", "replay", "processor")


@pytest.fixture
def full(world):
    fill(world)
    return world


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("logs", "FilterLogEvents"),
        ("logs", "DescribeLogGroups"),
        ("cloudwatch", "GetMetricData"),
        ("sqs", "GetQueueAttributes"),
        ("lambda", "GetFunctionConfiguration"),
        ("lambda", "ListEventSourceMappings"),
        ("lambda", "GetPolicy"),
        ("lambda", "ListAliases"),
        ("lambda", "ListVersionsByFunction"),
        ("events", "ListRuleNamesByTarget"),
    ],
)
def test_what_was_not_answered_before_a_capture_stopped_is_asked_again(
    full, tmp_path, service, operation
):
    whole = take(full, tmp_path / "whole")
    lost = over(full)
    refuse(lost, service, operation, "ServiceUnavailable")
    refuse(lost, "s3", "GetBucketVersioning", "ServiceUnavailable")
    with pytest.raises(AccessError, match="ServiceUnavailable"):
        take(full, tmp_path / "case", connection=lost)
    resumed = take(full, tmp_path / "case", resume=True)
    assert resumed.coverage == whole.coverage
    assert resumed.files == whole.files


def test_what_is_not_answered_in_a_capture_that_ends_is_failed_and_said(full, tmp_path):
    connection = over(full)
    refuse(connection, "logs", "FilterLogEvents", "ThrottlingException")
    case = take(full, tmp_path / "case", connection=connection)
    reasons = [
        f"ThrottlingException: logs:FilterLogEvents of /aws/lambda/demo-{role}" for role in GROUPS
    ]
    assert case.coverage["log_lines"].status == "failed"
    assert case.coverage["log_lines"].reason == "; ".join(reasons)
    assert case.coverage["raw"].status == "captured"
    assert case.coverage["metric_points"].status == "partial"


def test_metrics_that_were_read_before_a_capture_was_killed_are_there_once(
    full, tmp_path, monkeypatch
):
    whole = take(full, tmp_path / "whole")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(logs, "_captured", killed)
        with pytest.raises(KeyboardInterrupt):
            take(full, tmp_path / "case")
    case = take(full, tmp_path / "case", resume=True)
    assert case.files == whole.files
    assert case.coverage == whole.coverage
    points = Counter(tuple(row.values()) for row in rows(case, "metric_points"))
    assert set(points.values()) == {1}
