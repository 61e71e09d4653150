"""The examples of docs/scheduling.md are taken from the page and executed as a scheduler would."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import botocore.session
import nbclient
import nbformat
import papermill
import pytest
from botocore.validate import ParamValidator

from investigate.capture.draft import draft_folder_of
from investigate.investigation import RESULT_MIME
from investigate.report.ending import RunState
from tests.builders import Event, event_row, evidence_of, raw_row
from tests.report.samples import seven_notebooks

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")
THERE = "/srv/investigate"
DAY = "2026-03-10"
YESTERDAY = ["date", "-u", "-d", "yesterday", "+%Y-%m-%d"]


def examples(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, language
    return found


def unit(kind: str) -> configparser.ConfigParser:
    (text,) = [text for text in examples("ini") if f"[{kind}]" in text]
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # systemd's keys are written as they are
    parser.read_string(text)
    return parser


# What `.venv/bin/investigate` is here: the real command line, with two small notebooks, and with
# what leads a capture to the sandbox. A checkout has a console script that needs none of it.
COMMAND = """#!/bin/sh
export PYTHONPATH={root} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
exec {python} -c '
import sys
from pathlib import Path
from investigate import cli
from investigate.commands import report
found = report.sources
report.default_folder = lambda: Path("{notebooks}")
report.sources = lambda folder: found(folder)[:2]
if sys.argv[1] == "capture":
    sys.argv += Path("{sandbox}").read_text().split()
cli.run()
' "$@"
"""


@pytest.fixture
def place(tmp_path):
    """A home folder with `investigate` in it: the script of the page, and a command."""
    folder = tmp_path / "investigate"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "cases").mkdir()
    script = folder / "nightly.sh"
    script.write_text(examples("sh")[0], encoding="utf-8")
    command = folder / ".venv" / "bin" / "investigate"
    command.write_text(
        COMMAND.format(
            root=shlex.quote(str(ROOT)),
            python=shlex.quote(sys.executable),
            notebooks=seven_notebooks(tmp_path / "notebooks"),
            sandbox=tmp_path / "sandbox",
        ),
        encoding="utf-8",
    )
    script.chmod(0o755)
    command.chmod(0o755)
    return folder


@pytest.fixture
def captured(place, tmp_path):
    """Put a small case of this day into its place."""

    def put(day: str) -> Path:
        (tmp_path / "made").mkdir()
        event = Event("a", entity_id="00123")
        made = evidence_of(tmp_path / "made", raw=[raw_row(event)], events=[event_row(event)])
        return Path(shutil.copytree(made.case.folder, place / "cases" / day))

    return put


def bare(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as cron does: by /bin/sh, at home, with next to no environment."""
    environment = {"HOME": str(home), "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "LOGNAME": "x"}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=home, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def yesterday() -> str:
    return subprocess.run(YESTERDAY, capture_output=True, text=True, check=True).stdout.strip()


def cron_command() -> str:
    (line,) = [line for line in examples("cron")[0].splitlines() if line[0].isdigit()]
    *when, command = line.split(maxsplit=5)
    assert [bool(re.fullmatch(r"\d+|\*", field)) for field in when] == [True] * 5
    assert "%" not in command, "cron takes it for a line break"
    return command


def states(report: Path) -> set[str]:
    told = json.loads((report / "notebooks.json").read_text(encoding="utf-8"))
    return {one["state"] for one in told["notebooks"]}


def test_the_cron_line_reports_on_yesterday_with_next_to_no_environment(place, captured):
    day = yesterday()
    captured(day)
    done = bare(cron_command(), place.parent)
    log = (place / "nightly.log").read_text(encoding="utf-8")
    assert done.returncode in (1, 3), log  # the case is small: it finds things, and cannot tell all
    assert (done.stdout, done.stderr) == ("", "")
    assert "reports/index.html" in log
    assert states(place / "reports") == {"done"}


def test_a_run_that_failed_is_not_taken_for_done_by_the_next(place, captured):
    day = yesterday()
    case = captured(day)
    (case / "case.json").rename(case / "kept")
    assert bare(cron_command(), place.parent).returncode == 2
    assert not (place / "reports").exists()
    (case / "kept").rename(case / "case.json")
    assert bare(cron_command(), place.parent).returncode in (1, 3)
    assert (place / "reports" / "index.html").is_file()


def test_the_nights_are_one_history_that_says_what_changed(place, captured):
    before = shutil.copytree(captured(DAY), place / "cases" / "2026-03-09")
    told = json.loads((before / "case.json").read_text(encoding="utf-8"))
    (before / "case.json").write_text(json.dumps({**told, "name": "x"}), encoding="utf-8")
    for day in ("2026-03-09", DAY, DAY):  # the last of them is a repetition
        done = bare(f"investigate/nightly.sh {day}", place.parent)
        assert done.returncode in (1, 3), done.stderr
    assert len(list((place / "reports" / "runs" / "nightly").glob("*/index.html"))) == 2
    first_page = (place / "reports" / "index.html").read_text(encoding="utf-8")
    assert "Since the last run" in first_page
    assert len(list((place / "reports").rglob("plotly*"))) == 1


def test_a_day_that_is_not_over_is_refused_because_it_would_never_be_captured_again(place):
    today = subprocess.run(
        ["date", "-u", "+%Y-%m-%d"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = bare(f"investigate/nightly.sh {today}", place.parent)
    assert done.returncode == 2
    assert done.stderr == f"nightly.sh: {today} is not over in UTC; nothing was captured\n"
    assert list((place / "cases").iterdir()) == []


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_script_captures_once_and_gives_the_same_report_again(place, tmp_path):
    with (
        (place / "pipeline.toml").open("w", encoding="utf-8") as configuration,
        subprocess.Popen(
            [sys.executable, "-m", "investigate", "sandbox", "serve", "--fault", "raw-corrupt"],
            stdout=configuration, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as serving,
    ):  # fmt: skip
        line = next(line for line in serving.stderr if "http://" in line)
        url = line.split("answers at ")[1].split(";")[0]
        only = "--only raw,events,dedupe"  # the sandbox has it all; these are enough here
        sandbox = f"--endpoint-url {url} --now 2026-03-16T18:00:00Z {only}"
        (tmp_path / "sandbox").write_text(sandbox, encoding="utf-8")
        first = bare(f"investigate/nightly.sh {DAY}", place.parent)
        serving.send_signal(signal.SIGINT)
        serving.stderr.read()
    assert first.returncode == 1, first.stderr
    made = files(place / "reports")
    case = json.loads((place / "cases" / DAY / "case.json").read_text(encoding="utf-8"))
    assert case["window"] == {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    again = bare(f"investigate/nightly.sh {DAY}", place.parent)
    assert again.returncode == 1, again.stderr
    assert files(place / "reports") == made


def test_the_script_looks_for_an_unfinished_capture_where_one_would_be():
    assert str(draft_folder_of(Path("cases") / "$day")) in examples("sh")[0]


def test_systemd_runs_the_script_with_next_to_no_environment(place, captured):
    service = unit("Service")["Service"]
    captured(yesterday())
    done = bare(service["ExecStart"].replace(THERE, str(place)), place.parent)
    accepted = {"0", *service["SuccessExitStatus"].split()}
    assert str(done.returncode) in {*accepted, "3"}, done.stderr
    assert service["WorkingDirectory"] == THERE
    assert unit("Timer")["Timer"]["OnCalendar"].endswith(" UTC")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd on this machine")
def test_systemd_itself_understands_the_units(tmp_path):
    for text in examples("ini"):
        kind = "timer" if "[Timer]" in text else "service"
        path = tmp_path / f"investigate-nightly.{kind}"
        path.write_text(text.replace(THERE, str(ROOT)), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


class Dag:
    """A stand-in for Airflow's: keeps the tasks that the page defines."""

    def __init__(self, **options: object) -> None:
        self.options = options

    def __enter__(self) -> Dag:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


class Interval:
    """A stand-in for Airflow's timetable, whose `ds` is the day on which the interval begins."""

    def __init__(self, cron: str, timezone: str) -> None:
        self.cron, self.timezone = cron, timezone


class Task:
    """A stand-in for Airflow's operators: keeps its options, and fills in the day."""

    def __init__(self, **options: object) -> None:
        self.options = options

    def __rshift__(self, other: Task) -> Task:
        self.following = other
        return other

    def given(self, name: str) -> str:
        return str(self.options[name]).replace("{{ ds }}", DAY)


def airflow(place: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Run the page's Airflow file; the stand-ins have the modules' real names."""
    for name, content in {
        "airflow": {"DAG": Dag},
        "airflow.timetables.interval": {"CronDataIntervalTimetable": Interval},
        "airflow.providers.papermill.operators.papermill": {"PapermillOperator": Task},
        "airflow.providers.standard.operators.bash": {"BashOperator": Task},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    code = examples("python")[0].replace(THERE, str(place))
    tasks: dict[str, object] = {}
    exec(compile(code, "dag.py", "exec"), tasks)  # noqa: S102  our own page
    return tasks


def test_airflows_bash_task_succeeds_with_findings_and_fails_with_a_wrong_question(
    place, captured, monkeypatch
):
    tasks = airflow(place, monkeypatch)
    task = tasks["report"]

    def run() -> int:
        command = ["bash", "-c", task.given("bash_command")]
        environment = {"HOME": str(place.parent), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=task.given("cwd"), env=environment).returncode

    case = captured(DAY)
    (case / "case.json").rename(case / "kept")
    assert run() == 2
    (case / "kept").rename(case / "case.json")
    assert run() in (0, 3)
    assert (place / "reports" / "index.html").is_file()
    assert task.following is tasks["queues"]


def test_airflow_asks_for_the_day_before_the_run_and_never_for_one_that_goes_on(place, monkeypatch):
    dag = airflow(place, monkeypatch)["dag"]
    schedule = dag.options["schedule"]
    # A cron text alone would make `ds` the day of the run.
    assert isinstance(schedule, Interval)
    assert (schedule.cron, schedule.timezone) == ("15 1 * * *", "UTC")


def as_papermill_operator(task: Task, **changes: object) -> None:
    """Call papermill as the operator of Airflow's provider does in its `execute`."""
    parameters = json.loads(json.dumps(task.options["parameters"]).replace("{{ ds }}", DAY))
    papermill.execute_notebook(
        task.given("input_nb"),
        task.given("output_nb"),
        parameters={**parameters, **changes},
        progress_bar=False,
        report_mode=True,
        log_output=False,
        kernel_name=task.options["kernel_name"],
        language=None,
        engine_name=None,
    )


def result(path: Path) -> bool:
    """Whether the last cell of a saved notebook shows the end marker."""
    last = nbformat.read(path, as_version=4).cells[-1]
    return any(RESULT_MIME in output.get("data", {}) for output in last.outputs)


def test_airflows_papermill_task_runs_the_real_notebook_and_texts_stay_texts(
    place, captured, monkeypatch
):
    captured(DAY)
    (place / "queues").mkdir()
    (place / "notebooks").symlink_to(ROOT / "notebooks", target_is_directory=True)
    task = airflow(place, monkeypatch)["queues"]
    as_papermill_operator(task)
    out = Path(task.given("output_nb"))
    assert place / "reports" not in out.parents, "the next report would refuse its folder"
    assert result(out)
    assert 'entity = "00123"' in out.read_text(encoding="utf-8").replace('\\"', '"')
    with pytest.raises(papermill.PapermillExecutionError, match="UsageError"):
        as_papermill_operator(task, entity=123)


def scheduled(parameters: dict[str, str], folder: Path) -> Path:
    """Run a notebook with its parameters as lines of code after the cell of the parameters, which
    is what jupyter-scheduler makes of them."""
    notebook = nbformat.read(ROOT / "notebooks" / "04_sqs.ipynb", as_version=4)
    (place,) = (
        number
        for number, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", ())
    )
    code = "\n".join(f"{name} = {value}" for name, value in parameters.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(code))
    out = folder / "out.ipynb"
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(folder)}})
    try:
        client.execute()
    finally:
        nbformat.write(notebook, out)
    return out


def test_jupyter_scheduler_runs_a_notebook_with_quoted_texts_and_not_with_a_number(
    place, captured, tmp_path
):
    case = captured(DAY)
    rows = re.findall(r"^\| `(case|entity|start)` \| `(.+)` \|$", PAGE, re.MULTILINE)
    parameters = {name: value.replace(f"{THERE}/cases/{DAY}", str(case)) for name, value in rows}
    assert set(parameters) == {"case", "entity", "start"}
    assert result(scheduled(parameters, tmp_path))
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="must be a text, not int"):
        scheduled({**parameters, "entity": "123"}, tmp_path)
    with pytest.raises(SyntaxError):
        compile("entity = 00123", "cell", "exec")


SERVICES = {
    "task.json": ("ecs", "RegisterTaskDefinition"),
    "rule.json": ("events", "PutRule"),
    "targets.json": ("events", "PutTargets"),
}


@pytest.mark.parametrize("name", SERVICES)
def test_aws_would_accept_the_form_of_each_request(name):
    service, operation = SERVICES[name]
    request = json.loads(examples("json")[list(SERVICES).index(name)])
    assert f"file://{name}" in PAGE
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    assert ParamValidator().validate(request, shape).generate_report() == ""
    assert ParamValidator().validate({**request, "Nmae": 1}, shape).has_errors()


def test_the_ecs_task_starts_the_script_where_its_volumes_are():
    (container,) = json.loads(examples("json")[0])["containerDefinitions"]
    assert container["command"] == ["sh", "nightly.sh"]
    mounted = {point["containerPath"] for point in container["mountPoints"]}
    assert mounted == {f"{container['workingDirectory']}/{name}" for name in ("cases", "reports")}


def test_the_papermill_line_works_from_a_checkout(tmp_path):
    (line,) = [line[2:] for text in examples("console") for line in text.splitlines()]
    program, *arguments = shlex.split(line)
    assert program == "papermill"
    for name in ("notebooks", "data"):
        (tmp_path / name).symlink_to(ROOT / name, target_is_directory=True)
    subprocess.run(
        [sys.executable, "-m", "papermill", *arguments, "--no-progress-bar"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True,
    )  # fmt: skip
    assert result(tmp_path / "sqs.ipynb")


def test_the_page_lists_every_state_of_a_notebook():
    listed = re.findall(r"^\| `([a-z-]+)` \| [a-z]", PAGE, re.MULTILINE)
    assert listed == [state.value for state in RunState]
