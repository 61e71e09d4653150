"""The command line as a process: what it loads, how it ends, and in which alphabet."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from tempfile import gettempdir

import pyarrow as pa
import pytest

from investigate import cli
from investigate.commands import verify
from investigate.commands.options import COMMANDS
from investigate.engine import DuckDBEngine
from tests.commands.conftest import HEALTHY, INVESTIGATE, process


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert left.value.code == 0
    assert [name for name in COMMANDS if name not in out] == []


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


def test_being_stopped_is_said_and_no_traceback(capsys, monkeypatch):
    def stop(options, console):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "run", stop)
    assert cli.main(["verify", HEALTHY]) == cli.STOPPED
    assert tuple(capsys.readouterr()) == ("", "investigate: stopped\n")


def test_a_bug_stays_a_traceback(monkeypatch):
    def fail(options, console):
        raise KeyError("a bug")

    monkeypatch.setattr(verify, "run", fail)
    with pytest.raises(KeyError, match="a bug"):
        cli.main(["verify", HEALTHY])


@pytest.mark.parametrize(
    ("said", "raised"), [("Query interrupted", KeyboardInterrupt), ("a bug", RuntimeError)]
)
def test_being_stopped_during_a_query_is_being_stopped(monkeypatch, said, raised):
    class Connection:
        def execute(self, sql):
            raise RuntimeError(said)

    engine = DuckDBEngine()
    question = engine.read_arrow(pa.table({"day": [1]}), "days")
    monkeypatch.setattr(engine._backend, "con", Connection())
    with pytest.raises(raised):
        engine.rows(question)


def test_what_the_system_refuses_is_one_message_and_no_verdict(capsys, monkeypatch):
    def refuse(options, console):
        raise PermissionError(13, "Permission denied", "/somewhere/file")

    monkeypatch.setattr(verify, "run", refuse)
    assert cli.main(["verify", HEALTHY]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("investigate: /somewhere/file: Permission denied\n")


def test_a_disk_that_is_full_is_named_with_what_to_type_next(capsys, monkeypatch):
    def fail(options, console):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(verify, "run", fail)
    assert cli.main(["verify", HEALTHY]) == 2
    told = f"No space left on device, on the disk of one of: {HEALTHY}, {gettempdir()}\n"
    assert capsys.readouterr().err == (
        f"investigate: {told}  free some space there, or name other places (--out, --spill, "
        "TMPDIR); then run the same again\n"
    )


def test_an_error_of_the_system_that_is_about_no_file_stays_a_traceback(monkeypatch):
    def fail(options, console):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(verify, "run", fail)
    with pytest.raises(OSError, match="Bad file descriptor"):
        cli.main(["verify", HEALTHY])
