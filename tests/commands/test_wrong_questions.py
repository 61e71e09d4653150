"""One message for each wrong question: what was asked, what exists and what to type."""

from __future__ import annotations

import json

import pytest

from investigate.model import Step
from tests.commands.conftest import CASES, END, HEALTHY, LOST, START

WRONG = {
    "no-command": ([], ["COMMAND", "investigate --help"]),
    "unknown-command": (["chek"], ["'chek'", "capture, doctor, check", "did you mean 'check'"]),
    "unknown-option": (["check", HEALTHY, "--stpe", "raw"], ["--stpe", "--step", "did you mean"]),
    "abbreviated-option": (["check", HEALTHY, "--form", "json"], ["--form", "--format"]),
    "too-many-arguments": (["verify", HEALTHY, "more"], ["'more'"]),
    "unknown-step": (["check", HEALTHY, "--step", "rwa"], ["'rwa'", "known: raw, ", "'raw'?"]),
    "unknown-code": (["checks", "raw/mising"], ["'raw/mising'", "raw/missing"]),
    "unknown-rows": (["check", HEALTHY, "--rows", "raw/mising"], ["did you mean 'raw/missing'"]),
    "unknown-severity": (["check", HEALTHY, "--fail-on", "bad"], ["'bad'", "escalate"]),
    "unknown-format": (["check", HEALTHY, "--format", "xml"], ["'xml'", "table", "json"]),
    "unknown-engine": (["check", HEALTHY, "--engine", "sprak"], ["'sprak'", "duckdb"]),
    "unknown-entity": (["check", HEALTHY, "--entity", "customer"], ["'customer'", "customer-1"]),
    "unknown-action": (["sandbox", "serv"], ["serv", "demo"]),
    "unknown-fault": (["sandbox", "serve", "--fault", "rain"], ["'rain'", "raw-corrupt"]),
    "unknown-demo": (["sandbox", "demo", "healty"], ["'healty'", "'healthy'"]),
    "no-port": (["sandbox", "serve", "--port", "99999"], ["99999", "65535"]),
    "no-case": (["check", str(CASES / "nope")], ["nope", "everything, healthy", "capture"]),
    "not-a-case": (["check", str(CASES)], ["is not a case", "healthy", "case.json"]),
    "no-such-configuration": (["check", HEALTHY, "--config", "no.toml"], ["no.toml", "docs/"]),
    "window-without-offset": (
        ["check", HEALTHY, "--start", "2026-03-10T00:00:00"],
        ["2026-03-10T00:00:00", "offset", "2026-03-10T00:00:00Z"],
    ),
    "window-empty": (
        ["check", HEALTHY, "--start", START, "--end", START], ["is empty", "--start 2026-"],
    ),
    "start-after-the-case": (
        ["check", HEALTHY, "--start", END], [f"start {END} lies after what was captured", START],
    ),
    "end-before-the-case": (
        ["check", HEALTHY, "--end", START], [f"end {START} lies before what was captured"],
    ),
    "nearly-a-case": (["check", str(CASES / "lost-event")], [f"did you mean {LOST}?"]),
    "window-reversed": (
        ["report", HEALTHY, "--start", "2026-03-12T00:00:00Z", "--end", "2026-03-11T00:00:00Z"],
        ["is empty", "2026-03-12T00:00:00Z to 2026-03-11T00:00:00Z"],
    ),
    "window-beyond-the-case": (["check", HEALTHY, "--end", "2027-01-01T00:00:00Z"], ["beyond"]),
    "time-that-is-none": (["check", HEALTHY, "--start", "yesterday"], ["'yesterday'", "write it"]),
    "plan-without-entity": (["replay-plan", HEALTHY], ["--entity"]),
    "plan-without-rows": (
        ["replay-plan", HEALTHY, "--entity", "customer-1", "--start", START, "--end", END,
         "--limit", "0"],
        ["--limit 0", "1 or more"],
    ),
    "capture-without-configuration": (["capture", "new"], ["--config"]),
    "capture-over-a-case": (["capture", HEALTHY, "--config", "x"], ["exists already"]),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_question_gets_one_message_and_leaves_nothing(
    ask, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    code, out, err = ask(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("investigate: ")
    assert [word for word in said if word not in err] == []
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_step_is_answered_with_all_steps(ask):
    known = ask("check", HEALTHY, "--step", "none")[2]
    assert [step.value for step in Step if step.value not in known] == []


def test_a_code_that_is_nearly_right_is_answered_with_the_right_one_and_not_with_all(ask):
    err = ask("checks", "raw/mising")[2]
    assert "did you mean 'raw/missing'" in err
    assert "aggregates/" not in err
    assert len(err.splitlines()) == 2


def manifest_of(folder, change):
    path = folder / "case.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def flip_a_byte(folder):
    path = folder / "raw" / "part-0.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    "other-schema": (
        lambda folder: manifest_of(folder, lambda m: m.update(schema="investigate.case/9")),
        ["investigate.case/9", "investigate.case/1"],
    ),
    "file-missing": (
        lambda folder: (folder / "raw" / "part-0.parquet").unlink(),
        ["raw/part-0.parquet is missing", "capture it again"],
    ),
    "digest": (flip_a_byte, ["raw/part-0.parquet", "SHA-256"]),
    "not-json": (
        lambda folder: (folder / "case.json").write_text("{", encoding="utf-8"),
        ["JSON", "capture the case again"],
    ),
    "no-window": (
        lambda folder: manifest_of(folder, lambda m: m.pop("window")),
        ["lacks the field 'window'"],
    ),
}


@pytest.mark.parametrize("command", ["check", "verify", "report"])
@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_case_is_refused_and_nothing_is_written(
    ask, case, tmp_path, monkeypatch, damage, said, command
):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    damage(case)
    code, out, err = ask(command, case)
    assert code == 2
    assert out == ""
    assert [word for word in said if word not in err] == []
    assert list(here.iterdir()) == []
