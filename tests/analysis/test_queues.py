from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from investigate.analysis import queues
from investigate.case import Coverage
from investigate.engine import DuckDBEngine, literal_rows
from investigate.errors import NotEvaluable
from tests.builders import Event, evidence_of, function_row, mapping_row, message_row, queue_row

DLQ = "arn:aws:sqs:eu-west-1:123456789012:dlq"
SAMPLED = {"messages": Coverage("partial", "1 of 9 messages")}


def test_waiting_is_what_is_visible_delayed_or_held_and_ready_is_what_nobody_holds(
    tmp_path: Path,
) -> None:
    state = [
        queue_row(visible=1, delayed=2, not_visible=4),
        queue_row(name="dlq", role="dead-letter"),
    ]
    case = evidence_of(tmp_path, queue_state=state)
    (row,) = case.engine.rows(queues.replay_queues(case))
    assert (row["name"], row["waiting"], row["ready"]) == ("replay-queue", 7, 3)


@pytest.mark.parametrize("rows", [[], [queue_row(role="dead-letter")], [queue_row(visible=None)]])
def test_an_unknown_queue_or_count_is_not_evaluable(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    case = evidence_of(tmp_path, queue_state=rows)
    with pytest.raises(NotEvaluable, match="queue_state"):
        queues.replay_queues(case)


@pytest.mark.parametrize(
    ("tables", "gap"),
    [
        ({"messages": [message_row(Event("a"))]}, ""),
        ({"queue_state": [queue_row()]}, ""),
        ({"messages": [], "queue_state": [queue_row()], "coverage": SAMPLED}, ""),
        ({"messages": [], "queue_state": [queue_row(visible=9)], "coverage": SAMPLED}, "1 of 9"),
        ({"messages": [], "coverage": SAMPLED}, "1 of 9"),
        ({"queue_state": [queue_row(not_visible=1)]}, "messages: skipped"),
        ({}, "messages: skipped"),
    ],
)
def test_all_messages_are_known_if_they_are_whole_or_the_queue_is_empty(
    tmp_path: Path, tables: dict[str, Any], gap: str
) -> None:
    told = queues.waiting_gap(evidence_of(tmp_path, **tables))
    assert gap in told
    assert bool(told) is bool(gap)


@pytest.mark.parametrize(
    ("tables", "gap"),
    [
        ({"dead_letters": []}, ""),
        ({"queue_state": [queue_row()]}, ""),
        ({"queue_state": [queue_row(dead_letter_arn=DLQ)]}, "dead_letters"),
        ({"queue_state": [queue_row(name="dlq", role="dead-letter")]}, "dead_letters"),
        ({}, "dead_letters"),
    ],
)
def test_dead_letters_matter_only_where_a_dead_letter_queue_is(
    tmp_path: Path, tables: dict[str, Any], gap: str
) -> None:
    told = queues.dead_letter_gap(evidence_of(tmp_path, **tables))
    assert gap in told
    assert bool(told) is bool(gap)


@pytest.mark.parametrize(
    "text",
    [
        "processor",
        "arn:aws:lambda:eu-west-1:123456789012:function:processor",
        "arn:aws:lambda:eu-west-1:123456789012:function:processor:live",
    ],
)
def test_a_function_is_named_by_its_name_or_its_arn(text: str) -> None:
    table = literal_rows([{"text": text}], {"text": "string"})
    assert DuckDBEngine().rows(table.select(name=queues.named(table.text))) == [
        {"name": "processor"}
    ]


@pytest.mark.parametrize(
    ("mapping", "function", "reads"),
    [
        ({}, {}, True),
        ({}, {"reserved_concurrency": 5}, True),
        ({}, {"reserved_concurrency": 0}, False),
        ({"state": "Disabled"}, {}, False),
        ({"state": None}, {}, False),
    ],
)
def test_an_enabled_mapping_to_an_unblocked_function_reads(
    tmp_path: Path, mapping: dict[str, Any], function: dict[str, Any], reads: bool
) -> None:
    case = evidence_of(
        tmp_path, queue_state=[queue_row()], mappings=[mapping_row(**mapping)],
        functions=[function_row("processor", **function)],
    )  # fmt: skip
    (row,) = case.engine.rows(queues.readers(case))
    assert row["reads"] is reads
