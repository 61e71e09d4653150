"""The command line: what it prints where, its exit codes, its answers to wrong questions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from investigate import cli
from investigate.checks import book
from investigate.commands import report, verify
from investigate.commands.options import COMMANDS
from investigate.model import Step
from investigate.settings import load_settings
from tests.builders import Event, event_row, evidence_of, raw_row
from tests.report.samples import seven_notebooks

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "data" / "cases"
HEALTHY, LOST = str(CASES / "healthy"), str(CASES / "lost-events")
START, END = "2026-03-10T00:00:00Z", "2026-03-13T00:00:00Z"
INVESTIGATE = [sys.executable, "-m", "investigate"]


@pytest.fixture
def ask(capsys):
    """Run a command line; return its exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def case(tmp_path):
    """A small case of which only the raw objects and the index were captured."""
    event = Event("a")
    return evidence_of(tmp_path, raw=[raw_row(event)], events=[event_row(event)]).case.folder


def process(*arguments: str, **options):
    return subprocess.run(
        [*INVESTIGATE, *arguments], capture_output=True, text=True, check=False, **options
    )


# What is printed, and where.


def test_check_prints_the_verdict_first_and_messages_nowhere(ask):
    code, out, err = ask("check", LOST, "--step", "raw")
    assert code == 1
    assert out.splitlines()[0] == "ESCALATE  lost-events"
    assert err == ""


def test_check_prints_the_findings_document_as_json(ask):
    code, out, _ = ask("check", HEALTHY, "--step", "raw", "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "investigate.findings/1"
    assert {check["step"] for check in document["checks"]} == {"raw"}
    assert document["aggregates"] == []


def test_a_window_and_an_entity_cut_the_answer(ask):
    end, start = "2026-03-11T00:00:00Z", "2026-03-10T00:00:00Z"
    _, out, _ = ask(
        "check", HEALTHY, "--step", "events", "--format", "json",
        "--start", start, "--end", end, "--entity", "customer-1",
    )  # fmt: skip
    document = json.loads(out)
    assert document["window"] == {"start": start, "end": end}
    assert document["entities"] == ["customer-1"]


def test_the_thresholds_of_a_configuration_file_hold(ask, tmp_path):
    config = tmp_path / "strict.toml"
    config.write_text("[thresholds]\nlate_seconds = 0\n", encoding="utf-8")
    usual, _, _ = ask("check", HEALTHY, "--step", "raw", "--fail-on", "suspect")
    strict, out, _ = ask(
        "check", HEALTHY, "--step", "raw", "--fail-on", "suspect", "--config", config
    )
    assert (usual, strict) == (0, 1)
    assert "raw/late" in out


def test_the_catalogue_lists_every_check_once(ask):
    code, out, _ = ask("checks")
    listed = [line.split()[0] for line in out.splitlines()[1:]]
    assert code == 0
    assert sorted(listed) == sorted(check.code for check in book)


def test_the_catalogue_says_all_about_a_check_named(ask):
    _, out, _ = ask("checks", "raw/missing")
    check = book["raw/missing"]
    flat = " ".join(out.split())
    assert check.question in flat
    assert check.advice in flat
    assert check.avoid in flat
    assert len(json.loads(ask("checks", "--format", "json")[1])) == len(list(book))


def test_verify_says_that_a_case_is_whole(ask):
    code, out, _ = ask("verify", HEALTHY)
    assert code == 0
    assert "are what the manifest says" in out


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert left.value.code == 0
    assert [name for name in COMMANDS if name not in out] == []


# Exit codes.


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((HEALTHY,), 0),
        ((HEALTHY, "--fail-on", "expected"), 1),
        ((LOST,), 1),
        ((LOST, "--step", "raw", "--fail-on", "escalate"), 1),
        ((HEALTHY, "--step", "events", "--fail-on", "suspect"), 0),
    ],
    ids=["healthy", "expected-counts", "lost", "worst-only", "nothing-so-bad"],
)
def test_the_exit_code_follows_what_was_found(ask, options, code):
    assert ask("check", *options)[0] == code


def test_what_could_not_be_told_is_an_exit_code_of_its_own(ask, case):
    assert ask("check", case, "--step", "sqs")[0] == 3
    assert ask("check", case, "--step", "sqs", "--allow-gaps")[0] == 0


# Wrong questions: one message that says what was asked, what exists and what to type.

WRONG = {
    "no-command": ([], ["COMMAND", "investigate --help"]),
    "unknown-command": (["chek"], ["'chek'", "known: capture, check", "did you mean 'check'"]),
    "unknown-option": (["check", HEALTHY, "--stpe", "raw"], ["--stpe", "--step", "did you mean"]),
    "abbreviated-option": (["check", HEALTHY, "--form", "json"], ["--form", "--format"]),
    "too-many-arguments": (["verify", HEALTHY, "more"], ["'more'"]),
    "unknown-step": (["check", HEALTHY, "--step", "rwa"], ["'rwa'", "known: raw, ", "'raw'?"]),
    "unknown-code": (["checks", "raw/mising"], ["'raw/mising'", "raw/missing"]),
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
    "window-empty": (["check", HEALTHY, "--start", END], ["is empty", "--start 2026-"]),
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


def index_of(out):
    return (out / "index.html").read_text(encoding="utf-8")


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
    "no-window": (lambda folder: manifest_of(folder, lambda m: m.pop("window")), ["window"]),
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


def test_a_table_left_out_of_the_case_is_a_question_without_answer_not_a_pass(ask, case):
    code, out, _ = ask("check", case, "--step", "aggregates")
    assert code == 3
    assert "NOT-EVALUATED" in out.splitlines()[0]
    assert "aggregates: skipped (not in this test)" in " ".join(out.split())


# Processes.


def test_check_loads_no_library_it_does_not_need():
    code = (
        "import sys; from investigate import cli; cli.main(sys.argv[1:]); "
        "print([n for n in ('boto3', 'plotly', 'papermill', 'nbconvert', 'moto') "
        "if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "check", HEALTHY, "--step", "raw"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.strip() == "[]"


def test_the_commands_read_the_same_in_any_locale():
    quiet = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process("check", HEALTHY, "--step", "events", env=quiet, encoding="utf-8")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "… and " in done.stdout


def test_a_reader_that_goes_away_is_no_error():
    with subprocess.Popen(
        [*INVESTIGATE, "checks"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == cli.READER_GONE


def test_being_stopped_is_said_and_no_traceback(ask, monkeypatch):
    def stop(options, console):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "run", stop)
    assert ask("verify", HEALTHY) == (130, "", "investigate: stopped\n")


def test_a_bug_stays_a_traceback(monkeypatch):
    def fail(options, console):
        raise KeyError("a bug")

    monkeypatch.setattr(verify, "run", fail)
    with pytest.raises(KeyError, match="a bug"):
        cli.main(["verify", HEALTHY])


# The replay plan.


@pytest.fixture
def plan(ask):
    def run(*more: str) -> tuple[int, str]:
        code, out, _ = ask(
            "replay-plan", CASES / "midnight-duplicates", "--entity", "window-edge",
            "--start", START, "--end", END, *more,
        )  # fmt: skip
        return code, out

    return run


def test_a_plan_names_what_is_missed_and_what_is_sent_too_much(plan):
    code, out = plan()
    assert code == 0
    assert "nothing is sent" in out.splitlines()[0]
    missed = out.index("SHOULD BE SENT, BUT WOULD NOT BE")
    too_much = out.index("WOULD BE SENT, BUT SHOULD NOT BE")
    assert "2026-03-10T00:00:00.500Z" in out[missed:too_much]
    assert "2026-03-13T00:00:00.250Z" in out[too_much:]


def test_a_plan_as_json_holds_every_row_once_with_its_reason(plan):
    found = json.loads(plan("--format", "json")[1])
    rows = found["send"] + found["leave_out"]
    assert found["schema"] == "investigate.replay-plan/1"
    assert found["entity_id"] == "window-edge"
    assert all(row["reason"] for row in rows)
    assert len({row["sk"] for row in rows}) == len(rows)


def test_the_limit_of_a_plan_cuts_what_is_sent(plan):
    cut, whole = (json.loads(plan("--format", "json", *m)[1]) for m in (["--limit", "1"], []))
    assert len(cut["send"]) == 1 < len(whole["send"])
    assert {row["reason"] for row in cut["leave_out"]} >= {"after the limit"}


# The report.


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Seven small notebooks in the place of the real ones."""

    def put(**code: list[str]) -> None:
        folder = seven_notebooks(tmp_path / "notebooks", **code)
        monkeypatch.setattr(report, "default_folder", lambda: folder)

    return put


def test_report_says_where_it_is_and_exits_as_check_does(ask, notebooks, tmp_path):
    notebooks()
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / "out")
    assert code == 0
    assert out.splitlines()[0] == "EXPECTED  healthy"
    assert out.rstrip().endswith(str(tmp_path / "out" / "index.html"))
    assert (tmp_path / "out" / "index.html").is_file()
    assert err.count(": done") == 7


def test_a_notebook_that_fails_still_leaves_a_report_and_exits_with_3(ask, notebooks, tmp_path):
    notebooks(nb_02=["1 / 0"])
    code, _, err = ask("report", HEALTHY, "--out", tmp_path / "out", "--allow-gaps")
    assert code == 3
    assert "02_events_table: cell 3 failed: ZeroDivisionError" in err
    assert "did not come to its end" in (tmp_path / "out" / "index.html").read_text(
        encoding="utf-8"
    )


def test_report_refuses_a_folder_with_other_files_before_it_computes_anything(ask, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    code, out, err = ask("report", HEALTHY, "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "thesis.tex" in err
    assert "running" not in err


def test_report_without_notebooks_says_what_is_missing_and_writes_nothing(
    ask, tmp_path, monkeypatch
):
    monkeypatch.setattr(report, "default_folder", lambda: tmp_path / "nowhere")
    code, _, err = ask("report", HEALTHY, "--out", tmp_path / "out")
    assert code == 2
    assert "00_overview.ipynb" in err
    assert list(tmp_path.iterdir()) == []


# A pipeline in a sandbox, captured and checked as any other.


def test_a_sandbox_serves_a_pipeline_that_capture_reads_with_what_serve_prints(tmp_path):
    config = tmp_path / "pipeline.toml"
    with (
        config.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            [*INVESTIGATE, "sandbox", "serve", "--fault", "raw-corrupt"],
            stdout=kept, stderr=subprocess.PIPE, text=True,
        ) as serving,
    ):  # fmt: skip
        assert serving.stderr
        line = next(line for line in serving.stderr if "http://" in line)
        url = line.split("answers at ")[1].split(";")[0]
        try:
            captured = process(
                "capture", str(tmp_path / "case"), "--config", str(config), "--endpoint-url", url,
                "--sample-messages", "100", "--now", "2026-03-16T18:00:00Z",
            )  # fmt: skip
        finally:
            serving.send_signal(signal.SIGINT)
            serving.stderr.read()
    assert serving.returncode == 0
    assert captured.returncode == 0, captured.stderr
    assert load_settings(config).names.raw_bucket == "demo-raw"
    checked = process("check", str(tmp_path / "case"), "--step", "raw", "--format", "json")
    found = [c["code"] for c in json.loads(checked.stdout)["checks"] if c["outcome"] == "found"]
    assert "raw/corrupt" in found


def test_the_faults_are_listed_with_what_happens(ask):
    code, out, _ = ask("sandbox", "faults")
    assert code == 0
    assert "raw-corrupt" in out


def test_a_wrong_step_is_answered_with_all_steps(ask):
    known = ask("check", HEALTHY, "--step", "none")[2]
    assert [step.value for step in Step if step.value not in known] == []
