"""The report as one file: everything in it, nothing but its own scripts, every link inside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from nbformat import v4

from investigate.figures.style import drawing
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.single_file import digests, parts_of
from investigate.report.site import Site, pages_of, scripts
from tests.report.markup import Markup
from tests.report.samples import HARMLESS, HOSTILE, document, entry, notebook


def site(text=HARMLESS):
    """A report with a figure and a text of somebody else's on its second page."""
    told = document(entry("raw/missing", keys=[text, "b"]), entry("raw/gap", "passed"), case=text)
    made = {name: notebook("code()") for name in NOTEBOOKS}
    shown = drawing([{"type": "bar", "x": [text], "y": [1]}], text, sentence=text)
    made["01_raw_data"].cells[2].outputs = [
        v4.new_output("display_data", data=shown._repr_mimebundle_()),
        v4.new_output("stream", name="stdout", text=f'<a id="x" href="#y"> {text}'),
    ]
    return Site(told, pages_of(told, [(name, made[name], None) for name in NOTEBOOKS]))


@pytest.fixture(scope="module")
def single():
    return site().single("investigate report CASE")


def test_the_file_holds_every_page_and_every_script(single):
    markup = Markup(single)
    assert {"index", "findings", *NOTEBOOKS} <= set(markup.ids)
    assert markup.values("script", "src") == []
    for script in scripts().values():
        assert script.read_text(encoding="utf-8") in single


def test_the_policy_lets_exactly_the_scripts_of_the_file_run(single):
    (policy,) = [text for text in Markup(single).values("meta", "content") if "script-src" in text]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    inline = re.findall(r"<script>(.*?)</script>", single, flags=re.DOTALL)
    expected = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline
    ]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in expected]
    assert len(inline) == len(scripts())
    assert rules["default-src"] == "'none'"


def test_every_link_leads_to_a_place_in_the_file_and_no_place_has_two(single):
    markup = Markup(single)
    links = markup.values("a", "href")
    assert len(links) > 20
    assert [link for link in links if not link.startswith("#")] == []
    # These notebooks are too small to have the rows of a finding.
    places = {link[1:] for link in links if "--rows-" not in link}
    assert places <= set(markup.ids)
    assert len(markup.ids) == len(set(markup.ids))
    named = markup.values("section", "aria-labelledby")
    assert set(named) <= set(markup.ids)


def test_a_text_that_looks_like_a_tag_is_not_changed(single):
    assert '<a id="x" href="#y"> harmless' in Markup(single).text_of("pre")


def test_the_figures_keep_their_data(single):
    given = [
        json.loads(text) for tag, text in Markup(single).texts if tag == "script" and text[0] == "{"
    ]
    assert [sorted(one) for one in given] == [["data", "layout"], ["dark", "light"]]


def test_hostile_evidence_stays_text_in_the_one_file_too(single):
    hostile = Markup(site(HOSTILE).single("investigate report CASE"))
    assert hostile.shape == Markup(single).shape


def test_a_script_that_would_end_its_element_is_refused():
    with pytest.raises(ValueError, match="cannot stand inside a page"):
        digests(["a", "'</SCRIPT>'"])


def test_a_page_without_its_main_part_is_refused():
    with pytest.raises(ValueError, match="the page index has no main part"):
        parts_of({"index": ("Summary", "<p>nothing</p>")})
