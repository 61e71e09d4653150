from __future__ import annotations

from datetime import timedelta

import pytest

from investigate.capture.emf import metric_points
from investigate.capture.values import to_millis
from tests.builders import START


def record(**changes):
    about = {
        "Timestamp": to_millis(START),
        "CloudWatchMetrics": [
            {
                "Namespace": "Kit",
                "Dimensions": [["Function", "Source"]],
                "Metrics": [{"Name": "IngestCount", "Unit": "Count"}, {"Name": "LagMs"}],
            }
        ],
    }
    root = {"Source": "web", "Function": "ingest", "IngestCount": 1, "LagMs": 2500.5}
    return {"_aws": {**about, **changes.pop("about", {})}, **root, **changes}


def points(line):
    return list(metric_points(line, START + timedelta(hours=1)))


def test_every_metric_of_a_line_is_a_point_with_its_dimensions_in_order():
    assert points(record()) == [
        {
            "namespace": "Kit",
            "metric": metric,
            "dimensions": '{"Function": "ingest", "Source": "web"}',
            "at_utc": START,
            "value": value,
            "origin": "emf",
        }
        for metric, value in (("IngestCount", 1.0), ("LagMs", 2500.5))
    ]


def test_a_list_of_values_is_a_point_each():
    values = [point["value"] for point in points(record(LagMs=[1, 2, 3]))]
    assert values == [1.0, 1.0, 2.0, 3.0]


def test_every_set_of_dimensions_is_a_series_and_none_is_one_too():
    directive = {"Namespace": "Kit", "Metrics": [{"Name": "IngestCount"}]}
    two = {"CloudWatchMetrics": [{**directive, "Dimensions": [["Function"], []]}]}
    assert [point["dimensions"] for point in points(record(about=two))] == [
        '{"Function": "ingest"}',
        "{}",
    ]
    none = {"CloudWatchMetrics": [directive]}
    assert [point["dimensions"] for point in points(record(about=none))] == ["{}"]


def test_without_its_own_time_a_point_has_that_of_its_line():
    line = record(about={"Timestamp": None})
    assert {point["at_utc"] for point in points(line)} == {START + timedelta(hours=1)}


@pytest.mark.parametrize(
    "line",
    [
        {"_aws": 1},
        {"_aws": {"CloudWatchMetrics": "x"}},
        {"_aws": {"CloudWatchMetrics": [1]}},
        record(IngestCount="one", LagMs=None),
        record(IngestCount=True, LagMs=[]),
    ],
)
def test_a_malformed_line_gives_no_point(line):
    assert points(line) == []
