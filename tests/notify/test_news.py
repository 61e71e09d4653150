"""What is news, and what people know already."""

from __future__ import annotations

from investigate.model import Severity
from investigate.notify.news import at_or_above, identity, not_told_before
from tests.report.samples import document, entry


def found(*keys: str):
    return at_or_above(document(entry("raw/missing", keys=keys)), Severity.SUSPECT)


def known(*states):
    return {
        "raw/missing": [(news.digest, news.count) for state in states for news in found(*state)]
    }


def test_what_was_never_told_is_new():
    assert [news.before for news in not_told_before(found("a"), {})] == [None]


def test_what_was_told_with_these_keys_is_no_news():
    assert not_told_before(found("a", "b"), known("ab")) == []


def test_more_keys_are_news_and_say_how_many_there_were():
    assert [news.before for news in not_told_before(found("a", "b"), known("a"))] == [1]


def test_other_keys_of_the_same_number_are_news():
    assert [news.before for news in not_told_before(found("c"), known("a"))] == [1]


def test_a_finding_that_comes_back_as_it_was_is_no_news():
    assert not_told_before(found("a"), known("a", "ab")) == []


def test_a_count_beyond_the_listed_keys_makes_a_difference():
    page = document(entry("raw/missing", keys=["a"], count=20_000))
    assert at_or_above(page, Severity.SUSPECT)[0].digest != found("a")[0].digest


def test_another_name_window_or_entity_is_another_case_and_another_capture_is_not():
    first = document(entry("raw/missing"))
    later = {**first["window"], "end": "2026-03-12T00:00:00Z"}
    others = [{**first, "case": "b"}, {**first, "window": later}, {**first, "entities": ["e"]}]
    assert len({identity(page) for page in [first, *others]}) == 4
    assert identity({**first, "captured_at": "2026-03-13T00:00:00Z"}) == identity(first)
