"""The page that says what became of each row of the checklist tells the truth."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from investigate.checks import book
from investigate.commands.options import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/checklist.md").read_text(encoding="utf-8")
ROWS = 267
CODES = {check.code for check in book}


class Row(NamedTuple):
    number: int
    asks: str
    state: str
    where: str
    shown: str

    @property
    def word(self) -> str:
        return self.state.split(":")[0]


def table() -> list[Row]:
    lines = re.findall(r"^\| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)
    return [Row(int(number), *(cell.strip() for cell in rest.split("|"))) for number, rest in lines]


TABLE = table()
NUMBERS = [str(row.number) for row in TABLE]
SHOWN = [row for row in TABLE if row.shown != "–"]


def test_every_row_is_there_once_and_in_order():
    assert [row.number for row in TABLE] == list(range(1, ROWS + 1))


def test_the_totals_are_those_of_the_table():
    told = dict(re.findall(r"^\| (implemented|waits|declined|all) \| (\d+) \|", PAGE, re.MULTILINE))
    counted = Counter(row.word for row in TABLE)
    assert {word: int(number) for word, number in told.items()} == {**counted, "all": ROWS}


def test_a_restatement_is_short_and_no_other_rows():
    assert [row.number for row in TABLE if not 10 <= len(row.asks) <= 80] == []
    assert [asks for asks, times in Counter(row.asks for row in TABLE).items() if times > 1] == []


@pytest.mark.parametrize("row", TABLE, ids=NUMBERS)
def test_a_row_has_a_state_and_says_what_belongs_to_it(row):
    reason = row.state.partition(": ")[2]
    if row.word == "implemented":
        assert reason == ""
        assert "`" in row.where
        assert row.shown != "–"
    elif row.word == "waits":
        assert re.search(r"\S \(issue \d+\)$", reason)
    else:
        assert row.word == "declined"
        assert len(reason.split()) >= 5


@pytest.mark.parametrize("row", TABLE, ids=NUMBERS)
def test_a_place_exists(row):
    places = re.findall(r"`([^`]+)`", row.where)
    assert [place for place in places if not exists(place)] == []


def exists(place: str) -> bool:
    if place.startswith("investigate "):
        return place.removeprefix("investigate ") in COMMANDS
    if place.startswith(("investigate/", "notebooks/")):
        return (ROOT / place).exists()
    return place in CODES


@pytest.mark.parametrize("row", TABLE, ids=NUMBERS)
def test_a_place_that_is_still_to_come_belongs_to_a_row_that_waits(row):
    to_come = re.findall(r"(?<![`\w/])(?:investigate|notebooks)/[\w./]+", row.where)
    assert not to_come or row.word == "waits"


@pytest.mark.parametrize("row", SHOWN, ids=lambda row: str(row.number))
def test_what_shows_it_exists(row):
    path, _, name = row.shown.strip("`").partition("::")
    assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8")
