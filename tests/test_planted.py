"""Secrets and personal data that were planted everywhere are found nowhere that they may not be."""

from __future__ import annotations

import ast
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pyarrow.parquet as pq
import pytest

import investigate
from investigate import cli
from investigate.aws.secrets import redact
from investigate.capture.values import MASKED, to_millis
from investigate.case import open_case
from investigate.commands import report
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from tests.builders import START, at
from tests.capture.whole import fill, over, take
from tests.commands.conftest import HEALTHY, INVESTIGATE, LOST
from tests.report.samples import seven_notebooks

PACKAGE = Path(investigate.__file__).parent
KEY_ID = "AKIAPLANTEDSECRETKEY"
SECRET = "plantedSecret/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEPLANTED" * 6
PASSWORD = "planted-password-of-the-function"
BEARER = "planted.bearer.0123456789abcdef"
GITHUB = "ghp_" + "Planted0123456789abc"
PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\\nMIIplanted\\n-----END RSA PRIVATE KEY-----"
SECRETS = (KEY_ID, SECRET, TOKEN, PASSWORD, BEARER, GITHUB, "MIIplanted")
EMAIL, CARD = "ann.planted@example.com", "4242-planted-4242"
ACCOUNT = "123456789012"
SAID = (
    f"key {KEY_ID} aws_secret_access_key={SECRET} SessionToken: {TOKEN}",
    f"Authorization: Bearer {BEARER}",
    f"cloned with {GITHUB}",
    PRIVATE,
)


def plant(world: Sandbox) -> None:
    """Put secrets and personal data where functions, clients and operators put them."""
    fill(world)
    payload = {"email": EMAIL, "card": CARD, "note": SAID[0], "nested": {"email": [EMAIL]}}
    event = {"source": "web", "event_type": "order", "entity_id": "e1", "payload": payload}
    world.ingest({**event, "event_time": "2026-03-10T05:00:00Z"})
    world.clients.lambda_.update_function_configuration(
        FunctionName="demo-ingest", Environment={"Variables": {"DB_PASSWORD": PASSWORD}}
    )
    group = {"logGroupName": "/aws/lambda/demo-ingest", "logStreamName": "planted"}
    world.clients.logs.create_log_stream(**group)
    lines = [f"[ERROR]\t2026-03-10T07:00:00Z\tr\t{said}" for said in SAID]
    lines.append("[INFO]\t2026-03-10T07:00:00Z\tr\t" + json.dumps({"msg": "m", "email": EMAIL}))
    told = [{"timestamp": to_millis(at(7)), "message": line} for line in lines]
    world.clients.logs.put_log_events(**group, logEvents=told)
    world.stop_consumer()
    world.send_message(json.dumps({"event_id": "x", "email": EMAIL, "card": CARD, "x": SAID[0]}))


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> dict[str, Path]:
    """One pipeline, captured plainly, with a masked field and account, and without payloads."""
    root = tmp_path_factory.mktemp("planted")
    asked: dict[str, dict[str, Any]] = {
        "plain": {},
        "masked": {"mask": ("email",), "mask_account": True},
        "hashes": {"payloads": False},
    }
    known = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    before = {name: os.environ.get(name) for name in known}
    os.environ.update(known, AWS_SESSION_TOKEN=TOKEN, AWS_DEFAULT_REGION="eu-west-1")
    try:
        with emulator(SandboxOptions(start=START)) as world:
            plant(world)
            for name, options in asked.items():
                reading = over(world, sampling=True)
                take(world, root / name, connection=reading, sample_messages=10, **options)
    finally:
        os.environ.pop("AWS_SESSION_TOKEN")
        os.environ.update({name: value for name, value in before.items() if value is not None})
    return {name: root / name for name in asked}


def held(folder: Path) -> str:
    """All that the files of a folder hold, tables read out, names included."""
    texts = []
    for path in sorted(folder.rglob("*")):
        texts.append(str(path.relative_to(folder)))
        if path.suffix == ".parquet":
            texts.append(json.dumps(pq.read_table(path).to_pylist(), default=str))
        if path.is_file():
            texts.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(texts).replace("\\/", "/")


def found_in(text: str, planted: tuple[str, ...]) -> list[str]:
    return [word for word in planted if word in text]


@pytest.mark.parametrize("name", ["plain", "masked", "hashes"])
def test_no_case_holds_a_secret_whatever_was_asked_of_its_capture(cases, name):
    assert found_in(held(cases[name]), SECRETS) == []


def test_what_was_planted_was_captured(cases):
    text = held(cases["plain"])
    assert found_in(text, (EMAIL, CARD, ACCOUNT)) == [EMAIL, CARD, ACCOUNT]
    assert "Authorization: Bearer ***" in text
    assert "cloned with ***" in text


def test_a_masked_field_and_account_are_nowhere_in_the_case(cases):
    text = held(cases["masked"])
    assert found_in(text, (EMAIL, ACCOUNT)) == []
    assert CARD in text, "only what was named is hidden"
    assert MASKED in text


def test_without_payloads_nothing_that_a_client_sent_is_in_the_case(cases):
    assert found_in(held(cases["hashes"]), (CARD,)) == []
    assert open_case(cases["hashes"]).rows["raw"] == 7


def test_the_report_of_a_masked_case_shows_none_of_it(cases, tmp_path, monkeypatch, capsys):
    shows = [
        "from investigate import open_investigation",
        "incident = open_investigation(case)",
        "incident.query('select * from log_lines')",
        "incident.query('select * from raw')",
        "incident.query('select * from messages')",
    ]
    folder = seven_notebooks(tmp_path / "notebooks", nb_01=shows)
    monkeypatch.setattr(report, "default_folder", lambda: folder)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    out = tmp_path / "out"
    cli.main(["report", str(cases["masked"]), "--out", str(out), "--single-file"])
    said = "".join(capsys.readouterr())
    text = held(out)
    executed = nbformat.read(out / "01_raw_data.ipynb", 4)
    assert "***" in str(executed.cells), "the notebook showed what the case holds"
    assert found_in(text + said, (*SECRETS, EMAIL, ACCOUNT)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", LOST, "--entity", SECRET),
        ("check", LOST, "--entity", KEY_ID),
        ("trace", LOST, TOKEN),
        ("replay-plan", LOST, "--entity", GITHUB, "--start", "a", "--end", "b"),
        ("report", HEALTHY, "--out", "{out}", "--notify", f"json://u:{PASSWORD}@"),
        ("report", HEALTHY, "--out", "{out}", "--notify", f"none://u:{PASSWORD}@h/"),
        ("report", HEALTHY, "--out", "{out}", "--incident", SECRET),
        ("capture", "{out}", "--config", "{config}", "--endpoint-url", f"http://u:{PASSWORD}@["),
        ("doctor", "--config", "{config}"),
        ("capture", "{out}", "--config", "{broken}"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-2]}",
)
def test_a_command_that_fails_repeats_no_secret(tmp_path, arguments):
    config, broken = tmp_path / "pipeline.toml", tmp_path / "broken.toml"
    config.write_text('[pipeline]\nregion = "eu-west-1"\nraw_bucket = "b"\n')
    broken.write_text(f"[pipeline]\naws_secret_access_key = '{SECRET}'\nx = {KEY_ID}\n")
    places = {"out": tmp_path / "out", "config": config, "broken": broken}
    words = [word.format(**places) if "{" in word else word for word in arguments]
    known = {
        "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [*INVESTIGATE, *words], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, **known},
    )  # fmt: skip
    assert done.returncode != 0
    assert found_in(done.stdout + done.stderr, SECRETS) == []
    assert "Traceback" not in done.stderr


def test_files_of_a_command_are_their_owners_alone(tmp_path):
    out = tmp_path / "statements"
    words = ["sql", HEALTHY, "--out", str(out)]
    done = subprocess.run([*INVESTIGATE, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = [path for path in (out, *out.rglob("*")) if path.exists()]
    assert made
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_captured_case_is_its_owners_alone(cases):
    for case in cases.values():
        assert stat.S_IMODE(case.stat().st_mode) & 0o077 == 0


def test_no_traceback_is_made_with_the_values_of_variables():
    makers = {"capture_locals", "show_locals", "showlocals"}
    asked = [
        (path.name, word.arg)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg in makers
    ]
    assert asked == []
    assert [
        path.name
        for path in PACKAGE.rglob("*.py")
        if {"cgitb", "faulthandler"} & set(path.read_text("utf-8").split())
    ] == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"Authorization: Bearer {BEARER}, x", "Authorization: Bearer ***, x"),
        (f'{{"token":"{GITHUB}"}}', '{"token":"***"}'),
        ("glpat-" + "a" * 20, "***"),
        ("xoxb-1234567890-abc", "***"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln end", "*** end"),
        (PRIVATE, "-----BEGIN RSA PRIVATE KEY-----***"),
        ("the bearer of bad news, an oxbow, a private key", None),
        ("bearer token", None),
        ("bearer certificate-authentication failed", None),
        ("eyJ-" * 100_000, None),  # in no time: it is looked at once
    ],
)
def test_tokens_of_other_houses_are_redacted_by_their_form(text, kept):
    assert redact(text) == (text if kept is None else kept)
