"""How a capture says how it is getting on: a line written again, or plain lines in a log."""

from __future__ import annotations

import io
from threading import Thread
from types import SimpleNamespace

import pytest

from investigate.commands import progress
from investigate.commands.progress import EVERY_IN_LOG, EVERY_ON_TERMINAL, Progress
from investigate.errors import AccessError


class Screen(io.StringIO):
    """Standard error, on a terminal or not."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def shown(monkeypatch, *, terminal):
    screen = Screen(terminal=terminal)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=screen))
    return screen


@pytest.fixture
def log(monkeypatch):
    return shown(monkeypatch, terminal=False)


@pytest.fixture
def screen(monkeypatch):
    return shown(monkeypatch, terminal=True)


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end_of_each_table(clock, log):
    with Progress() as said:
        for rows in range(1_000, 13_000, 1_000):
            clock.now += 1
            said("raw", rows)
        said("events", 5)
        said("events", 6)
    assert log.getvalue().splitlines() == [
        "  raw: 6,000 rows, 1,000/s",
        "  raw: 11,000 rows, 1,000/s",
        "  raw: 12,000 rows, 1,000/s",
        "  events: 6 rows",
    ]
    assert EVERY_IN_LOG == 5


def test_a_terminal_gets_one_line_for_each_table_written_again(clock, screen):
    with Progress() as said:
        said("raw", 1)
        clock.now += EVERY_ON_TERMINAL
        said("raw", 500)
        clock.now += EVERY_ON_TERMINAL
        said("raw", 1_000)
        said("events", 6)
    assert screen.getvalue() == (
        "\r  raw: 500 rows\x1b[K"
        "\r  raw: 1,000 rows, 999/s\x1b[K"
        "\r  raw: 1,000 rows, 999/s\x1b[K\n"
        "\r  events: 6 rows\x1b[K\n"
    )


def test_a_log_holds_no_control_characters(clock, log):
    with Progress() as said:
        said("raw", 1)
        clock.now += 60
        said("raw", 2)
        said.waits(AccessError("busy"))
    assert [one for one in log.getvalue() if ord(one) < 32 and one != "\n"] == []


def test_a_capture_of_nothing_says_nothing(log):
    with Progress():
        pass
    assert log.getvalue() == ""


def test_what_was_read_last_is_said_although_it_broke_off(clock, log):
    said = Progress()
    said("raw", 7)
    said.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert log.getvalue() == "  raw: 7 rows\n"


def test_one_row_is_one_row(log):
    with Progress() as said:
        said("queue_state", 1)
    assert log.getvalue() == "  queue_state: 1 row\n"


def test_waiting_is_said_once_in_a_while(clock, log):
    throttled = AccessError("dynamodb:Scan of events: ThrottlingException: slow down")
    with Progress() as said:
        for _ in range(12):
            said.waits(throttled)
            clock.now += 1
    assert (
        log.getvalue().splitlines()
        == ["  waiting, to ask again: dynamodb:Scan of events: ThrottlingException: slow down"] * 3
    )


def test_on_a_terminal_waiting_does_not_spoil_the_line(clock, screen):
    with Progress() as said:
        clock.now += EVERY_ON_TERMINAL
        said("raw", 1)
        said.waits(AccessError("busy"))
    assert screen.getvalue() == ("\r\x1b[K  waiting, to ask again: busy\n\r  raw: 1 row\x1b[K\n")


def test_threads_may_all_tell(log):
    with Progress() as said:
        threads = [Thread(target=said, args=("raw", rows)) for rows in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        said("raw", 50)
    assert log.getvalue() == "  raw: 50 rows\n"


def test_the_rate_is_that_of_this_run_and_not_of_an_earlier_one(clock, log):
    with Progress() as said:
        said("raw", 1_000_000)
        clock.now += 10
        said("raw", 1_000_500)
    assert log.getvalue().splitlines()[-1] == "  raw: 1,000,500 rows, 50/s"
