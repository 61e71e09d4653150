from __future__ import annotations

import json
import re

import nbformat
import plotly.graph_objects as go
import pytest

from investigate import display
from investigate.figures.style import drawing
from investigate.investigation import RESULT_MIME
from investigate.report.notebooks import NOTEBOOKS, OVERVIEW, TRACE, page_of
from investigate.report.page import cells_of, has_figures, script_data, title_of
from investigate.report.site import Site, pages_of
from tests.report.markup import ADDRESS, Markup
from tests.report.samples import HARMLESS, HOSTILE, document, notebook

v4 = nbformat.v4
OURS = ["assets/report.js", "assets/display.js"]


def outputs_page(*outputs, failure=None, told=None):
    """The page of a notebook whose first cell has these outputs."""
    made = notebook("code()")
    made.cells[2].outputs = list(outputs)
    told = told or document()
    return Site(told, pages_of(told, [("01_raw_data", made, failure)])).page(0)


def shown(**data):
    return v4.new_output(
        "display_data", data={name.replace("__", "/"): v for name, v in data.items()}
    )


def figure(text):
    traces = [go.Bar(x=[text, "b"], y=[1, 2], name=text)]
    made = drawing(traces, text, sentence=text)
    return v4.new_output("display_data", data=made._repr_mimebundle_())


def test_a_figure_is_data_beside_its_place_and_plotly_is_loaded_from_the_report():
    page = Markup(outputs_page(figure("Where do events drop out?")))
    sources = page.values("script", "src")
    assert [name.split("-")[0] for name in sources] == ["assets/plotly", "assets/figures.js", *OURS]
    (place,) = [a for tag, a in page.elements if tag == "figure"]
    assert place["aria-label"].startswith("Where do events drop out?")
    given = [json.loads(text) for tag, text in page.texts if tag == "script"]
    assert given[0]["data"][0]["x"] == ["Where do events drop out?", "b"]
    assert set(given[1]) == {"light", "dark"}


def test_the_title_of_a_figure_is_a_line_of_the_page_where_it_can_wrap():
    markup = Markup(outputs_page(figure("Where <b>do</b> events drop out?")))
    captions = [" ".join(text.split()) for tag, text in markup.texts if tag == "figcaption"]
    assert captions == ["Where <b>do</b> events drop out?"]
    (drawn,) = [
        json.loads(text) for tag, text in markup.texts if tag == "script" and "data" in text
    ]
    assert "title" not in drawn["layout"]


def test_a_page_without_a_figure_loads_no_plotly():
    page = Markup(outputs_page(shown(text__plain="1")))
    assert page.values("script", "src") == OURS
    assert not has_figures(cells_of(notebook("1")))


def test_the_json_of_a_figure_survives_what_would_end_a_script():
    value = {"a": [HOSTILE, "</script>", "<!--", "\u2028"]}
    text = script_data(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_html_comes_before_plain_text_and_a_figure_before_both():
    page = Markup(outputs_page(shown(text__plain="plain", text__html="<b>rich</b>")))
    assert page.text_of("b") == "rich"
    assert "plain" not in page.text_of("pre")


def test_an_unknown_kind_of_output_is_named_and_not_shown():
    data = {"image/svg+xml": "<svg onload=alert(1)>", "text/vnd.mermaid": "graph"}
    page = Markup(outputs_page(v4.new_output("display_data", data=data)))
    assert "svg" not in {tag for tag, _ in page.elements}
    notes = page.text_of("p")
    assert "image/svg+xml is not shown" in notes
    assert "text/vnd.mermaid is not shown" in notes
    assert "01_raw_data.ipynb" in notes


def test_the_result_for_machines_is_not_for_readers():
    data = {RESULT_MIME: {"verdict": "x"}, "text/plain": "raw: passed"}
    page = outputs_page(v4.new_output("display_data", data=data))
    assert "raw: passed" in page
    assert "not shown" not in page


def test_a_script_that_an_output_brings_is_neither_run_nor_mentioned():
    data = {display.SCRIPT_MIME: "alert(1)", "text/plain": display.SCRIPT_TEXT}
    page = outputs_page(v4.new_output("display_data", data=data))
    assert "alert" not in page
    assert display.SCRIPT_TEXT not in page
    assert "not shown" not in page


def test_an_error_shows_what_was_raised_and_folds_where():
    error = v4.new_output("error", ename="ValueError", evalue="no", traceback=["line 1", "line 2"])
    page = Markup(outputs_page(error))
    assert "ValueError: no" in page.text_of("strong")
    assert "line 1\nline 2" in page.text_of("pre")


def test_a_notebook_that_failed_says_so_on_top():
    page = Markup(outputs_page(failure="the kernel died"))
    assert "This notebook did not come to its end" in page.text_of("h2")
    assert "the kernel died" in page.text_of("p")
    assert page.values("section", "role") == ["alert"]


@pytest.mark.parametrize(
    "make",
    [
        lambda text: shown(text__plain=text),
        lambda text: shown(text__html=display.table([text], [[text]], caption=text).html),
        lambda text: shown(text__html=display.paragraph(text).html),
        lambda text: v4.new_output("stream", name="stdout", text=text),
        lambda text: v4.new_output("stream", name="stderr", text=text),
        lambda text: v4.new_output("error", ename=text, evalue=text, traceback=[text]),
        lambda text: v4.new_output("display_data", data={text: text}),
        figure,
    ],
    ids=["plain", "table", "paragraph", "stdout", "stderr", "error", "mime", "figure"],
)
def test_hostile_output_stays_text(make):
    hostile, harmless = Markup(outputs_page(make(HOSTILE))), Markup(outputs_page(make(HARMLESS)))
    assert hostile.handlers == []
    assert hostile.shape == harmless.shape


def test_a_hostile_case_and_failure_stay_text():
    told = document(case=HOSTILE)
    hostile = Markup(outputs_page(failure=HOSTILE, told=told))
    assert hostile.handlers == []
    assert hostile.shape == Markup(outputs_page(failure="harmless")).shape


def test_code_is_folded_and_a_cell_without_output_shows_only_with_the_code():
    page = Markup(outputs_page(shown(text__plain="1")))
    classes = page.values("div", "class")
    assert classes.count("step silent") == 2  # the parameters, and the result that never ran
    assert page.values("details", "class") == ["code"] * 3
    assert all("open" not in a for tag, a in page.elements if tag == "details")


def test_a_link_to_another_notebook_leads_to_its_page():
    assert "01_raw_data.html" in Markup(outputs_page()).values("a", "href")


def test_a_page_names_no_host_and_lets_nothing_but_its_own_scripts_run():
    text = outputs_page(figure("a"))
    assert re.search(ADDRESS, text) is None
    (policy,) = [
        a["content"]
        for tag, a in Markup(text).elements
        if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'none'"
    assert rules["script-src"] == "'self' file:"


def test_the_title_is_the_first_heading():
    assert title_of(notebook(), "otherwise") == "A title"
    assert title_of(v4.new_notebook(), "otherwise") == "otherwise"


def test_every_step_and_chapter_has_one_page():
    assert page_of("raw") == "01_raw_data.html"
    assert page_of("retries") == "07_retries.html"
    assert page_of("dashboards") is None
    assert [name for name, step in NOTEBOOKS.items() if step is None] == [OVERVIEW, TRACE]
