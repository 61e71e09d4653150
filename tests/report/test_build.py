"""A whole report: what it holds, what it says when a notebook fails, and what it never holds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from investigate.evidence import Scope
from investigate.findings import Examination, dump, examine
from investigate.model import Window
from investigate.report import build
from investigate.report.build import name_of, write_report
from investigate.report.folder import report_draft
from investigate.report.notebooks import NOTEBOOKS, sources
from investigate.report.site import PLOTLY_SCRIPT
from tests.builders import END, START, Event, event_row, evidence_of, raw_row
from tests.report.markup import ADDRESS, Markup
from tests.report.samples import HOSTILE, document, entry, seven_notebooks

FIGURE = (
    "import plotly.graph_objects as go\n"
    "from investigate.figures.style import drawing\n"
    "drawing([go.Bar(x=['a'], y=[1])], 'One bar', sentence='a is 1')"
)
OPENED = (
    "from investigate.investigation import open_investigation\n"
    "it = open_investigation(case, start=start, end=end, entity=entity, findings=findings)\n"
    "it.headline('raw')"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a case with two events, in which the fifth notebook fails."""
    folder = tmp_path_factory.mktemp("report")
    evidence = evidence_of(folder, events=[event_row(Event("a")), event_row(Event("b"))])
    told = document(entry("raw/missing", keys=["id-1"]), entry("raw/gap", "passed"))
    notebooks = seven_notebooks(folder / "notebooks", nb_00=[FIGURE], nb_04=["1 / 0"])
    out = folder / "out"
    failed = write_report(
        evidence, Examination((), told), out, notebooks=sources(notebooks), single_file=True
    )
    return out, told, failed


def pages(out: Path) -> list[Path]:
    """The pages of the newest run, without the file that holds them all: it has its own tests."""
    return sorted(path for path in out.glob("*.html") if path.stem not in ("runs", "report"))


def run_folder(out: Path) -> Path:
    """The only run's own folder."""
    (folder,) = (path for path in (out / "runs" / "test").iterdir() if path.is_dir())
    return folder


def test_a_report_is_an_index_the_findings_and_a_page_and_a_notebook_of_each_step(report):
    out, _, _ = report
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    each = {f"{name}.{kind}" for name in NOTEBOOKS for kind in ("html", "ipynb")}
    each |= {"index.html", "findings.html", "findings.json", "notebooks.json", "run.json"}
    each |= {"report.html"}
    lists = {"runs.html", "runs/index.json", "runs/test/index.html", "runs/test/index.json"}
    scripts = {f"assets/{name}.js" for name in ("report", "figures", "runs", "display")}
    shared = {*scripts, PLOTLY_SCRIPT, ".lock"}
    run = run_folder(out).relative_to(out).as_posix()
    assert files == each | {f"{run}/{name}" for name in each} | lists | shared


def test_the_run_of_its_own_is_the_newest_report_with_other_ways_to_what_is_shared(report):
    out, _, _ = report
    for path in run_folder(out).iterdir():
        own, newest = (folder / path.name for folder in (path.parent, out))
        told = own.read_text(encoding="utf-8")
        for name in ("assets/", "runs.html", "runs/test/index.html"):
            told = told.replace(f'"../../../{name}', f'"{name}')
        assert told == newest.read_text(encoding="utf-8"), path.name


def test_a_second_report_writes_no_shared_file_again(report, tmp_path):
    out, _, _ = report
    with report_draft(tmp_path / "out") as draft:
        build.write_assets(draft)
        assert (draft.files / PLOTLY_SCRIPT).is_file()
    with report_draft(out) as draft:
        build.write_assets(draft)
        assert list(draft.files.iterdir()) == []


def test_the_first_page_is_small(report):
    out, _, _ = report
    assert (out / "index.html").stat().st_size < 60_000


def test_the_findings_are_written_as_they_were_computed(report):
    out, told, _ = report
    assert (out / "findings.json").read_text(encoding="utf-8") == dump(told)


def test_a_failed_notebook_is_told_by_the_call_the_index_its_page_and_itself(report):
    out, _, failed = report
    said = "cell 3 failed: ZeroDivisionError: division by zero"
    assert [(one.name, one.failure) for one in failed] == [("04_sqs", said)]
    assert said in unescape((out / "index.html").read_text(encoding="utf-8"))
    assert said in unescape((out / "04_sqs.html").read_text(encoding="utf-8"))
    first = json.loads((out / "04_sqs.ipynb").read_text(encoding="utf-8"))["cells"][0]
    assert said in "".join(first["source"])


def test_only_the_page_of_the_failed_notebook_raises_an_alarm(report):
    out, _, _ = report
    loud = [path.stem for path in pages(out) if 'role="alert"' in path.read_text(encoding="utf-8")]
    assert loud == ["04_sqs", "index"]


def test_no_page_and_no_notebook_names_another_host(report):
    out, _, _ = report
    for path in [*pages(out), *out.glob("*.ipynb")]:
        assert re.search(ADDRESS, path.read_text(encoding="utf-8")) is None, path.name


def test_no_file_names_a_folder_of_this_machine(report):
    out, _, _ = report
    for path in out.rglob("*"):
        if path.suffix in (".html", ".ipynb", ".json") and path.stem != "report":
            text = path.read_text(encoding="utf-8")
            assert str(out.parent) not in text
            assert not re.search(r"/(tmp|home|root|usr)/", text), path.name


def test_every_link_leads_to_a_file_of_the_report(report):
    out, _, _ = report
    for path in out.rglob("*.html"):
        markup = Markup(path.read_text(encoding="utf-8"))
        links = markup.values("a", "href") + markup.values("script", "src")
        files = {link.split("#")[0] for link in links} - {""}
        assert [name for name in files if not (path.parent / name).is_file()] == [], path


def test_what_was_asked_stands_open_on_every_page_by_names_and_not_by_folders(report):
    out, _, _ = report
    for name in NOTEBOOKS:
        text = unescape(re.sub("<[^>]+>", "", (out / f"{name}.html").read_text(encoding="utf-8")))
        assert 'case = "test"' in text
        assert 'findings = "findings.json"' in text
        assert 'start = "2026-03-10T00:00:00Z"' in text


def test_a_saved_notebook_holds_nothing_of_papermill(report):
    out, _, _ = report
    for path in out.glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
        assert all(set(cell["metadata"]) <= {"tags"} for cell in notebook["cells"])


def test_plotly_is_there_once_and_a_page_without_figures_does_not_load_it(report):
    out, _, _ = report
    assert len(list(out.rglob("plotly*"))) == 1
    loading = [p.stem for p in pages(out) if PLOTLY_SCRIPT in p.read_text(encoding="utf-8")]
    assert loading == ["00_overview"]


def test_hostile_evidence_stays_text_from_the_case_to_the_page(tmp_path):
    event = Event("a", source=HOSTILE, event_type=HOSTILE, payload={HOSTILE: HOSTILE})
    scope = Scope(Window(START, END))
    evidence = evidence_of(
        tmp_path,
        scope=scope,
        events=[event_row(event, status=HOSTILE)],
        raw=[raw_row(event, payload_sha_actual=HOSTILE)],
    )
    rows = (OPENED, "it.findings_of('raw')", "it.evidence_of('raw')", "it.evidence_of('events')")
    notebooks = seven_notebooks(tmp_path / "notebooks", nb_01=rows)
    out = tmp_path / "out"
    assert write_report(evidence, examine(evidence), out, notebooks=sources(notebooks)) == []
    for path in pages(out):
        assert Markup(path.read_text(encoding="utf-8")).handlers == [], path.name
    shown = unescape((out / "01_raw_data.html").read_text(encoding="utf-8"))
    assert "x</script><script>alert(1)</script>" in shown


@pytest.mark.parametrize(
    ("given", "name"),
    [("everything", "everything"), ("../../etc", "etc"), ("a b/ç", "a-b"), ("..", "case")],
)
def test_the_name_of_a_case_is_no_path(tmp_path, given, name):
    case = replace(evidence_of(tmp_path, events=[]).case, name=given)
    assert name_of(case) == name
