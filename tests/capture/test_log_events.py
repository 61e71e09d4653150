"""The events of a log group: fetched page by page, kept in steps, each once however often asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from investigate.capture import log_events
from investigate.capture.source import Source
from investigate.capture.values import to_millis
from tests.builders import START
from tests.capture.helpers import source_of
from tests.capture.whole import fill, rows, take

FUNCTION = "demo-ingest"
GROUP = f"/aws/lambda/{FUNCTION}"
T = to_millis(START)


class Log:
    """A log as CloudWatch Logs answers for it: in the order of time, a few events a page."""

    region = "eu-west-1"

    def __init__(self, *events: tuple[int, str, str], page: int = 3) -> None:
        self.events = sorted(
            (
                {
                    "timestamp": T + at,
                    "logStreamName": stream,
                    "message": message,
                    "eventId": f"{at}-{stream}-{message}",
                }
                for at, stream, message in events
            ),
            key=lambda event: event["timestamp"],
        )
        self.page = page
        self.asked: list[dict[str, Any]] = []
        self.breaks_at: int | None = None

    def pages(self, service: str, operation: str, **asked: Any) -> Iterator[dict[str, Any]]:
        assert (service, operation) == ("logs", "FilterLogEvents")
        self.asked.append(asked)
        # startTime is included, endTime is, too.
        found = [
            event
            for event in self.events
            if asked["startTime"] <= event["timestamp"] <= asked["endTime"]
        ]
        for number, at in enumerate(range(0, len(found) or 1, self.page)):
            if number == self.breaks_at:
                raise KeyboardInterrupt
            yield {"events": found[at : at + self.page]}


@pytest.fixture
def source(world, monkeypatch) -> Source:
    """A source whose steps are small."""
    monkeypatch.setattr(log_events, "STEP_EVENTS", 4)
    return source_of(world)


def over_log(source: Source, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source.connection, "pages", log.pages)


def read(source: Source) -> dict[str, list[str]]:
    """The messages of each stream, in order."""
    return {
        stream: [event["message"] for event in events]
        for stream, events in log_events.streams(source, FUNCTION)
    }


def test_events_of_all_pages_come_back_by_stream_in_the_order_of_time(source, monkeypatch):
    events = [(at, "ab"[at % 2], f"{at}") for at in range(11)]
    over_log(source, Log(*reversed(events)), monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    assert read(source) == {"a": ["0", "2", "4", "6", "8", "10"], "b": ["1", "3", "5", "7", "9"]}


def test_events_of_one_time_keep_the_order_of_the_answers(source, monkeypatch):
    log = Log(*((5, "a", name) for name in "zyxwvutsrq"))
    over_log(source, log, monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    assert read(source) == {"a": list("zyxwvutsrq")}


def test_it_asks_for_all_from_the_lead_to_the_capture(source, monkeypatch):
    log = Log()
    over_log(source, log, monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    assert log.asked == [
        {
            "logGroupName": GROUP,
            "startTime": to_millis(START - timedelta(hours=1)),
            "endTime": to_millis(source.options.captured_at),
        }
    ]
    assert read(source) == {}


def test_what_is_fetched_is_kept_in_steps_and_not_held(source, monkeypatch):
    over_log(source, Log(*((at, "a", str(at)) for at in range(20))), monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    parts = source.draft.parts(f"log of {FUNCTION}")
    # A step ends with the page that filled it.
    assert [part.rows for part in parts] == [6, 6, 6, 2]


def test_long_messages_fill_a_step_sooner(source, monkeypatch):
    monkeypatch.setattr(log_events, "STEP_CHARACTERS", 100)
    over_log(source, Log(*((at, "a", "x" * 60) for at in range(6)), page=2), monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    assert [part.rows for part in source.draft.parts(f"log of {FUNCTION}")] == [2, 2, 2]


@pytest.mark.parametrize("breaks_at", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "times",
    [range(0, 14_000, 1_000), range(0, 14 * 61_000, 61_000), [7] * 14, [0, 0, 0, *[9] * 11]],
    ids=["seconds", "minutes", "one time", "two times"],
)  # fmt: skip
def test_after_a_kill_it_goes_on_and_every_event_is_there_once(
    source, monkeypatch, breaks_at, times
):
    events = [(at, "ab"[number % 2], str(number)) for number, at in enumerate(times)]
    log = Log(*events)
    over_log(source, log, monkeypatch)
    log.breaks_at = breaks_at
    with pytest.raises(KeyboardInterrupt):
        log_events.fetch(source, FUNCTION, GROUP)
    kept = source.draft.rows(f"log of {FUNCTION}")
    log.breaks_at = None
    log_events.fetch(source, FUNCTION, GROUP)
    assert read(source) == {
        "a": [str(number) for number in range(0, 14, 2)],
        "b": [str(number) for number in range(1, 14, 2)],
    }
    again = log.asked[1]["startTime"] - log.asked[0]["startTime"]
    assert again >= 0
    assert (again > 0) == (bool(kept) and max(times[:kept]) + 3_600_000 > 60_000)
    log_events.fetch(source, FUNCTION, GROUP)
    assert len(log.asked) == 2, "a log that is fetched is not asked for again"


def test_after_a_kill_it_asks_again_only_for_the_last_minute(source, monkeypatch):
    log = Log(*((at * 600_000, "a", str(at)) for at in range(12)))
    over_log(source, log, monkeypatch)
    log.breaks_at = 2
    with pytest.raises(KeyboardInterrupt):
        log_events.fetch(source, FUNCTION, GROUP)
    log.breaks_at = None
    log_events.fetch(source, FUNCTION, GROUP)
    assert log.asked[1]["startTime"] == T + 5 * 600_000 - 60_000


def test_two_events_with_the_same_words_at_the_same_time_are_two(source, monkeypatch):
    log = Log(*((at, "a", "same") for at in (0, 0, 0, 0, 1, 1)))
    for number, event in enumerate(log.events):
        event["eventId"] = str(number)
    over_log(source, log, monkeypatch)
    log.breaks_at = 2
    monkeypatch.setattr(log_events, "STEP_EVENTS", 3)
    log.events += [{**log.events[-1], "timestamp": T + 9, "eventId": "last"}]
    with pytest.raises(KeyboardInterrupt):
        log_events.fetch(source, FUNCTION, GROUP)
    log.breaks_at = None
    log_events.fetch(source, FUNCTION, GROUP)
    assert source.draft.rows(f"log of {FUNCTION}") > 7
    assert read(source) == {"a": ["same"] * 7}


def test_events_without_an_id_are_told_apart_by_their_words(source, monkeypatch):
    log = Log(*((0, "a", str(number)) for number in range(8)))
    for event in log.events:
        del event["eventId"]
    over_log(source, log, monkeypatch)
    log.breaks_at = 2
    with pytest.raises(KeyboardInterrupt):
        log_events.fetch(source, FUNCTION, GROUP)
    log.breaks_at = None
    log_events.fetch(source, FUNCTION, GROUP)
    assert read(source) == {"a": [str(number) for number in range(8)]}


def test_streams_of_other_functions_are_left_out(source, monkeypatch):
    own = ("2026/03/10/demo-ingest[$LATEST]1", "2026/03/10/[$LATEST]2", "by hand")
    other = ("2026/03/10/demo-replay[$LATEST]3", "2026/03/10/demo-ingest-old[1]4")
    log = Log(*((at, stream, "x") for at, stream in enumerate([*own, *other])))
    over_log(source, log, monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    assert set(read(source)) == set(own)


def test_a_message_that_is_no_unicode_is_kept_as_its_escape(source, monkeypatch):
    over_log(source, Log((0, "a", "\ud800 \ud83d"), (1, "a", "ä")), monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    assert read(source) == {"a": ["\\ud800 \\ud83d", "ä"]}


def test_a_secret_of_aws_does_not_wait_in_the_draft(source, monkeypatch):
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    over_log(source, Log((0, "a", f"aws_secret_access_key={secret}"), (1, "a", "b")), monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    assert read(source) == {"a": ["aws_secret_access_key=***", "b"]}


def test_it_is_said_how_many_events_of_all_functions_there_are(source, monkeypatch):
    told = []
    monkeypatch.setattr(source, "_progress", lambda what, rows: told.append((what, rows)))
    over_log(source, Log(*((at, "a", str(at)) for at in range(8))), monkeypatch)
    log_events.fetch(source, FUNCTION, GROUP)
    log_events.fetch(source, "demo-processor", GROUP)
    assert told == [("log events", rows) for rows in (6, 8, 14, 16)]


def test_a_log_in_one_small_step_or_many_gives_the_same_rows(world, tmp_path, monkeypatch):
    fill(world)
    tables = ("invocations", "log_lines", "metric_points")
    whole = take(world, tmp_path / "whole", only=tables)
    assert whole.rows["log_lines"] > 0
    monkeypatch.setattr(log_events, "STEP_EVENTS", 2)
    small = take(world, tmp_path / "small", only=tables)
    for table in tables:
        assert rows(small, table) == rows(whole, table)


@pytest.mark.parametrize("shared", [("ingest", "replay"), ("ingest", "replay", "processor")])
def test_a_function_in_several_roles_is_read_once(world, tmp_path, shared):
    fill(world)
    functions = {**world.names.functions, **dict.fromkeys(shared, FUNCTION)}
    once = replace(world.names, functions={"ingest": FUNCTION})
    names = replace(world.names, functions=functions)
    tables = ("invocations", "log_lines", "metric_points")
    one = take(world, tmp_path / "one", once, only=tables)
    case = take(world, tmp_path / "case", names, only=tables)
    told = Counter(row["request_id"] for row in rows(case, "invocations"))
    assert set(told.values()) == {1}
    assert rows(case, "log_lines") == rows(one, "log_lines")
    points = [tuple(row.values()) for row in rows(case, "metric_points")]
    assert len(points) == len(set(points))
