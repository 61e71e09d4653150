"""An estimate reads as a table with its sum, and says how each figure was reckoned."""

from __future__ import annotations

import pytest

from investigate.capture.cost import Cost
from investigate.commands.costs import cost_text

SCAN = Cost(
    "events", "dynamodb:Scan", "20,000 rows", "about",
    requests=10, read_units=1280, bytes=10_485_760, price_usd=0.00016,
)  # fmt: skip
READ = Cost("raw", "s3:GetObject", "one for each", requests=2_000, price_usd=0.0008)
DENIED = Cost("dedupe", "dynamodb:Scan", "AccessDenied: dynamodb:DescribeTable", "unknown")
LOGS = Cost("log_lines", "logs:FilterLogEvents", "all of it", "at most", requests=7, bytes=512)
LEAST = Cost("alarms", "cloudwatch:DescribeAlarms", "100 alarms", "at least", requests=1)


def cells(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(start))
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_each_operation_is_a_line_and_the_sum_is_the_last():
    text = cost_text([READ, SCAN, DENIED, LOGS])
    assert cells(text, "raw") == ["raw", "s3:GetObject", "about 2,000", "0.0008"]
    assert cells(text, "events") == [
        "events", "dynamodb:Scan", "about 10", "1,280.0", "10.5 MB", "0.0002",
    ]  # fmt: skip
    assert cells(text, "dedupe") == ["dedupe", "dynamodb:Scan", "unknown"]
    assert cells(text, "log_lines") == ["log_lines", "logs:FilterLogEvents", "at most 7", "512 B"]
    assert cells(text, "together") == ["together", "about 2,017", "1,280.0", "10.5 MB", "0.0010"]


@pytest.mark.parametrize(
    ("costs", "requests"),
    [
        ([], "0"),
        ([READ], "about 2,000"),
        ([READ, SCAN], "about 2,010"),
        ([READ, LEAST], "about 2,001"),
        ([READ, DENIED], "about 2,000"),
        ([LEAST], "at least 1"),
        ([LEAST, DENIED], "at least 1"),
        ([LOGS], "at most 7"),
        ([READ, LOGS, LEAST], "about 2,008"),
    ],
)
def test_the_sum_is_no_surer_than_its_parts(costs, requests):
    assert cells(cost_text(costs), "together")[1] == requests


def test_how_each_figure_was_reckoned_and_whose_prices_these_are_stands_below():
    text = cost_text([SCAN, DENIED])
    assert "Scan: 20,000 rows" in text
    assert "Scan: AccessDenied: dynamodb:DescribeTable" in text
    assert "list prices of us-east-1" in text


def test_a_price_too_small_to_show_is_not_nothing():
    assert cells(cost_text([Cost("raw", "s3:GetObject", "", price_usd=0.0000004)]), "raw")[-1] == (
        "<0.0001"
    )
