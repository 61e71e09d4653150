"""Everybody is told what they do not know yet, once; what failed is tried again."""

from __future__ import annotations

import pytest

from investigate.model import Severity
from investigate.notify.message import ReportPaths
from investigate.notify.targets import targets_of
from investigate.notify.tell import Delivery, tell
from investigate.notify.told_before import ToldBefore, file_for
from tests.report.samples import document, entry

FIRST = entry("raw/missing", severity="escalate", keys=["a", "b"])


@pytest.fixture
def run(listener, tmp_path):
    def tell_of(*entries, urls=(), level=Severity.DANGEROUS, **changes):
        return list(
            tell(
                document(*entries, **changes),
                targets_of(urls or [listener.url]),
                level=level,
                where=ReportPaths("CASE", "out/index.html"),
                memory=file_for(tmp_path / "out"),
            )
        )

    return tell_of


def test_one_finding_is_told_once(run, listener):
    assert [delivery.told for delivery in run(FIRST) + run(FIRST)] == [1, 0]
    assert len(listener.heard) == 1


def test_only_the_new_finding_is_told(run, listener):
    run(FIRST)
    run(FIRST, entry("sqs/poison"))
    assert "sqs/poison: 1 (new)" in listener.heard[1]["message"]
    assert "raw/missing" not in listener.heard[1]["message"]


def test_a_finding_with_more_keys_is_told_as_changed(run, listener):
    run(FIRST)
    run(entry("raw/missing", severity="escalate", keys=["a", "b", "c"]))
    assert "raw/missing: 3 (changed, 2 before)" in listener.heard[1]["message"]


def test_what_is_below_the_level_is_not_told_until_the_level_is_lower(run, listener):
    late = entry("raw/late", severity="suspect")
    assert run(late)[0].told == 0
    assert listener.heard == []
    assert run(late, level=Severity.SUSPECT)[0].told == 1


def test_another_case_is_told_of_the_same(run, listener):
    run(FIRST)
    run(FIRST, case="another")
    assert len(listener.heard) == 2


def test_what_failed_is_tried_again_and_the_others_are_told_meanwhile(run, listener):
    other = f"{listener.url}/other"
    listener.answer = 500
    assert "500" in run(FIRST)[0].failure
    listener.answer = 200
    assert [delivery.told for delivery in run(FIRST, urls=[listener.url, other])] == [1, 1]
    assert [delivery.told for delivery in run(FIRST, urls=[other, listener.url])] == [0, 0]


def test_a_url_that_is_named_twice_is_told_once(run, listener):
    assert [delivery.told for delivery in run(FIRST, urls=[listener.url] * 2)] == [1, 0]


def test_what_was_told_but_cannot_be_remembered_is_a_failure(run, listener, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ToldBefore, "add", full)
    assert run(FIRST) == [
        Delivery(
            f"target 1 (json://127.0.0.1:{listener.port}/***)",
            failure="it was told, but that cannot be remembered: No space left on device",
        )
    ]
    assert len(listener.heard) == 1
