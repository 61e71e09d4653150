"""How a run truly ended: papermill's own word for it is not taken."""

from __future__ import annotations

import nbformat
import pytest

from investigate.investigation import RESULT_MIME
from investigate.report.execute import execute, execute_all
from investigate.report.tidy import tidied, written
from tests.report.samples import END, notebook

PARAMETERS = {"case": "sample"}


def run(folder, *code, end=END, cell_seconds=60):
    source = folder / "01_raw_data.ipynb"
    nbformat.write(notebook(*code, end=end), source)
    place = folder / "place"
    place.mkdir()
    return execute(source, PARAMETERS, place, cell_seconds=cell_seconds)


def outputs(executed):
    return [out for cell in executed.notebook.cells for out in cell.get("outputs", ())]


def test_a_notebook_that_reaches_its_end_marker_has_not_failed(tmp_path):
    executed = run(tmp_path, "case")
    assert executed.failure is None
    assert outputs(executed)[0]["data"]["text/plain"] == "'sample'"


def test_a_cell_that_raises_is_a_failure_and_what_ran_before_is_kept(tmp_path):
    executed = run(tmp_path, "'kept'", "1 / 0", "'never'")
    assert executed.failure == "cell 4 failed: ZeroDivisionError: division by zero"
    assert [out.get("data", {}).get("text/plain") for out in outputs(executed)] == ["'kept'", None]


def test_a_cell_that_takes_too_long_is_stopped_and_said_to_be(tmp_path):
    executed = run(tmp_path, "import time; time.sleep(60)", cell_seconds=2)
    assert executed.failure == "cell 3 took longer than 2 s and was stopped"


def test_a_kernel_that_dies_is_a_failure_and_what_ran_before_is_kept(tmp_path):
    executed = run(tmp_path, "'kept'", "import os; os._exit(1)")
    assert executed.failure == "the kernel died, for instance for lack of memory"
    assert outputs(executed)[0]["data"]["text/plain"] == "'kept'"


@pytest.mark.parametrize("status", ["", "0"], ids=["plain", "zero"])
def test_leaving_early_is_a_failure_though_papermill_calls_it_a_success(tmp_path, status):
    executed = run(tmp_path, f"raise SystemExit({status})")
    assert executed.failure == "it ended without a result, after cell 3"


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


def test_leaving_with_an_error_code_is_a_failure(tmp_path):
    assert run(tmp_path, "import sys; sys.exit(3)").failure == "cell 3 failed: SystemExit: 3"


def test_a_notebook_without_the_end_marker_has_not_come_to_its_end(tmp_path):
    assert run(tmp_path, "1", end="").failure == "it ended without a result, after cell 3"


def test_an_end_marker_in_the_middle_is_no_end(tmp_path):
    assert run(tmp_path, END, end="1").failure == "it ended without a result, after cell 4"


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
    assert "    cell 3 failed: ValueError: <b>bold</b> `code`\\u001b[31m" in first.source
