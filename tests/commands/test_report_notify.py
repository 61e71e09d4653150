"""`investigate report --notify`: the findings come first, and nobody is told twice."""

from __future__ import annotations

import json

import pytest

from investigate.commands import report
from investigate.findings import examine
from tests.builders import Event, event_row, evidence_of, raw_row
from tests.notify.listener import listening
from tests.report.samples import seven_notebooks

PAYLOAD, SECRET = "4242-4242-4242-4242", "s3cretpath"


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with listening() as heard:
        yield heard


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    """A case in which the raw object of `b` is missing and `a` was overwritten with a card."""
    a, b = Event("a"), Event("b")
    payload = json.dumps({"card": PAYLOAD})
    index = [event_row(a), event_row(b)]
    rows = [{**raw_row(a), "payload": payload, "payload_sha_actual": "0" * 64}]
    return evidence_of(tmp_path_factory.mktemp("cases"), raw=rows, events=index)


@pytest.fixture(scope="module")
def examined(lost):
    return examine(lost)


@pytest.fixture
def run(ask, lost, examined, tmp_path, monkeypatch):
    folder = seven_notebooks(tmp_path / "notebooks")
    monkeypatch.setattr(report, "default_folder", lambda: folder)
    monkeypatch.setattr(report, "examine", lambda evidence: examined)
    # What the notebooks do is the business of other tests.
    monkeypatch.setattr("investigate.report.build.execute_all", lambda *_, **__: [])

    def report_on(*arguments: object):
        return ask("report", lost.case.folder, "--out", tmp_path / "out", *arguments)

    return report_on


def test_people_are_told_once_and_the_exit_code_is_that_of_the_findings(run, listener):
    first = run("--notify", listener.url)
    again = run("--notify", listener.url)
    assert (first[0], again[0]) == (1, 1)
    assert len(listener.heard) == 1
    assert "raw/missing: 1 (new)" in listener.heard[0]["message"]
    assert f"target 1 (json://127.0.0.1:{listener.port}/***): told of" in first[2]
    assert "nothing new at or above dangerous" in again[2]


def test_a_message_holds_no_payload_and_no_secret_of_its_target(run, listener):
    _, out, err = run("--notify", listener.url)
    assert "raw/payload-mismatch" in listener.heard[0]["message"]
    heard = json.dumps(listener.heard)
    assert PAYLOAD not in heard
    assert SECRET not in heard + out + err


def test_a_delivery_that_fails_is_exit_code_4_and_hides_nothing(run, listener, tmp_path):
    listener.answer = 500
    code, out, err = run("--notify", listener.url)
    assert code == 4
    assert out.startswith("ESCALATE  ")
    assert (tmp_path / "out" / "findings.json").is_file()
    assert f"target 1 (json://127.0.0.1:{listener.port}/***) was not told: " in err
    assert "error=500" in err
    assert SECRET not in out + err
    listener.answer = 200
    assert run("--notify", listener.url)[0] == 1
    assert len(listener.heard) == 2


def test_what_is_below_the_level_is_not_told(run, listener):
    assert run("--notify", listener.url, "--notify-at", "escalate")[0] == 1
    assert "raw/missing" in listener.heard[0]["message"]
    assert "raw/payload-mismatch" not in listener.heard[0]["message"]


def test_a_schedule_names_its_targets_in_the_environment(run, listener, monkeypatch):
    monkeypatch.setenv("INVESTIGATE_NOTIFY", f"{listener.url}/a  {listener.url}/b")
    run()
    assert len(listener.heard) == 2
    run("--notify", f"{listener.url}/c")
    assert len(listener.heard) == 3


def test_without_a_target_nothing_is_remembered(run, tmp_path, monkeypatch):
    monkeypatch.delenv("INVESTIGATE_NOTIFY", raising=False)
    assert run()[0] == 1
    assert list(tmp_path.glob(".out*")) == []


@pytest.mark.parametrize("url", ["slack://hunter2", "hunter2"])
def test_a_bad_url_is_exit_code_2_before_anything_runs(run, tmp_path, url):
    code, out, err = run("--notify", url)
    assert (code, out) == (2, "")
    assert "docs/notifications.md" in err
    assert "running" not in err
    assert "hunter2" not in err
    assert not (tmp_path / "out").exists()


def test_a_url_in_the_wrong_place_is_not_shown_either(run):
    code, _, err = run("--notify", "json://127.0.0.1", "slack://hunter2/hunter2")
    assert code == 2
    assert "'slack://***'" in err
    assert "hunter2" not in err


def test_a_memory_that_cannot_be_read_is_exit_code_2_before_anything_runs(run, listener, tmp_path):
    (tmp_path / ".out.notified.json").write_text("{", encoding="utf-8")
    code, out, err = run("--notify", listener.url)
    assert (code, out) == (2, "")
    assert "move the file away" in err
    assert listener.heard == []


def test_a_memory_that_cannot_be_kept_hides_nothing_and_is_exit_code_4(run, listener, tmp_path):
    (tmp_path / ".out.notified.lock").mkdir()
    code, out, err = run("--notify", listener.url)
    assert code == 4
    assert out.startswith("ESCALATE  ")
    assert "not told: target 1 (json://" in err
    assert "the next run tells them" in err
