"""`investigate report`: where it writes, what it refuses, and how it exits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from investigate.commands import report
from investigate.commands.options import parse
from investigate.report.history import read_list
from investigate.report.notebooks import NOTEBOOKS, longest_first
from investigate.report.watch import LIMITS
from tests.commands.conftest import HEALTHY, LOST
from tests.report.samples import seven_notebooks


def index_of(out):
    return (out / "index.html").read_text(encoding="utf-8")


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
    assert err.count(": done") == len(NOTEBOOKS)


def test_a_notebook_that_fails_still_leaves_a_report_and_exits_with_3(ask, notebooks, tmp_path):
    notebooks(nb_02=["1 / 0"])
    code, _, err = ask("report", HEALTHY, "--out", tmp_path / "out", "--allow-gaps")
    assert code == 3
    assert "02_events_table: cell 3 failed: ZeroDivisionError" in err
    assert "1 notebook did not come to an end: 02_events_table\n  the findings stand" in err
    assert "did not come to its end" in (tmp_path / "out" / "index.html").read_text(
        encoding="utf-8"
    )


def test_report_refuses_a_folder_with_other_files_before_it_computes_anything(ask, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    code, out, err = ask("report", HEALTHY, "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "thesis.tex" in err
    assert "running" not in err


@pytest.mark.parametrize(
    "bad",
    [
        ["/nonexistent"],
        [HEALTHY, "--start", "yesterday-ish"],
        [HEALTHY, "--entity", "nobody"],
        [HEALTHY, "--incident", " "],
        [HEALTHY, "--notify", "nowhere"],
    ],
    ids=lambda bad: bad[-1],
)
def test_what_is_refused_is_refused_before_any_process_is_started(ask, tmp_path, monkeypatch, bad):
    monkeypatch.setattr(report, "warm_kernels", lambda: pytest.fail("a process was started"))
    code, out, err = ask("report", *bad, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "running" not in err


# Windows has neither of these signals.
ON_WINDOWS = """
import signal
del signal.SIGHUP, signal.SIGKILL
import investigate.cli, investigate.commands.report, investigate.recovery.pace
from investigate.report import watch
assert watch.KILL == signal.SIGTERM
"""


def test_the_commands_load_where_the_signals_are_those_of_windows():
    done = subprocess.run(
        [sys.executable, "-c", ON_WINDOWS], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_report_without_notebooks_says_what_is_missing_and_writes_nothing(
    ask, tmp_path, monkeypatch
):
    monkeypatch.setattr(report, "default_folder", lambda: tmp_path / "nowhere")
    code, _, err = ask("report", HEALTHY, "--out", tmp_path / "out")
    assert code == 2
    assert "00_overview.ipynb" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("below", "said"),
    [("file/out", "no report can be written to"), ("x" * 256, "File name too long")],
)
def test_report_refuses_a_place_it_cannot_write_to_before_it_computes_anything(
    ask, tmp_path, below, said
):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / below)
    assert (code, out) == (2, "")
    assert said in err
    assert "running" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_one_file_to_send_is_named_with_its_size(ask, notebooks, tmp_path):
    notebooks()
    code, out, _ = ask("report", HEALTHY, "--out", tmp_path / "out", "--single-file")
    assert code == 0
    assert f"{tmp_path / 'out' / 'report.html'} (" in out
    assert out.rstrip().endswith("MB, to send)")


def test_one_file_that_a_newer_report_removed_is_no_failure_and_is_in_the_folder_of_its_run(
    ask, notebooks, tmp_path, monkeypatch
):
    real = report.write_report

    def overtaken(*arguments, **more):
        failed = real(*arguments, **more)
        (tmp_path / "out" / "report.html").unlink()
        return failed

    notebooks()
    monkeypatch.setattr(report, "write_report", overtaken)
    code, out, _ = ask("report", HEALTHY, "--out", tmp_path / "out", "--single-file")
    assert code == 0
    assert "report.html: in the folder of this run" in out
    assert len(list((tmp_path / "out" / "runs").rglob("report.html"))) == 1


def test_the_history_goes_on_under_the_name_that_was_given(ask, notebooks, tmp_path):
    notebooks()
    out = tmp_path / "out"
    assert ask("report", HEALTHY, "--out", out)[0] == 0
    assert ask("report", LOST, "--out", out)[0] == 1
    assert ask("report", LOST, "--out", out, "--incident", "healthy")[0] == 1
    assert "Since the last run" in index_of(out)
    rows = read_list(out / "runs", None).rows
    assert [(row.incident, row.case) for row in rows] == [
        ("healthy", "healthy"), ("lost-events", "lost-events"), ("healthy", "lost-events"),
    ]  # fmt: skip
    assert rows[-1].changes["new"] > 0
    assert "--incident healthy" in index_of(out)


def test_the_same_report_twice_is_one_run_with_the_same_bytes(ask, notebooks, tmp_path):
    notebooks()
    out = tmp_path / "out"
    ask("report", HEALTHY, "--out", out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    ask("report", HEALTHY, "--out", out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\nb", "--incident holds the character U+000A"),
        ("x" * 200, "is no name for an incident"),
        (" ", "is no name for an incident"),
    ],
)
def test_a_name_of_an_incident_that_cannot_be_shown_is_refused(ask, tmp_path, name, said):
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / "out", "--incident", name)
    assert (code, out) == (2, "")
    assert said in err
    assert "--incident" in err
    assert list(tmp_path.iterdir()) == []


def test_a_history_of_a_newer_version_is_refused_before_anything_is_computed(ask, tmp_path):
    (tmp_path / "out" / "runs").mkdir(parents=True)
    newer = tmp_path / "out" / "runs" / "index.json"
    newer.write_text('{"schema": "investigate.runs/2"}', encoding="utf-8")
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "its schema is 'investigate.runs/2', this version knows 'investigate.runs/1'" in err
    assert "running" not in err
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["runs", "index.json"]


def states_in(out):
    return json.loads((out / "notebooks.json").read_text(encoding="utf-8"))


def test_a_report_says_for_machines_how_each_notebook_ended(ask, notebooks, tmp_path):
    notebooks(nb_02=["1 / 0"])
    ask("report", HEALTHY, "--out", tmp_path / "out")
    told = states_in(tmp_path / "out")
    assert told["schema"] == "investigate.notebooks/1"
    assert [one["notebook"] for one in told["notebooks"]] == list(NOTEBOOKS)
    assert {one["state"] for one in told["notebooks"]} == {"done", "cell-failed"}
    assert told["notebooks"][0] == {"notebook": "00_overview", "state": "done", "reason": None}
    assert told["notebooks"][2]["reason"] == "cell 3 failed: ZeroDivisionError: division by zero"


def test_at_the_deadline_the_report_is_written_with_what_there_is_and_says_so(
    ask, notebooks, tmp_path, monkeypatch
):
    notebooks(**{f"nb_{name[:2]}": ["import time; time.sleep(600)"] for name in NOTEBOOKS})
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / "out", "--deadline", "5")
    assert code == 3
    assert out.startswith("EXPECTED  healthy")
    late = len(NOTEBOOKS)
    assert f"the deadline of 5 s was reached: {late} notebooks stopped or not begun" in err
    states = [one["state"] for one in states_in(tmp_path / "out")["notebooks"]]
    assert set(states) <= {"deadline", "not-started"}
    assert states.count("deadline") <= 2  # that many run at once
    last = longest_first([Path(name) for name in NOTEBOOKS])[-1]
    assert states[list(NOTEBOOKS).index(last.stem)] == "not-started"
    assert "the deadline of the whole run was reached" in index_of(tmp_path / "out")
    assert (tmp_path / "out" / "findings.json").is_file()


def test_the_option_and_the_code_agree_on_how_long_a_notebook_may_take():
    assert parse(["report", HEALTHY]).notebook_seconds == LIMITS.notebook


# The real command line, with small notebooks in the place of the real ones.
WITH_NOTEBOOKS = """
import sys
from pathlib import Path
from investigate import cli
from investigate.commands import report
folder = Path(sys.argv.pop(1))
report.default_folder = lambda: folder
cli.run()
"""
PID = "import os, time; open(os.environ['PIDS'], 'a').write(f'{os.getpid()} '); time.sleep(600)"


def running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_a_report_that_is_told_to_stop_leaves_no_kernel_and_nothing_half_written(
    tmp_path, number, code
):
    folder = seven_notebooks(tmp_path / "notebooks", nb_00=[PID], nb_01=[PID])
    pids, temporary, here = tmp_path / "pids", tmp_path / "tmp", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_NOTEBOOKS, str(folder), "report", HEALTHY],
        env={**os.environ, "PIDS": str(pids), "TMPDIR": str(temporary)},
        cwd=here, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in (1, 2, 15)],
    )  # fmt: skip
    while not (pids.is_file() and len(pids.read_text(encoding="utf-8").split()) == 2):
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert err.rstrip().endswith("investigate: stopped")
    assert [pid for pid in pids.read_text(encoding="utf-8").split() if running(pid)] == []
    assert list(here.iterdir()) == []
    assert list(temporary.iterdir()) == []
