"""The notebooks keep one shape, hold no logic, and run on any case: with faults, with nothing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from investigate import figures, numbers
from investigate.display import PLOTLY_MIME, SCRIPT_MIME
from investigate.findings import dump, examine
from investigate.investigation import RESULT_MIME, Investigation
from investigate.model import STEPS, Step
from investigate.parameters import Parameters
from investigate.report.execute import execute
from investigate.report.notebooks import NOTEBOOKS, OVERVIEW, TRACE
from tests.builders import evidence_of
from tests.complete import troubled

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
SECTIONS = (
    "What we captured", "What should be true", "What we found", "Look closer",
    "What this does not show",
)  # fmt: skip
# Pictures before a list that may be long.
OVERVIEW_SECTIONS = (*SECTIONS[:2], SECTIONS[3], SECTIONS[2], SECTIONS[4])
NAMES = sorted(NOTEBOOKS)
CHAPTERS = tuple(step for step in Step if step.is_chapter)


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(name: str) -> list[NotebookNode]:
    return [cell for cell in read(name).cells if cell.cell_type == "code"]


def tagged(name: str, tag: str) -> list[NotebookNode]:
    return [cell for cell in code_cells(name) if tag in cell.metadata.get("tags", ())]


def nodes(source: str) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(source))


def test_every_step_has_its_notebook_and_every_notebook_its_step():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES
    assert [NOTEBOOKS[name] for name in NAMES] == [None, *STEPS, *CHAPTERS, None]


@pytest.mark.parametrize("name", NAMES)
def test_the_sections_stand_in_one_order(name):
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    told = tuple(re.findall(r"^## (.+)$", text, re.MULTILINE))
    assert told == (SECTIONS if NOTEBOOKS[name] else OVERVIEW_SECTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_opens_with_title_and_question_and_ends_with_its_result(name):
    cells = read(name).cells
    number, rest = name.split("_", 1)
    title, question, *_ = cells[0].source.split("\n\n")
    assert re.fullmatch(rf"# {number} · .+", title)
    assert rest.split("_")[-1].lower() in title.lower()
    assert re.fullmatch(r"\*\*.+\?\*\*", question)
    assert cells[-1].metadata.tags == ["result"]


@pytest.mark.parametrize("name", NAMES)
def test_code_follows_the_skeleton(name):
    tags = " ".join(*zip(*(cell.metadata.tags for cell in code_cells(name)), strict=True))
    rows = "" if NOTEBOOKS[name] is None else "rows "
    figures = "(figure numbers (numbers )?|table |compare )+"
    alone = {OVERVIEW: f"{figures}breaks {figures}findings ", TRACE: f"story {figures}findings "}
    found = alone.get(name, f"findings {figures}")
    seen = "symptoms " if name == OVERVIEW else ""
    assert re.fullmatch(f"parameters setup {seen}coverage {found}{rows}result", tags)


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_those_of_the_schema_with_their_comments(name):
    (cell,) = tagged(name, "parameters")
    wanted = [
        f"{known.name} = {json.dumps(known.default)}  # {known.metadata['help']}"
        for known in fields(Parameters)
        if known.metadata.get("only", name) == name
    ]
    assert cell.source.splitlines() == wanted


@pytest.mark.parametrize("name", NAMES)
def test_only_the_parameters_hold_settings(name):
    for cell in code_cells(name):
        if cell in tagged(name, "parameters"):
            continue
        literals = {
            node.value
            for node in nodes(cell.source)
            if isinstance(node, ast.Constant) and node.value is not None
        }
        assert literals <= {step.value for step in Step}


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_short_and_hold_no_logic(name):
    banned = (
        ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.Try, ast.If, ast.For, ast.While, ast.With,
        ast.comprehension, ast.Global, ast.Delete, ast.Await,
    )  # fmt: skip
    for cell in code_cells(name):
        assert len(cell.source.splitlines()) <= 15
        assert not [node for node in nodes(cell.source) if isinstance(node, banned)]
        assert "print(" not in cell.source
        assert not re.search(r"^\s*[%!]", cell.source, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_imports_stand_in_the_setup_and_come_from_here_or_pandas(name):
    for cell in code_cells(name):
        for node in nodes(cell.source):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= {"pandas"}
            if isinstance(node, ast.ImportFrom):
                assert node.module == "investigate"
                assert "*" not in {alias.name for alias in node.names}
                assert cell.metadata.tags == ["setup"]


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_but_the_parameters_ends_with_what_it_shows(name):
    for cell in code_cells(name):
        last = ast.parse(cell.source).body[-1]
        assert isinstance(last, ast.Assign if "parameters" in cell.metadata.tags else ast.Expr)


@pytest.mark.parametrize("name", NAMES)
def test_a_sentence_stands_before_each_code_cell(name):
    cells = read(name).cells
    for before, cell in pairwise(cells):
        if cell.cell_type == "code" and "numbers" not in cell.metadata.tags:
            assert before.cell_type == "markdown"
            assert before.source.strip()


@pytest.mark.parametrize("name", NAMES)
def test_no_number_found_in_a_case_is_typed_into_the_text(name):
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    assert not re.search(r"\d+ (?:of \d+|findings|faults|duplicates|rows were)", text)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_cell_draws_one_figure_from_numbers_that_exist(name):
    cells = tagged(name, "figure")
    assert cells
    for cell in cells:
        calls = re.findall(r"^figures\.(\w+)\(", cell.source, re.MULTILINE)
        assert len(calls) == 1
        assert calls[0] in figures.__all__
        assert set(re.findall(r"numbers\.(\w+)\)", cell.source)) <= set(numbers.__all__)


def test_every_figure_and_every_number_has_a_place_in_a_notebook():
    cells = [cell for name in NAMES for tag in ("figure", "table") for cell in tagged(name, tag)]
    text = "\n".join(cell.source for cell in cells)
    drawn = set(re.findall(r"figures\.(\w+)\(", text))
    counted = set(re.findall(r"numbers\.(\w+)\)", text))
    assert drawn == set(figures.__all__) - {"Drawing", "template"}
    assert counted == set(numbers.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_calls_only_what_an_investigation_offers(name):
    called = re.findall(r"incident\.(\w+)\(", "\n".join(cell.source for cell in code_cells(name)))
    assert all(hasattr(Investigation, method) for method in called)


@pytest.mark.parametrize("name", NAMES)
def test_ids_and_metadata_are_stable_and_of_no_machine(name):
    notebook = read(name)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", known) for known in ids)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_notebooks_that_exist(name):
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert all((FOLDER / link).is_file() for link in links)


def run(name: str, parameters: dict[str, str], folder: Path) -> NotebookNode:
    executed = execute(FOLDER / f"{name}.ipynb", parameters, folder)
    assert executed.failure is None
    return executed.notebook


def bundles(notebook: NotebookNode) -> Iterator[tuple[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type in ("execute_result", "display_data")
            yield cell.id, output.data


@pytest.fixture(scope="module", params=["troubled", "empty"])
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A case with every table and many faults, and one in which nothing was captured; with their
    findings, as a report hands them to the notebooks."""
    folder = tmp_path_factory.mktemp(request.param)
    evidence = evidence_of(folder, **(troubled() if request.param == "troubled" else {}))
    path = folder / "findings.json"
    path.write_text(dump(examine(evidence).document), encoding="utf-8")
    return {"case": str(evidence.case.folder), "findings": str(path)}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_to_its_end_and_writes_only_our_kinds_of_output(name, asked, tmp_path):
    shown = dict(bundles(run(name, asked, tmp_path)))
    kinds = {kind for data in shown.values() for kind in data}
    assert kinds <= {"text/html", "text/plain", PLOTLY_MIME, RESULT_MIME, SCRIPT_MIME}
    assert all(data["text/plain"].strip() for data in shown.values())
    figures_of = {cell.id for cell in tagged(name, "figure")}
    assert {cell for cell, data in shown.items() if PLOTLY_MIME in data} == figures_of
    assert shown["result"][RESULT_MIME]["step"] == getattr(NOTEBOOKS[name], "value", "overview")


def test_a_notebook_shows_the_same_with_findings_given_and_with_its_own(tmp_path, asked):
    first, second = (tmp_path / place for place in ("one", "two"))
    first.mkdir()
    second.mkdir()
    given = [data for _, data in bundles(run("06_aggregates", asked, first))]
    alone = {"case": asked["case"]}
    assert given == [data for _, data in bundles(run("06_aggregates", alone, second))]


def test_a_wrong_parameter_is_one_clear_message(tmp_path, asked):
    executed = execute(FOLDER / "01_raw_data.ipynb", {**asked, "start": "2026-03-10"}, tmp_path)
    assert "UsageError" in str(executed.failure)
    assert "start: '2026-03-10' has no offset from UTC" in str(executed.failure)
    shown = [
        output.traceback
        for cell in executed.notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    ]
    assert shown == [
        [
            "UsageError: start: '2026-03-10' has no offset from UTC\n"
            "  write 2026-03-10T00:00:00Z if it is UTC, else its offset, as in "
            "2026-03-10T00:00:00+01:00"
        ]
    ]
