"""HTML of the notebooks: everything escaped, nothing hidden, not-evaluated as loud as a fault."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from investigate import display
from investigate.display import Numbers
from investigate.model import Finding, Outcome, Severity, Step

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m\ud800'


class Elements(HTMLParser):
    """The elements and attributes of some HTML, refusing unbalanced ones."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def finding(code: str = "raw/missing", outcome: Outcome = Outcome.FOUND, **more: object) -> Finding:
    found = outcome is Outcome.FOUND
    values = {
        "severity": Severity.DANGEROUS, "question": "Is it?", "summary": "It is.",
        "key": "event_id", "count": 1 if found else 0, "keys": ("k",) if found else (),
        "reason": None if outcome in (Outcome.FOUND, Outcome.PASSED) else "not captured",
    }  # fmt: skip
    return Finding(code, Step(code.split("/")[0]), outcome, **{**values, **more})


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(display.paragraph(HOSTILE), id="paragraph"),
        pytest.param(display.paragraph(HOSTILE, kind="dangerous"), id="notice"),
        pytest.param(display.table([HOSTILE], [[HOSTILE]], caption=HOSTILE), id="table"),
        pytest.param(display.folded(HOSTILE, display.paragraph("x"), anchor=HOSTILE), id="folded"),
        pytest.param(display.stack(display.paragraph("x"), label=HOSTILE), id="stack"),
        pytest.param(
            display.findings_table(
                [finding(question=HOSTILE, summary=HOSTILE, advice=HOSTILE, reason=HOSTILE)]
            ),
            id="findings",
        ),
        pytest.param(Numbers(HOSTILE, [{HOSTILE: HOSTILE}]).shown(), id="numbers"),
        pytest.param(Numbers("n", unknown=HOSTILE).shown(), id="unknown-numbers"),
    ],
)
def test_nothing_of_the_evidence_becomes_markup(shown):
    elements = Elements(shown.html)
    assert not {"script", "img"} & elements.found
    assert "onerror" not in elements.attributes
    assert not re.search("[\x1b\u202e\ud800]", shown.html + shown.text)


def test_what_hides_or_reorders_text_is_shown_by_number():
    assert display.visible("a\u202eb\x00c\u200bd") == "a\\u202eb\\u0000c\\u200bd"


# Written out by hand, from the tables of Unicode: not what the code derives.
HIDING = (
    "\x00\x0b\r\x1b\x7f\x9b\u00ad\u034f\u061c\u115f\u1160\u17b4\u180e\u200b\u200f\u2028\u2029\u202a\u202e"
    "\u2060\u2066\u2069\u206a\u206f\u2800\u3164\ufeff\uffa0\ufff9\ufffb\U000e0001\U000e0041\U000e007f\udc80"
)


@pytest.mark.parametrize("letter", HIDING, ids=lambda letter: f"U+{ord(letter):04X}")
def test_no_character_that_hides_or_reorders_is_shown_as_itself(letter):
    shown = display.visible(f"a{letter}b")
    assert shown.isascii()
    assert json.loads(f'"{shown}"') == f"a{letter}b"


def test_what_can_be_seen_stays_as_it_is():
    text = "tab\tline\nÄ 中 ع é 👍\ufe0f \u00a0 ✓ – …"
    assert display.visible(text) == text


@pytest.mark.parametrize(
    ("columns", "caption", "name"),
    [(["a", "b"], "Queues <now>", "Queues &lt;now&gt;"), (["a", "b"], "", "Table of a, b")],
)
def test_a_table_that_scrolls_says_its_name_to_a_screen_reader(columns, caption, name):
    shown = display.table(columns, [["1", "2"]], caption=caption).html
    assert f'tabindex="0" role="group" aria-label="{name}"' in shown


@pytest.mark.parametrize(
    ("value", "marked"),
    [
        ("plain", False),
        ("a  b", False),
        ("x" * 300, True),
        ("x\u202ey", True),
        ("", False),
        (1, False),
    ],
)
def test_a_cell_that_does_not_show_its_whole_text_is_marked(value, marked):
    assert ("inv-altered" in display.table(["a"], [[value]]).html) is marked


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("", "–"),
        (True, "yes"),
        (0, "0"),
        (1_000_000, "1000000"),
        (2.5, "2.5"),
        (1234.0, "1,234"),
        (datetime(2026, 3, 10, tzinfo=UTC), "2026-03-10T00:00:00Z"),
        (datetime(2026, 3, 10, 0, 0, 0, 500), "2026-03-10T00:00:00.000500Z"),  # noqa: DTZ001
        (["a", None], "a, –"),
        ("00123", "00123"),
    ],
)
def test_a_cell_shows_a_value_as_people_read_it(value, text):
    assert display.cell_text(value) == text


def test_a_long_value_is_cut_and_says_how_long_it_is():
    shown = display.cell_text("x" * 1234)
    assert len(shown) < 250
    assert shown.endswith("… (1,234 characters)")


def test_our_own_advice_is_never_cut_and_shows_its_code():
    advice = "do " * 200 + "then run `investigate trace`"
    shown = display.findings_table([finding(advice=advice)])
    assert "<code>investigate trace</code>" in shown.html
    assert advice in shown.text


@pytest.mark.parametrize(
    ("shown", "total", "words"),
    [(50, 12_345, "50 of 12,345 rows"), (3, 3, "3 rows"), (1, 1, "1 row")],
)
def test_a_cut_list_says_how_much_of_it_is_shown(shown, total, words):
    assert display.cut(shown, total) == words


def test_columns_that_are_empty_in_all_rows_are_left_out():
    shown = display.row_table([{"a": 1, "b": None}, {"a": None, "b": ""}])
    assert shown.text.splitlines() == ["a", "1", "–"]


def test_findings_come_before_what_is_unknown_and_that_before_what_passed():
    passed = finding("raw/late", Outcome.PASSED)
    unknown = finding("raw/gap", Outcome.NOT_EVALUATED)
    small = finding("raw/misplaced", severity=Severity.SUSPECT)
    order = display.by_weight([passed, unknown, small, finding()])
    assert [f.code for f in order] == ["raw/missing", "raw/misplaced", "raw/gap", "raw/late"]


def test_what_could_not_be_told_says_how_bad_it_could_be():
    shown = display.findings_table([finding(outcome=Outcome.NOT_EVALUATED)])
    assert "not-evaluated (would be dangerous)" in shown.text
    assert "inv-badge inv-not-evaluated" in shown.html


def test_a_finding_from_a_part_of_the_evidence_says_there_may_be_more():
    shown = display.findings_table([finding(reason="raw: partial")])
    assert "There may be more: raw: partial" in shown.html


def test_the_strip_has_six_steps_and_marks_where_we_are():
    shown = display.strip([finding()], Step.RAW)
    assert shown.html.count('<li class="inv-step') == 6
    assert shown.html.count('aria-current="step"') == 1
    assert shown.text.startswith("raw: dangerous (1 found) → events: not-evaluated (no checks)")


def test_every_verdict_has_a_mark_a_colour_and_a_style():
    words = [severity.label for severity in Severity] + ["passed", "not-evaluated", "error"]
    assert set(display.MARKS) == set(display.COLOURS) == set(words)
    assert len(set(display.MARKS.values())) == len(words)


def test_every_class_written_is_ours():
    pieces = [display.strip([finding()]), display.findings_table([finding()])]
    pieces += [display.folded("a", display.paragraph("b", kind="error"))]
    classes = {
        name
        for piece in pieces
        for value in re.findall(r'class="([^"]*)"', piece.html)
        for name in value.split()
    }
    assert all(name.startswith("inv-") for name in classes)


def test_the_style_sheet_loads_nothing_and_styles_only_what_is_ours():
    sheet = re.sub(r"/\*.*?\*/", "", display.stylesheet(), flags=re.DOTALL)
    assert "url(" not in sheet
    assert "@import" not in sheet
    assert all(name.startswith("inv-") for name in re.findall(r"\.([a-z][\w-]*)", sheet))


def test_an_output_is_html_with_the_same_as_text():
    bundle = display.paragraph("a <b>")._repr_mimebundle_()
    assert bundle == {"text/html": '<p class="inv-p">a &lt;b&gt;</p>', "text/plain": "a <b>"}
    json.dumps(bundle)


def test_numbers_that_are_missing_are_as_loud_as_a_fault():
    shown = Numbers("lags", unknown="raw: denied").shown()
    assert "inv-not-evaluated" in shown.html
    assert "raw: denied" in shown.text


def test_numbers_that_are_none_say_so():
    assert Numbers("silences").shown().text == "silences: there are none."


def test_numbers_are_folded_and_cut():
    shown = Numbers("many", [{"n": n} for n in range(100)]).shown(limit=2)
    assert shown.text.splitlines() == ["The numbers: many (2 of 100 rows)", "n", "0", "1"]


def test_the_cells_of_findings_say_their_column_where_they_stand_below_each_other():
    found = display.table(["what <to> do"], [["x"]], kind="findings").html
    assert 'data-label="what &lt;to&gt; do"' in found
    assert "data-label" not in display.table(["what to do"], [["x"]]).html


def test_the_script_of_the_tables_is_an_output_of_its_own_before_the_headline(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    display.Opening("<p>verdict</p>", "verdict")._ipython_display_()
    assert [sorted(data) for data in shown] == [
        [display.SCRIPT_MIME, "text/plain"], ["text/html", "text/plain"],
    ]  # fmt: skip
    assert shown[0][display.SCRIPT_MIME] == display.script()


def test_the_script_asks_no_host_and_makes_no_markup_of_what_it_reads():
    text = display.script()
    for word in ("http:", "https:", "fetch(", "XMLHttpRequest", "innerHTML", "eval(", "import("):
        assert word not in text
