"""Hostile evidence without a browser: in the terminal, in tables for spreadsheets, in documents."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from investigate.cli import main
from investigate.commands.console import Console
from investigate.findings import examine
from investigate.model import Outcome
from investigate.opening import evidence_for
from investigate.parameters import Parameters
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.site import Site, pages_of
from tests.hostile import CORPUS, MARK, hostile_case, hostile_rows
from tests.invisible import invisible_in
from tests.report.markup import Markup
from tests.report.samples import notebook

SIZES = {"index": 60_000, "findings": 250_000}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return str(hostile_case(tmp_path_factory.mktemp("hostile")))


@pytest.fixture(scope="module")
def examination(case):
    return examine(evidence_for(Parameters(case=case)))


def said(capsys, *arguments):
    """What a command prints, and that it came to an end of its own."""
    assert main(list(arguments)) in (0, 1, 3)
    out = capsys.readouterr().out
    assert out
    return out


def test_every_text_of_every_table_holds_every_hostile_text():
    for table, rows in hostile_rows().items():
        texts = {name for row in rows for name, value in row.items() if isinstance(value, str)}
        for name in texts:
            held = "".join(str(row.get(name) or "") for row in rows)
            assert held.count(MARK) >= len(CORPUS) - 1, f"{table}.{name}"


def test_no_check_breaks_on_hostile_evidence(examination):
    broken = [one.code for one in examination.findings if one.outcome is Outcome.ERROR]
    assert broken == []


@pytest.mark.parametrize("command", [["check"], ["ledger"], ["redrive-plan"]])
def test_nothing_that_moves_the_cursor_or_turns_the_writing_reaches_a_terminal(
    case, capsys, command
):
    assert invisible_in(said(capsys, command[0], case, *command[1:])) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_result_for_machines_is_harmless_on_a_terminal_and_stays_what_it_is(monkeypatch):
    told = json.dumps({"key": "\x9b2J\u202e\x1b[31m"}, ensure_ascii=False)
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    Console().out(told)
    assert invisible_in(screen.getvalue()) == []
    assert json.loads(screen.getvalue()) == json.loads(told)
    file = io.StringIO()
    monkeypatch.setattr("sys.stdout", file)
    Console().out(told)
    assert file.getvalue() == told + "\n"


@pytest.mark.parametrize("command", ["ledger", "redrive-plan"])
def test_no_cell_of_a_table_for_a_spreadsheet_begins_a_formula(case, capsys, command):
    rows = list(csv.reader(io.StringIO(said(capsys, command, case, "--format", "csv"))))
    assert any(f"'={CORPUS[14][1:]}" in row for row in rows), "the corpus is there, shielded"
    assert [cell for row in rows for cell in row if re.match(r"[=+\-@\t\r]", cell)] == []


def test_the_findings_document_is_json_that_another_program_can_read(examination):
    text = json.dumps(examination.document, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == examination.document


def test_the_pages_of_the_findings_hold_the_texts_as_texts_and_stay_small(examination):
    document = examination.document
    site = Site(document, pages_of(document, [(name, notebook(), None) for name in NOTEBOOKS]))
    pages = {"index": site.index("investigate report CASE"), "findings": site.findings()}
    for name, page in pages.items():
        markup = Markup(page)
        assert markup.handlers == [], name
        assert not {"img", "svg", "iframe", "form", "object", "link"} & {
            tag for tag, _ in markup.elements
        }
        assert [link for link in markup.values("a", "href") if MARK in link] == []
        assert invisible_in(page) == [], name
        assert "<code data-copy>curl" not in page, name
        assert "<code data-copy>investigate report CASE;" not in page, name
        assert "<script>window.__pwned=1" in "".join(text for _, text in markup.texts)
        assert len(page.encode("utf-8")) <= SIZES[name], name
