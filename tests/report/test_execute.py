"""How a run truly ended: papermill's own word for it is not taken."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from investigate.investigation import RESULT_MIME
from investigate.memory import EngineMemory, MemoryLimit
from investigate.report import execute as module
from investigate.report.ending import DONE
from investigate.report.execute import OwnKernel, execute, execute_all
from investigate.report.tidy import tidied, written
from investigate.report.watch import RunLimits
from tests.report.samples import END, notebook

PARAMETERS = {"case": "sample"}


def run(folder, *code, end=END, **limits):
    source = folder / "01_raw_data.ipynb"
    nbformat.write(notebook(*code, end=end), source)
    place = folder / "place"
    place.mkdir()
    return execute(source, PARAMETERS, place, limits=RunLimits(**limits))


def outputs(executed):
    return [out for cell in executed.notebook.cells for out in cell.get("outputs", ())]


def shown(executed):
    return [
        out["data"]["text/plain"]
        for out in outputs(executed)
        if "text/plain" in out.get("data", {})
    ]


def test_a_notebook_that_reaches_its_end_marker_is_done(tmp_path):
    executed = run(tmp_path, "case")
    assert executed.ending == DONE
    assert executed.failure is None
    assert shown(executed) == ["'sample'"]


IGNORING = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)"
SWALLOWING = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass"
FORGED = f"print({{{RESULT_MIME!r}: {{}}}})"
# Each notebook first shows 'kept'; then comes this code, and only then, in a cell of its own, the
# end marker. papermill calls several of these a success (section 2.2 of its pitfalls).
ENDINGS = {
    "error": ("1 / 0", {}, "cell-failed", "cell 4 failed: ZeroDivisionError: division by zero"),
    "interrupt of its own": (
        "raise KeyboardInterrupt", {}, "cell-failed", "cell 4 failed: KeyboardInterrupt: ",
    ),
    "slow cell": (
        "import time; time.sleep(60)", {"cell": 2}, "timed-out",
        "cell 4 took longer than 2 s and was stopped",
    ),
    "slow cell that ignores its interruption": (
        IGNORING, {"cell": 2, "grace": 1}, "timed-out",
        "cell 4 took longer than 2 s and could not be interrupted",
    ),
    "slow cell that hides its interruption": (
        SWALLOWING, {"cell": 2}, "timed-out", "cell 4 took longer than 2 s and was stopped",
    ),
    "slow notebook": (
        IGNORING, {"notebook": 9}, "timed-out",
        "the notebook took longer than 9 s and was stopped in cell 4",
    ),
    "killed kernel": (
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", {}, "kernel-died",
        "the kernel died, for instance for lack of memory",
    ),
    "SystemExit": (
        "raise SystemExit", {}, "ended-early", "it ended without a result, after cell 4",
    ),
    "sys.exit(0)": (
        "import sys; sys.exit(0)", {}, "ended-early", "it ended without a result, after cell 4",
    ),
    "sys.exit(3)": (
        "import sys; sys.exit(3)", {}, "ended-early", "cell 4 failed: SystemExit: 3",
    ),
    "forged marker": (
        f"{FORGED}\nraise SystemExit", {}, "ended-early", "it ended without a result, after cell 4",
    ),
    "marker in the middle": (
        f"{END}\nraise SystemExit", {}, "ended-early", "it ended without a result, after cell 4",
    ),
    "flood": (
        "while True: print('x' * 1000)", {"printed": 50_000}, "too-much-output",
        "cell 4 printed more than 50,000 characters",
    ),
    "flood of warnings": (
        "import sys\nwhile True: print('x' * 1000, file=sys.stderr)", {"printed": 50_000},
        "too-much-output", "cell 4 printed more than 50,000 characters",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "limits", "state", "reason"), ENDINGS.values(), ids=ENDINGS)
def test_each_ending_has_its_state_its_sentence_and_what_had_run(
    tmp_path, code, limits, state, reason
):
    executed = run(tmp_path, "'kept'", code, **limits)
    assert executed.state.value == state
    assert executed.failure == reason
    assert shown(executed)[:1] == ["'kept'"]
    banner = tidied(executed).cells[0]
    assert f"    {state}: {reason}" in banner.source


@pytest.mark.parametrize("end", ["", "1", FORGED], ids=["no cell", "another cell", "printed"])
def test_without_the_end_marker_in_the_last_cell_there_is_no_result(tmp_path, end):
    executed = run(tmp_path, END, "1", end=end)
    assert executed.state.value == "no-result"
    assert "it ended without a result, after cell" in executed.failure
    assert "its last cell must be incident.result(…); put your own above it" in executed.failure


def test_an_error_stays_one_where_the_notebook_says_that_it_expects_it(tmp_path):
    source = tmp_path / "01_raw_data.ipynb"
    expecting = notebook("1 / 0", "'goes on'")
    expecting.cells[2].metadata.tags = ["raises-exception"]
    nbformat.write(expecting, source)
    place = tmp_path / "place"
    place.mkdir()
    executed = execute(source, PARAMETERS, place)
    assert executed.state.value == "cell-failed"
    assert "'goes on'" in shown(executed)


def test_outputs_that_a_notebook_holds_already_never_pass_for_those_of_a_run(tmp_path):
    source, place = tmp_path / "01_raw_data.ipynb", tmp_path / "place"
    place.mkdir()
    made = notebook("import os; os._exit(1)", "'never'")
    for count, cell in enumerate(made.cells[1:], 1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("display_data", {RESULT_MIME: {}})]
    nbformat.write(made, source)
    executed = execute(source, PARAMETERS, place)
    assert executed.failure == "the kernel died, for instance for lack of memory"
    assert outputs(executed) == []


def other_program(*command):
    """A kernel that is another program, and the list of its starts."""
    starts = []

    class Other(OwnKernel):
        def format_kernel_cmd(self, extra_arguments=None):
            starts.append(command)
            return list(command)

    return Other, starts


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (("sleep", "60"), "the kernel did not start: Kernel didn't respond in 2 seconds"),
        (("false",), "the kernel did not start: Kernel died before replying to kernel_info"),
        (("/dev/null",), "the kernel did not start: Permission denied: /dev/null"),
        (("/no/such",), "the kernel did not start: No such file or directory: /no/such"),
    ],
    ids=["silent", "dead", "forbidden", "absent"],
)
def test_a_kernel_that_does_not_start_is_tried_once_more_and_shows_no_old_output(
    tmp_path, monkeypatch, program, said
):
    kernel, starts = other_program(*program)
    monkeypatch.setattr(module, "OwnKernel", kernel)
    source = tmp_path / "01_raw_data.ipynb"
    old = notebook("'old'")
    old.cells[2].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "'old'"})]
    nbformat.write(old, source)
    place = tmp_path / "place"
    place.mkdir()
    executed = execute(source, PARAMETERS, place, limits=RunLimits(start=2))
    assert executed.state.value == "no-kernel"
    assert executed.failure == said
    assert starts == [program, program]
    assert outputs(executed) == []


def test_a_kernel_is_started_only_once_for_a_cell_that_fails(tmp_path):
    executed = run(tmp_path, "open('runs', 'a').write('x')", "1 / 0")
    assert executed.state.value == "cell-failed"
    assert (tmp_path / "place" / "runs").read_text(encoding="utf-8") == "x"


def test_one_that_fails_does_not_stop_the_others_and_the_order_stays(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    code = {"00_overview": ("1 / 0",), "01_raw_data": (), "02_events_table": ("1 / 0",)}
    sources = [tmp_path / f"{name}.ipynb" for name in code]
    for source in sources:
        nbformat.write(notebook(*code[source.stem]), source)
    told = []
    done = execute_all(sources, PARAMETERS, place, told=lambda one: told.append(one.name))
    assert [(one.name, bool(one.failure)) for one in done] == [
        ("00_overview", True), ("01_raw_data", False), ("02_events_table", True),
    ]  # fmt: skip
    assert told == list(code)


def test_the_users_own_start_up_scripts_do_not_run(tmp_path, monkeypatch):
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-own.py").write_text("injected = 1", encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    executed = run(tmp_path, "'injected' in globals()")
    assert outputs(executed)[0]["data"]["text/plain"] == "False"


def test_two_runs_make_the_same_file_and_it_names_no_folder_of_this_machine(tmp_path):
    code = (
        "import sys; print('a'); print('b', file=sys.stderr); print(__import__('os').getcwd())",
        "raise ValueError('in ' + __import__('os').getcwd())",
    )
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        files.append(written(tidied(run(folder, *code))))
    assert str(tmp_path) not in files[0]
    assert files[0] == files[1]


def test_a_failure_stands_on_top_of_the_saved_notebook(tmp_path):
    executed = run(tmp_path, "raise ValueError('<b>bold</b> `code`\\x1b[31m')")
    first = tidied(executed).cells[0]
    assert first.cell_type == "markdown"
    assert "did not come to its end" in first.source
    # As an indented block it is shown as it is, whatever it holds.
    assert (
        "    cell-failed: cell 3 failed: ValueError: <b>bold</b> `code`\\u001b[31m" in first.source
    )


def started(folder):
    """The processes that have run `PID`."""
    return [int(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.pid"))]


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except FileNotFoundError:
        return False


PID = "import os, pathlib, uuid; pathlib.Path(f'{uuid.uuid4()}.pid').write_text(str(os.getpid()))"


def three_slow_notebooks(folder):
    sources = [folder / f"{name}.ipynb" for name in ("00_overview", "01_raw_data", "04_sqs")]
    for source in sources:
        nbformat.write(notebook("'kept'", f"{PID}\nimport time; time.sleep(60)"), source)
    place = folder / "place"
    place.mkdir()
    return sources, place


def test_at_the_deadline_of_the_run_the_running_are_stopped_and_the_others_do_not_begin(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    sources, place = three_slow_notebooks(tmp_path)
    done = execute_all(sources, PARAMETERS, place, seconds=12)
    assert [one.state.value for one in done] == ["deadline", "deadline", "not-started"]
    # Where it was is a matter of the machine's speed.
    assert done[0].failure.startswith("the deadline of the whole run was reached ")
    assert done[2].failure == "the deadline of the whole run was reached before its turn"
    assert outputs(done[2]) == []
    assert [process for process in started(place) if alive(process)] == []


def test_kernels_share_the_room_of_the_run_and_leave_nothing_there(tmp_path, monkeypatch):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    source, place, spill = (tmp_path / name for name in ("04_sqs.ipynb", "place", "spill"))
    left = "from pathlib import Path; Path(os.environ['INVESTIGATE_SPILL'], 'left').write_text('')"
    nbformat.write(notebook("import os; os.environ['INVESTIGATE_MEMORY']", left), source)
    for folder in (place, spill):
        folder.mkdir()
    limits = RunLimits(memory=EngineMemory(MemoryLimit.parse("900MB"), spill))
    (done,) = execute_all([source], PARAMETERS, place, limits=limits)
    assert shown(done) == ["'300.000MB'", "0"]
    assert list(spill.iterdir()) == []


def test_whoever_interrupts_a_run_leaves_no_kernel_behind(tmp_path):
    sources, place = three_slow_notebooks(tmp_path)
    nbformat.write(notebook(), sources[0])

    def told(executed):
        while not started(place):
            time.sleep(0.1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_all(sources, PARAMETERS, place, told=told)
    assert [process for process in started(place) if alive(process)] == []


SIDE_BY_SIDE = """
import sys
from pathlib import Path
from investigate.report.execute import execute_all
place = Path(sys.argv[1])
sources = sorted(place.parent.glob("*.ipynb"))
for done in execute_all(sources, {"case": "sample"}, place):
    folder = done.notebook.cells[-2].outputs[0].data["text/plain"].strip("'")
    print(done.name, done.state.value, Path(folder).name)
"""


def test_notebooks_of_two_processes_side_by_side_do_not_meet_and_run_in_their_own_folder(tmp_path):
    names = ["00_overview", "01_raw_data", "04_sqs", "05_processor"]
    for name in names:
        nbformat.write(notebook("import os; os.getcwd()"), tmp_path / f"{name}.ipynb")
    running = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        command = [sys.executable, "-c", SIDE_BY_SIDE, str(tmp_path / place)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    said = [process.communicate()[0].splitlines() for process in running]
    assert said == [[f"{name} done {place}" for name in names] for place in ("one", "two")]
