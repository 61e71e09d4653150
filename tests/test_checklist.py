"""The page that says what became of each row of the checklist tells the truth."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

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


def test_every_row_is_there_once_and_in_order():
    assert [row.number for row in TABLE] == list(range(1, ROWS + 1))


def test_the_totals_are_those_of_the_table():
    told = dict(re.findall(r"^\| (implemented|waits|declined|all) \| (\d+) \|", PAGE, re.MULTILINE))
    counted = Counter(row.word for row in TABLE)
    assert {word: int(number) for word, number in told.items()} == {**counted, "all": ROWS}


def test_a_restatement_is_short_and_no_other_rows():
    assert [row.number for row in TABLE if not 10 <= len(row.asks) <= 80] == []
    assert [asks for asks, times in Counter(row.asks for row in TABLE).items() if times > 1] == []


def test_a_row_has_a_state_and_says_what_belongs_to_it():
    assert [(row.number, wrong) for row in TABLE if (wrong := lacks(row))] == []


def lacks(row: Row) -> str:
    reason = row.state.partition(": ")[2]
    if row.word == "implemented":
        return "" if "`" in row.where and row.shown != "–" and not reason else "a place and a test"
    if row.word == "waits":
        return "" if re.search(r"\S \(issue \d+\)$", reason) else "what it waits for"
    return "" if row.word == "declined" and len(reason.split()) >= 5 else "a reason"


def test_every_place_exists():
    places = [(row.number, place) for row in TABLE for place in re.findall("`([^`]+)`", row.where)]
    assert [(number, place) for number, place in places if not exists(place)] == []


def exists(place: str) -> bool:
    if place.startswith("investigate "):
        return place.removeprefix("investigate ") in COMMANDS
    if place.startswith(("investigate/", "notebooks/")):
        return (ROOT / place).exists()
    return place in CODES


def test_only_a_row_that_waits_names_a_place_that_is_still_to_come():
    to_come = re.compile(r"(?<![`\w/])(?:investigate|notebooks)/[\w./]+")
    assert [r.number for r in TABLE if to_come.search(r.where) and r.word != "waits"] == []


def test_what_shows_a_row_exists():
    shown = [(row.number, row.shown.strip("`").split("::")) for row in TABLE if row.shown != "–"]
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for _, (path, _) in shown}
    assert [n for n, (path, name) in shown if f"\ndef {name}(" not in texts[path]] == []
