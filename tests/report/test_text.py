from __future__ import annotations

from investigate.report.text import render
from investigate.terminal_text import WIDTH, labelled, printable, table
from tests.report.samples import HOSTILE, document, entry


def test_the_verdict_and_the_first_broken_step_stand_first():
    lines = render(document(entry("events/reused-id"))).splitlines()
    assert lines[0] == "DANGEROUS  sample"
    assert "first broken step of those asked about is events" in lines[3]


def test_the_broken_step_is_marked_in_the_table_of_steps():
    said = render(document(entry("events/reused-id"), entry("raw/gap", "passed")))
    (line,) = [line for line in said.splitlines() if "<- first broken step" in line]
    assert line.split()[:4] == ["events", "dangerous", "1", "0"]


def test_a_step_nobody_asked_about_is_not_called_passed():
    said = render(document(entry("raw/gap", "passed")))
    assert "sqs         not asked" in said


def test_a_finding_shows_five_keys_and_says_how_many_more_there_are():
    said = render(document(entry("raw/corrupt", keys=[f"key-{n}" for n in range(17)])))
    assert "key-4" in said
    assert "key-5" not in said
    assert "… and 12 more" in said


def test_a_finding_says_what_to_do_and_what_not():
    said = render(document(entry("raw/corrupt")))
    assert "do         Mend raw/corrupt." in said
    assert "do not     Hide raw/corrupt." in said


def test_expected_findings_stand_apart_from_those_that_matter():
    said = render(document(entry("events/duplicate", severity="expected"), entry("raw/corrupt")))
    assert said.index("raw/corrupt") < said.index("EXPECTED") < said.index("events/duplicate")


def test_what_could_not_be_told_is_listed_with_its_reason():
    said = render(document(entry("raw/gap", "not-evaluated"), entry("raw/late", "error")))
    assert "raw/gap  not evaluated" in said
    assert "raw/late  failed" in said
    assert said.count("because    raw: denied") == 2


def test_no_line_is_wider_than_a_terminal():
    long = "Look at this. " * 40
    entries = [entry("raw/corrupt", advice=long, avoid=long, summary=long, reason=long)]
    said = render(document(*entries, entry("raw/gap", "not-evaluated", reason=long)))
    assert max(map(len, said.splitlines())) <= WIDTH


def test_evidence_cannot_move_the_cursor_or_turn_the_writing_round():
    said = render(document(entry("raw/corrupt", keys=[HOSTILE, "a\nb\r"]), case=HOSTILE))
    assert all(line.isprintable() for line in said.splitlines())
    assert "a\\nb\\r" in said


def test_printable_keeps_ordinary_text_of_any_language():
    assert printable("año 東京 – ok") == "año 東京 – ok"


def test_a_key_stands_whole_on_one_line_however_long_it_is():
    keys = ["raw/source=a b/event_type=c/" + "x" * 120, "y " * 80 + "z"]
    said = render(document(entry("raw/corrupt", keys=keys)))
    lines = [line.strip() for line in said.splitlines()]
    assert f"event_id   {keys[0]}" in lines
    assert keys[1] in lines


def test_the_verdict_stands_at_the_end_again_after_how_to_see_the_rows():
    lines = render(document(entry("raw/corrupt"))).rstrip().splitlines()
    assert lines[-1] == lines[0]
    assert "investigate check CASE --rows CODE" in lines[-3]


def test_a_table_aligns_its_columns():
    assert table([("A", "B"), ("long", 1)]) == "A     B\nlong  1"


def test_a_long_label_still_stands_apart_from_its_text():
    assert labelled("source type start end", "web") == "  source type start end web"
