"""URLs hold secrets: what is shown of them, which are refused, and what came of a delivery."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import threading
from pathlib import Path

import pytest

from investigate.errors import UsageError
from investigate.model import Severity
from investigate.notify import courier
from investigate.notify import targets as module
from investigate.notify.message import LONGEST, Message
from investigate.notify.targets import masked, targets_of, without_secrets

ROOT = Path(__file__).resolve().parent.parent.parent
MESSAGE = Message("A title", "A text", Severity.ESCALATE)
SLACK = "slack://TAAAAAAAA/BBBBBBBBB/" + "c" * 24
PAGERDUTY = "pagerduty://" + "i" * 32 + "@" + "a" * 20


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (SLACK, "slack://***"),
        ("json://me:hunter2@h.example:80/t0ken?k=v", "json://h.example:80/***"),
        ("json://me:hunt@r2@h.example", "json://h.example/***"),
        ("json://h.example?token=hunter2", "json://h.example/***"),
        ("json://me:hunter2", "json://***"),
        ("mailto://me:hunter2@mail.example?to=a@b.example", "mailto://mail.example/***"),
        ("json://me:1234/hunter2@h.example/x", "json://***"),
        ("json://me:12?34@h.example", "json://***"),
        ("mailto://me:hun@ter/2@mail.example", "mailto://***"),
        ("https://discord.com/api/webhooks/1/hunter2", "https://***"),
        ("hunter2", "***"),
        ("", "***"),
    ],
)
def test_of_a_url_nothing_is_shown_that_could_be_a_secret(url, shown):
    assert masked(url) == shown


def test_a_target_shows_no_secret_and_is_told_apart_by_its_url():
    one, other, same = targets_of([SLACK, SLACK.replace("cc", "dd"), f" {SLACK}\n"])
    assert one.name == "target 1 (slack://***)"
    assert "cccc" not in f"{one!r} {one.id}"
    assert one.id == same.id != other.id


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("slack://hunter2", "target 2 (slack://***): apprise can use no such URL"),
        ("nonsense://hunter2", "target 2 (nonsense://***): apprise can use no such URL"),
        ("hunter2", "target 2 (***): it is no URL of the form service://…"),
        ("", "target 2 (***): it is no URL of the form service://…"),
    ],
)
def test_a_bad_url_is_refused_without_showing_it(url, why, capfd):
    with pytest.raises(UsageError) as refused:
        targets_of([SLACK, url])
    assert refused.value.message == why
    assert "hunter2" not in str(refused.value)
    assert tuple(capfd.readouterr()) == ("", "")


def test_every_url_in_the_page_of_notifications_can_be_used():
    page = (ROOT / "docs/notifications.md").read_text(encoding="utf-8")
    table = page.split("## A URL for each service")[1].split("##")[0]
    urls = re.findall(r"^\|[^|]*\| `(\w+://[^`]+)`", table, re.MULTILINE)
    assert {url.split(":")[0] for url in urls} >= {"slack", "pagerduty", "opsgenie", "mailtos"}
    assert len(targets_of(urls)) == len(urls)


def test_a_target_says_how_much_room_it_has():
    slack, pagerduty = targets_of([SLACK, PAGERDUTY])
    assert slack.room("A title") == LONGEST
    assert pagerduty.room("A title") == 1024 - len("A title") - 2


def test_what_arrives_is_the_title_the_text_and_how_bad_it_is(listener):
    assert targets_of([listener.url])[0].send(MESSAGE) == ""
    heard = listener.heard[0]
    assert (heard["title"], heard["message"]) == ("A title", "A text")
    assert heard["type"] == "failure"


@pytest.mark.parametrize("more", ["", "?optional=yes"])
def test_an_answer_that_is_a_refusal_is_a_failure(listener, more, capfd):
    listener.answer = 503
    failure = targets_of([listener.url + more])[0].send(MESSAGE)
    assert "503" in failure
    assert "s3cretpath" not in failure
    assert tuple(capfd.readouterr()) == ("", "")


def test_no_answer_is_a_failure(listener, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.000001)
    assert targets_of([listener.url])[0].send(MESSAGE)


def _endless(listening: socket.socket, cut: threading.Event) -> None:
    client, _ = listening.accept()
    with client:
        client.recv(65_536)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                client.sendall(b"x" * 65_536)
        cut.set()


def test_an_answer_without_an_end_is_a_failure_and_is_not_waited_for(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(module, "SECONDS", 5)
    cut = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_endless, args=(listening, cut), daemon=True).start()
        target = targets_of([f"json://127.0.0.1:{listening.getsockname()[1]}/hook"])[0]
        assert target.send(MESSAGE)
        assert cut.wait(60)  # whoever read is gone, or this would go on for ever


@pytest.fixture
def customized(tmp_path, monkeypatch):
    """Let the process that sends run some lines before anything else."""

    def customize(*lines: str) -> None:
        (tmp_path / "sitecustomize.py").write_text("\n".join(lines), encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")

    return customize


@pytest.mark.parametrize(
    "lines",
    [
        ("import resource",
         "def refused(*_): raise ValueError",
         "resource.setrlimit = refused"),
        ("print('told', flush=True)",),
        ("import os", "os.write(2, b'\\xe9')"),
    ],
    ids=["no bound of memory", "words on its output", "bytes on its error"],
)  # fmt: skip
def test_a_message_arrives_whatever_else_its_process_does(customized, listener, lines):
    customized(*lines)
    assert targets_of([listener.url])[0].send(MESSAGE) == ""
    assert [heard["title"] for heard in listener.heard] == ["A title"]


def test_a_process_that_dies_before_it_asks_has_sent_nothing_and_says_so(customized, listener):
    customized("import os", "os._exit(7)")
    told = targets_of([listener.url])[0].send(MESSAGE)
    assert told == "it was not sent: the process that sends ended with 7"
    assert listener.heard == []


def test_a_process_that_dies_as_it_asks_had_a_bound_of_memory_and_is_a_failure(
    customized, listener
):
    customized(
        "import os, resource, apprise",
        f"bounded = lambda: resource.getrlimit(resource.RLIMIT_AS)[0] == {courier.MEMORY}",
        "apprise.Apprise.notify = lambda *_, **__: os._exit(9 if bounded() else 8)",
    )
    told = targets_of([listener.url])[0].send(MESSAGE)
    assert told == "what it answered could not be read; the process that did ended with 9"


def test_a_process_that_the_system_refuses_is_a_failure_of_this_target(listener, monkeypatch):
    def refused(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(courier.subprocess, "run", refused)
    told = targets_of([listener.url])[0].send(MESSAGE)
    assert told == "the process that sends was not started: Resource temporarily unavailable"


def test_what_a_service_says_is_told_without_parts_of_the_url():
    url = "json://me:hunt%40r2@h.example/t0ken?key=s3cret"
    said = "no HUNT@R2,\n t0ken, hunt%40r2 nor s3cret at h.example; see https://x.example/hunter"
    assert without_secrets(said, url) == "no ***, ***, *** nor *** at h.example; see ***"


def test_only_what_must_wake_somebody_is_critical_and_what_is_normal_opens_no_alert():
    types = {severity.label: module._TYPES[severity].value for severity in Severity}
    assert types == {
        "escalate": "failure", "dangerous": "warning", "suspect": "warning", "expected": "info",
    }  # fmt: skip
