"""The report as a person sees and uses it: from the file system, with the network off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from investigate.report.notebooks import NOTEBOOKS, OVERVIEW
from tests.browser.conftest import PHONE, SCREEN, Visit

pytestmark = pytest.mark.browser

PAGES = ["index", "findings", *NOTEBOOKS]
GRAVE = ("serious", "critical")
# Looking at colours is most of the work, and the rows of a table are all made alike.
COLOURS = "color-contrast"
ONLY_COLOURS = {"runOnly": {"type": "rule", "values": [COLOURS]}}
NO_COLOURS = {"rules": {COLOURS: {"enabled": False}}}
LIKE_OTHERS = {"exclude": [["tbody tr:nth-child(n+4)"], [".finding:nth-child(n+8)"]]}
WIDTH = "document.documentElement.scrollWidth"
GROUNDS = "[...document.querySelectorAll('svg.main-svg')].map((svg) => svg.style.background)"


@dataclass(frozen=True)
class Seen:
    """What one visit of a page showed, in light, in dark and on a phone."""

    console: list[str]
    requests: list[str]
    figures: int
    drawn: int
    sentences: list[str]
    barriers: Mapping[str, list[str]]
    grounds: Mapping[str, set[str]]
    phone_width: int


def barriers(visit: Visit, options: Mapping[str, Any] | None = None) -> list[str]:
    found = Axe().run(visit.page, LIKE_OTHERS, options or {}).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in GRAVE
    ]


def look(visit: Visit) -> Seen:
    visit.draw_all()
    found, grounds = {"light": barriers(visit)}, {"light": set(visit.ask(GROUNDS)) - {""}}
    visit.page.emulate_media(color_scheme="dark")
    visit.draw_all()
    found["dark"], grounds["dark"] = barriers(visit, ONLY_COLOURS), set(visit.ask(GROUNDS)) - {""}
    visit.page.emulate_media(color_scheme="light")
    visit.page.set_viewport_size(PHONE)
    found["phone"] = barriers(visit, NO_COLOURS)
    labels = "[...document.querySelectorAll('figure.plot')].map((one) => one.ariaLabel)"
    return Seen(
        console=visit.console,
        requests=visit.requests,
        figures=visit.count("figure.plot"),
        drawn=visit.count("figure.plot .js-plotly-plot svg.main-svg:first-child"),
        sentences=visit.ask(labels),
        barriers=found,
        grounds=grounds,
        phone_width=visit.ask(WIDTH),
    )


@pytest.fixture(scope="module")
def seen(visitor, report):
    """What each page showed; it is visited once."""
    known: dict[str, Seen] = {}

    def see(name: str) -> Seen:
        if name not in known:
            with visitor.visit(report / f"{name}.html") as visit:
                known[name] = look(visit)
        return known[name]

    return see


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_without_a_word_on_the_console(seen, name):
    assert seen(name).console == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_but_files_of_its_report(seen, report, name):
    assert seen(name).requests[0] == (report / f"{name}.html").as_uri()
    assert [one for one in seen(name).requests if not one.startswith(report.as_uri())] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_figure_is_drawn_and_says_in_words_what_it_shows(seen, name):
    assert seen(name).figures > 0
    assert seen(name).drawn == seen(name).figures
    assert len(seen(name).sentences) == seen(name).figures
    assert [sentence for sentence in seen(name).sentences if len(sentence) < 10] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_tables_can_be_sorted_and_copied_and_long_ones_filtered(visitor, report, name):
    with visitor.visit(report / f"{name}.html") as visit:
        tools, sortable = visit.count(".inv-tools"), visit.count(".inv-sort")
        assert 0 < tools < sortable
        assert visit.count(".inv-tools [type=search]") > 0 or name != OVERVIEW


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_barrier_in_light_in_dark_or_on_a_phone(seen, name):
    assert seen(name).barriers == {"light": [], "dark": [], "phone": []}


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_only_tables_and_figures_scroll_sideways_and_not_the_page(seen, name):
    assert seen(name).phone_width <= PHONE["width"]


def test_figures_take_the_colours_of_the_page(seen):
    grounds = seen("00_overview").grounds
    assert grounds["light"] == {"rgb(255, 255, 255)"}
    assert grounds["dark"] == {"rgb(20, 24, 28)"}


def test_the_first_screen_says_how_bad_where_from_what_and_begins_with_what_to_do(visitor, report):
    with visitor.visit(report / "index.html") as visit:
        for place in ("#verdict", ".walk", ".facts", "#do", "#do-not"):
            box = visit.page.locator(place).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < SCREEN["height"], place
        first = visit.page.locator("#do + ol li").first.bounding_box()
        assert first is not None
        assert first["y"] < SCREEN["height"] - 100


def test_a_link_to_the_rows_of_a_finding_opens_their_fold_and_no_other(visitor, report):
    with visitor.visit(report / "01_raw_data.html", "rows-raw-missing") as visit:
        opened = "[...document.querySelectorAll('details[id^=rows-][open]')].map((one) => one.id)"
        assert visit.ask(opened) == ["rows-raw-missing"]


@pytest.mark.parametrize("clipboard", ["there", "kept from files"])
def test_a_button_copies_the_whole_id_and_says_so(visitor, report, clipboard):
    permissions = ["clipboard-read", "clipboard-write"]
    with visitor.visit(report / "index.html", permissions=permissions) as visit:
        visit.ask("navigator.clipboard.writeText('before')")
        if clipboard != "there":
            visit.ask(
                "void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))"
            )
        button = visit.page.locator("button.copy").first
        button.focus()
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_function("document.querySelector('[role=status]').textContent")
        copied = visit.ask("navigator.clipboard.readText()")
        assert button.get_attribute("aria-label") == f"Copy {copied}"
        assert len(copied) == 64
        assert visit.page.locator("[role=status]").text_content() == "copied"
        assert visit.ask("document.activeElement.ariaLabel") == f"Copy {copied}", "focus stays"


def test_one_button_copies_a_list_of_ids_one_a_line(visitor, report):
    permissions = ["clipboard-read", "clipboard-write"]
    with visitor.visit(report / "findings.html", "raw-missing", permissions=permissions) as visit:
        visit.page.locator("#raw-missing summary").click()
        visit.page.get_by_role("button", name="Copy these 7, one a line").first.click()
        visit.page.wait_for_function("document.querySelector('[role=status]').textContent")
        ids = visit.ask("navigator.clipboard.readText()").split("\n")
        assert ids == visit.page.locator("#raw-missing ul.keys code").all_text_contents()


def test_without_scripts_a_page_offers_nothing_that_does_not_work_and_hides_nothing(
    visitor, report
):
    with visitor.visit(report / "01_raw_data.html", java_script_enabled=False) as visit:
        assert visit.page.get_by_role("button").count() == 0
        assert visit.page.locator(".step.silent").first.is_visible()
    with visitor.visit(report / "findings.html", java_script_enabled=False) as visit:
        assert visit.page.get_by_role("button").count() == 0
        visit.page.locator("#raw-missing summary").click()
        assert visit.page.locator("#raw-missing ul.keys").is_visible()


def test_the_keyboard_reaches_the_content_first_and_every_table_that_scrolls(visitor, report):
    with visitor.visit(report / "01_raw_data.html") as visit:
        visit.page.keyboard.press("Tab")
        skip = visit.page.locator("a.skip")
        assert visit.ask("document.activeElement.className") == "skip"
        box = skip.bounding_box()
        assert box is not None
        assert box["y"] >= 0, "it is seen when it has the focus"
        visit.page.keyboard.press("Enter")
        assert visit.page.url.endswith("#content")
        unreachable = (
            "[...document.querySelectorAll('.inv-scroll')].filter((one) => one.tabIndex !== 0)"
        )
        assert visit.ask(f"{unreachable}.length") == 0


def test_code_is_shown_with_one_click_and_hidden_with_the_next(visitor, report):
    with visitor.visit(report / "01_raw_data.html") as visit:
        closed = visit.count("details.code:not([open])")
        assert closed > 5
        visit.page.get_by_role("button", name="Show the code").click()
        assert visit.count("details.code:not([open])") == 0
        visit.page.get_by_role("button", name="Show the code").click()
        assert visit.count("details.code[open]") == 0


def test_on_paper_figures_and_tables_fit_ids_are_unfolded_and_code_is_not_there(visitor, report):
    with visitor.visit(report / "06_aggregates.html", color_scheme="dark") as visit:
        visit.ask("window.dispatchEvent(new Event('beforeprint'))")
        visit.page.emulate_media(media="print")
        visit.page.set_viewport_size({"width": 718, "height": 1000})
        assert visit.ask(WIDTH) <= 718
        assert visit.count("svg.main-svg") >= visit.count("figure.plot") > 0
        assert set(visit.ask(GROUNDS)) - {""} == {"rgb(255, 255, 255)"}
        assert visit.count("details[id^=rows-]:not([open])") == 0
        assert not visit.page.locator("details.code").first.is_visible()
        assert not visit.page.locator(".bar").is_visible()
        visit.ask("window.dispatchEvent(new Event('afterprint'))")
        assert visit.count("details[id^=rows-][open]") == 0
    with visitor.visit(report / "findings.html") as visit:
        visit.ask("window.dispatchEvent(new Event('beforeprint'))")
        assert visit.count("details.keys:not([open])") == 0
        assert visit.page.pdf(format="A4").startswith(b"%PDF")


def test_the_policy_of_a_page_stops_a_script_that_got_into_it(visitor, report):
    changed = with_a_script(report / "01_raw_data.html")
    try:
        with visitor.visit(changed) as visit:
            visit.draw_all()
            assert visit.page.title() != "evil"
            assert len([line for line in visit.console if "Content Security Policy" in line]) >= 2
            assert visit.count("figure.plot svg.main-svg:first-child") >= visit.count("figure.plot")
    finally:
        changed.unlink()


def with_a_script(page: Path) -> Path:
    """A copy of a page into which somebody got a script and a handler."""
    evil = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">"
    changed = page.with_name("changed.html")
    text = page.read_text(encoding="utf-8")
    changed.write_text(text.replace("<main", f"{evil}<main", 1), encoding="utf-8")
    return changed


@pytest.fixture(scope="module")
def sent(report, tmp_path_factory):
    """The one file, alone in another folder, as who got it by mail has it."""
    alone = tmp_path_factory.mktemp("sent") / "report.html"
    alone.write_bytes((report / "report.html").read_bytes())
    return alone


def test_the_file_to_send_opens_alone_and_draws_only_what_is_near(visitor, sent):
    with visitor.visit(sent) as visit:
        assert visit.page.locator("#index--verdict").is_visible()
        figures = visit.count("figure.plot")
        assert figures > 20
        assert visit.count(".js-plotly-plot") < figures / 4, "the rest is drawn when it is reached"
        visit.draw_all()
        assert visit.count("figure.plot .js-plotly-plot") == figures
        assert visit.console == []
        assert visit.requests == [sent.as_uri()]


def test_the_file_to_send_has_no_barrier_and_its_links_lead_into_it(visitor, sent):
    with visitor.visit(sent) as visit:
        assert barriers(visit, NO_COLOURS) == [], "the colours are those of the pages"
        visit.page.locator("#index .lines a").first.click()
        assert visit.page.url.endswith("#findings--raw-missing")
        visit.page.locator("#findings--raw-missing .moves a").click()
        fold = visit.page.locator("details[id='01_raw_data--rows-raw-missing']")
        fold.locator("table").wait_for(state="visible")


def test_the_policy_of_the_file_to_send_stops_a_script_that_got_into_it(visitor, sent):
    with visitor.visit(with_a_script(sent)) as visit:
        assert visit.page.title() != "evil"
        assert len([line for line in visit.console if "Content Security Policy" in line]) >= 2
