"""The folder of a report: what is replaced, what is refused, and what a killed process leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from investigate.errors import UsageError
from investigate.report import folder
from investigate.report.folder import alone, refuse_foreign, refuse_unwritable, report_draft

RUN = "runs/incident/0123"
NEWEST = (
    "index.html", "findings.html", "report.html", "findings.json",
    "00_overview.html", "00_overview.ipynb",
)  # fmt: skip
PAUSE = "import sys; print('there', flush=True); sys.stdin.read()"


ASSETS = tuple(f"assets/{name}.js" for name in ("display", "figures", "plotly-7.1.0.min", "report"))


def a_report(out):
    """A report as older versions wrote it: no runs, only the newest one."""
    (out / "assets").mkdir(parents=True)
    for name in (*NEWEST, *ASSETS):
        (out / name).write_text("old", encoding="utf-8")
    return out


def publish(out, text="new", run=RUN):
    with report_draft(out) as draft:
        for name in ("index.html", "runs.html"):
            (draft.files / name).write_text(text, encoding="utf-8")
        (draft.files / "runs").mkdir()
        (draft.files / "runs/index.json").write_text(text, encoding="utf-8")
        (draft.run / "index.html").write_text(text, encoding="utf-8")
        with alone(draft.out):
            draft.publish(run)


def names(out):
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def text(path):
    return path.read_text(encoding="utf-8")


PUBLISHED = [".lock", "index.html", "runs.html", f"{RUN}/index.html", "runs/index.json"]


def test_a_report_appears_only_when_it_is_published(tmp_path):
    out = tmp_path / "deep" / "out"
    with report_draft(out) as draft:
        (draft.files / "index.html").write_text("new", encoding="utf-8")
        assert not (out / "index.html").exists()
    assert not out.exists()
    publish(out)
    assert names(out) == PUBLISHED
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_report_of_an_older_version_is_replaced_and_its_assets_stay(tmp_path):
    out = a_report(tmp_path / "out")
    publish(out)
    assert text(out / "index.html") == "new"
    assert names(out) == sorted([*PUBLISHED, *ASSETS])


def test_an_error_leaves_the_older_report_as_it_was(tmp_path):
    out = a_report(tmp_path / "out")
    before = names(out)
    with pytest.raises(KeyError), report_draft(out):
        raise KeyError
    assert text(out / "index.html") == "old"
    assert names(out) == sorted([*before, ".lock"])


def test_another_run_leaves_the_first_one_where_it_is(tmp_path):
    publish(tmp_path / "out", "first")
    publish(tmp_path / "out", "second", run="runs/incident/4567")
    assert text(tmp_path / "out" / RUN / "index.html") == "first"
    assert text(tmp_path / "out/runs/incident/4567/index.html") == "second"
    assert text(tmp_path / "out/index.html") == "second"


def test_the_same_run_takes_its_own_place(tmp_path):
    publish(tmp_path / "out", "first")
    publish(tmp_path / "out", "second")
    assert text(tmp_path / "out" / RUN / "index.html") == "second"
    assert names(tmp_path / "out") == PUBLISHED


@pytest.mark.parametrize("name", ["notes.txt", "assets/logo.png", "case.json", ".git/config"])
def test_files_that_no_report_wrote_are_never_replaced(tmp_path, name):
    out = a_report(tmp_path / "out")
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=name.split("config")[0]), report_draft(out):
        raise AssertionError("nothing may be written")
    assert text(out / name) == "mine"


def test_a_folder_of_runs_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / "out/runs/experiment-1").mkdir(parents=True)
    with pytest.raises(UsageError, match="runs/experiment-1"):
        refuse_foreign(tmp_path / "out")


def test_notes_in_a_run_that_is_made_again_are_not_lost(tmp_path):
    publish(tmp_path / "out")
    (tmp_path / "out" / RUN / "notes.txt").write_text("mine", encoding="utf-8")
    refuse_foreign(tmp_path / "out", "runs/incident/4567")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        refuse_foreign(tmp_path / "out", RUN)


def test_what_jupyter_leaves_behind_does_not_stand_in_the_way(tmp_path):
    out = a_report(tmp_path / "out")
    (out / ".ipynb_checkpoints").mkdir()
    (out / ".ipynb_checkpoints" / "00_overview-checkpoint.ipynb").write_text("", encoding="utf-8")
    refuse_foreign(out)


@pytest.mark.parametrize("name", ["secrets", "runs", "assets", ".drafts"])
def test_a_link_in_the_place_of_a_folder_is_foreign(tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(tmp_path)
    with pytest.raises(UsageError, match=name):
        refuse_foreign(out)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="is a file"):
        refuse_foreign(tmp_path / "out")


def test_the_folder_one_stands_in_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="the folder you are in"):
        refuse_foreign(tmp_path)


def test_who_waits_too_long_for_another_report_is_told(tmp_path):
    with (
        alone(tmp_path / "out"),
        pytest.raises(UsageError, match=r"another report has kept .*\.lock for more than 0.1 s"),
        alone(tmp_path / "out", seconds=0.1),
    ):
        raise AssertionError("two may not be alone")


def killed_while(tmp_path, code):
    """Run code in a process of its own up to a pause, and kill it there."""
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}\n{PAUSE}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGKILL)


def test_the_draft_of_a_killed_process_is_removed_by_the_next(tmp_path):
    out = tmp_path / "out"
    killed_while(
        tmp_path,
        "from pathlib import Path; from investigate.report.folder import report_draft\n"
        f"held = report_draft(Path({str(out)!r})); draft = held.__enter__()\n"
        "(draft.files / 'index.html').write_text('half')",
    )
    assert len(list((out / ".drafts").iterdir())) == 1
    publish(out)
    assert names(out) == PUBLISHED


def test_the_draft_of_a_living_process_stays(tmp_path):
    out = tmp_path / "out"
    with report_draft(out) as draft:
        (draft.files / "index.html").write_text("mine", encoding="utf-8")
        publish(out, "theirs")
        assert text(draft.files / "index.html") == "mine"
    assert names(out) == PUBLISHED


MOMENTS = {"rename": 5, "replace": 3, "unlink": 1}


@pytest.mark.parametrize(
    ("step", "moment"), [(step, n) for step, many in MOMENTS.items() for n in range(many)]
)
def test_killed_between_any_two_steps_a_report_is_finished_by_the_next(tmp_path, step, moment):
    out = tmp_path / "out"
    publish(out, "first")
    (out / "09_configuration.html").write_text("first", encoding="utf-8")  # to be removed
    killed_while(
        tmp_path,
        "from pathlib import Path; import sys\n"
        "from investigate.report.folder import report_draft, alone\n"
        f"real, calls = Path.{step}, []\n"
        "def stop(*arguments, **more):\n"
        f"    if len(calls) == {moment}:\n"
        "        print('there', flush=True); sys.stdin.read()\n"
        "    calls.append(1); return real(*arguments, **more)\n"
        f"with report_draft(Path({str(out)!r})) as draft:\n"
        "    for name in ('index.html', 'runs.html'): (draft.files / name).write_text('second')\n"
        "    (draft.files / 'runs').mkdir()\n"
        "    (draft.files / 'runs/index.json').write_text('second')\n"
        "    (draft.run / 'index.html').write_text('second')\n"
        "    with alone(draft.out):\n"
        f"        Path.{step} = stop\n"
        f"        draft.publish({RUN!r})",
    )
    with alone(out):
        found = {text(out / name) for name in PUBLISHED[1:]}
    committed = step != "rename" or moment > 0
    assert found == ({"second"} if committed else {"first"})
    assert (out / "09_configuration.html").exists() != committed
    assert [name for name in names(out) if name.startswith((".drafts", ".publishing"))] == []


def test_a_folder_that_is_called_publishing_and_is_none_is_told(tmp_path):
    (tmp_path / "out/.publishing").mkdir(parents=True)
    with pytest.raises(UsageError, match="no report on its way"), alone(tmp_path / "out"):
        raise AssertionError("nothing may be changed")


def test_without_locks_nobody_removes_a_draft(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "locked_at_once", lambda file: None)
    with report_draft(tmp_path / "out") as draft:
        publish(tmp_path / "out")
        assert draft.files.is_dir()
    assert names(tmp_path / "out") == PUBLISHED


@pytest.mark.parametrize(
    ("step", "moment"), [("rename", 0), ("rename", 1), ("rename", 3), ("replace", 1), ("unlink", 0)]
)
def test_stopped_by_a_signal_between_any_two_steps_a_report_is_whole_at_once(
    tmp_path, monkeypatch, step, moment
):
    out = tmp_path / "out"
    publish(out, "first")
    (out / "09_configuration.html").write_text("first", encoding="utf-8")  # to be removed
    real, calls = getattr(Path, step), []

    def stop(*arguments, **more):
        calls.append(step)
        if len(calls) == moment + 1:
            raise SystemExit(143)
        return real(*arguments, **more)

    real_publish = folder.ReportDraft.publish

    def stopped(draft, run):
        monkeypatch.setattr(Path, step, stop)
        real_publish(draft, run)

    monkeypatch.setattr(folder.ReportDraft, "publish", stopped)
    with pytest.raises(SystemExit):
        publish(out, "second")
    committed = step != "rename" or moment > 0
    assert {text(out / name) for name in PUBLISHED[1:]} == {"second" if committed else "first"}
    assert (out / "09_configuration.html").exists() != committed
    assert [path.name for path in out.iterdir() if path.name in (".drafts", ".publishing")] == []


def test_who_tries_whether_a_report_can_be_written_stands_in_nobodys_way(tmp_path):
    out = tmp_path / "out"
    publish(out, "first")
    killed_while(
        tmp_path,
        "import sys, tempfile; from pathlib import Path\n"
        "from investigate.report.folder import refuse_unwritable\n"
        "def stop(self, *raised):\n"
        "    print('there', flush=True); sys.stdin.read()\n"
        "tempfile.TemporaryDirectory.__exit__ = stop\n"
        f"refuse_unwritable(Path({str(out)!r}))",
    )
    assert len(list(out.glob(".investigate-*"))) == 1
    refuse_foreign(out)
    refuse_unwritable(out)
    publish(out, "second")
    assert names(out) == PUBLISHED
    assert list(out.glob(".investigate-*")) == []


def test_a_folder_that_another_process_removes_meanwhile_is_not_taken_for_a_file(
    tmp_path, monkeypatch
):
    out = a_report(tmp_path / "out")
    (out / ".publishing").mkdir()
    real = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: real(path) and path.name != ".publishing")
    refuse_foreign(out)


def test_a_folder_of_others_with_the_name_of_a_probe_is_not_emptied(tmp_path):
    out = a_report(tmp_path / "out")
    (out / ".investigate-my_notes").mkdir()
    (out / ".investigate-my_notes" / "notes.txt").write_text("mine", encoding="utf-8")
    publish(out)
    assert text(out / ".investigate-my_notes/notes.txt") == "mine"


def test_a_folder_in_which_the_first_report_takes_its_place_meanwhile_is_not_foreign(
    tmp_path, monkeypatch
):
    out = tmp_path / "out"
    (out / ".publishing").mkdir(parents=True)
    (out / "runs" / "one").mkdir(parents=True)
    real = Path.is_file

    def is_file(path):
        """Answer, and then let the other process come to its end."""
        known = real(path)
        if path.name == "index.json" and not known:
            (out / "runs/index.json").write_text("{}", encoding="utf-8")
            (out / ".publishing").rmdir()
        return known

    monkeypatch.setattr(Path, "is_file", is_file)
    refuse_foreign(out)
