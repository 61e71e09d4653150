"""The committed notebooks are what a fresh run writes, and nbval compares every output of them.

`make test` compares every notebook with a fresh run byte for byte, and lets nbval compare two;
EACH_NOTEBOOK_BY_NBVAL=1 lets it compare them all, which takes three minutes more.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat import NotebookNode

from investigate.display import PLOTLY_MIME, SCRIPT_MIME
from investigate.errors import InvestigationError, UsageError
from investigate.investigation import RESULT_MIME
from investigate.report import regenerate
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.regenerate import Regenerated, chosen, differences, regenerated, write
from investigate.report.tidy import written
from tests.builders import Event, event_row, evidence_of, raw_row
from tests.report.samples import notebook

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
NAMES = sorted(NOTEBOOKS)
# That of a step, with figures, and the one that goes through an event instead of a table.
BY_NBVAL = NAMES if os.environ.get("EACH_NOTEBOOK_BY_NBVAL") else ["03_dry_run_replay", "10_trace"]
LARGEST = 300_000  # bytes of one notebook, so that a checkout stays small and a diff readable
SHOWN = {"text/html", "text/plain", PLOTLY_MIME, RESULT_MIME, SCRIPT_MIME}
Cells = dict[str, tuple[bool, list[str]]]  # whether a cell passed, and the kinds compared


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def bundles(cell: NotebookNode) -> list[dict[str, object]]:
    return [output.data for output in cell.outputs]


@pytest.fixture(scope="module")
def fresh() -> dict[str, Regenerated]:
    """Every notebook beside a fresh run, which is made once for all tests."""
    return {one.path.stem: one for one in regenerated(chosen([]))}


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_is_byte_for_byte_what_a_fresh_run_writes(fresh, name):
    assert list(differences(fresh[name])) == []
    assert (FOLDER / f"{name}.ipynb").read_bytes() == fresh[name].fresh.encode("utf-8")


# ---- no cell escapes the comparison


@pytest.mark.parametrize("name", NAMES)
def test_every_code_cell_was_run_in_order(name):
    counts = [cell.execution_count for cell in code_cells(FOLDER / f"{name}.ipynb")]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_but_the_parameters_has_an_output_and_no_message(name):
    for cell in code_cells(FOLDER / f"{name}.ipynb"):
        kinds = [output.output_type for output in cell.outputs]
        assert set(kinds) <= {"execute_result", "display_data"}
        assert len(kinds) == {"parameters": 0, "setup": 2}.get(cell.id, 1)
        assert {kind for data in bundles(cell) for kind in data} <= SHOWN


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_asks_nbval_to_look_away(name):
    for cell in code_cells(FOLDER / f"{name}.ipynb"):
        tags = cell.metadata.get("tags", [])
        assert not [tag for tag in tags if "nbval" in tag or tag == "raises-exception"]
        assert "NBVAL" not in cell.source.upper()


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_is_small_and_names_no_machine(name):
    text = (FOLDER / f"{name}.ipynb").read_bytes()
    assert len(text) <= LARGEST
    assert b"\r" not in text
    assert not [word for word in (b"/tmp/", b"ipykernel_") if word in text]


# ---- nbval


def nbval(folder: Path, *paths: Path, workers: int = 0) -> Cells:
    """Run nbval as strictly as it can, and return how each cell went."""
    result = folder / "nbval.xml"
    spread = ["-n", str(workers), "--dist", "loadscope"] if workers else []
    command = [
        sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env",
        "--nbval-cell-timeout", "300", "-p", "no:randomly", "-p", "no:cacheprovider",
        "-p", "tests.counted_nbval", "-c", os.devnull, "--rootdir", str(ROOT), "-q",
        f"--junitxml={result}", "-o", "junit_family=xunit1", *spread, *map(str, paths),
    ]  # fmt: skip
    subprocess.run(
        command, cwd=ROOT, capture_output=True, check=False, timeout=1200,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    cases = ElementTree.parse(result).getroot().iter("testcase")  # noqa: S314  written just now
    return {
        f"{case.get('classname')}::{case.get('name')}": (
            not [part for part in case if part.tag in ("failure", "error", "skipped")],
            [part.get("value", "") for part in case.iter("property")],
        )
        for case in cases
    }


def test_nbval_compares_every_output_of_a_notebook(tmp_path):
    paths = [FOLDER / f"{name}.ipynb" for name in BY_NBVAL]
    cells = nbval(tmp_path, *paths, workers=2)
    assert [name for name, (passed, _) in cells.items() if not passed] == []
    assert len(cells) == sum(len(code_cells(path)) for path in paths)
    compared = Counter(kind for _, kinds in cells.values() for kind in kinds)
    shown = [data for path in paths for cell in code_cells(path) for data in bundles(cell)]
    assert compared == Counter(kind for data in shown for kind in data)
    assert compared[PLOTLY_MIME] == sum(
        "figure" in c.metadata.tags for p in paths for c in code_cells(p)
    )


def change_a_point(made: NotebookNode) -> str:
    """Add one to one number of a figure."""
    cell = next(cell for cell in made.cells if cell.id == "receives-figure")
    cell.outputs[0].data[PLOTLY_MIME]["data"][0]["y"][0] += 1
    return "receives-figure"


def change_a_title(made: NotebookNode) -> str:
    """Change one letter of the title of another figure."""
    cell = next(cell for cell in made.cells if cell.id == "queues-figure")
    title = cell.outputs[0].data[PLOTLY_MIME]["layout"]["title"]
    title["text"] = title["text"].swapcase()
    return "queues-figure"


def change_a_count(made: NotebookNode) -> str:
    """Change how many rows a finding counts."""
    cell = next(cell for cell in made.cells if cell.id == "found")
    html = cell.outputs[0].data["text/html"]
    changed = html.replace('<td data-label="count">7</td>', '<td data-label="count">8</td>', 1)
    assert changed != html
    cell.outputs[0].data["text/html"] = changed
    return "found"


CHANGES = {change_a_point: PLOTLY_MIME, change_a_title: PLOTLY_MIME, change_a_count: "text/html"}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_comparison_names_the_cell_and_the_kind_of_output_that_was_changed(fresh, change):
    made = nbformat.reads(fresh["04_sqs"].fresh, as_version=4)
    cell = change(made)
    changed = Regenerated(FOLDER / "04_sqs.ipynb", written(made), fresh["04_sqs"].fresh)
    (place,) = differences(changed)
    assert place.endswith(f"({cell}): {CHANGES[change]}")


def test_nbval_fails_at_a_changed_point_a_changed_title_and_a_changed_count(tmp_path):
    made = read(FOLDER / "04_sqs.ipynb")
    code = [cell.id for cell in made.cells if cell.cell_type == "code"]
    changed = {code.index(change(made)) for change in CHANGES}
    path = tmp_path / "04_sqs.ipynb"
    path.write_text(written(made), encoding="utf-8")
    passed = [passed for passed, _ in nbval(tmp_path, path).values()]
    assert {place for place, fine in enumerate(passed) if not fine} == changed
    assert len(passed) == len(code)


# ---- the command, with a small notebook on a small case


@pytest.fixture
def small(tmp_path, monkeypatch) -> Callable[..., Path]:
    event = Event("a")
    case = evidence_of(tmp_path, raw=[raw_row(event)], events=[event_row(event)]).case
    monkeypatch.setattr(regenerate, "DEFAULT_CASE", str(case.folder))

    def made(*code: str) -> Path:
        path = tmp_path / "small.ipynb"
        path.write_text(written(notebook(*code)), encoding="utf-8")
        return path

    return made


def test_a_regenerated_notebook_stays_as_it_is_when_it_is_regenerated_again(small):
    path = small("40 + 2", "findings")
    source = read(path)
    (one,) = regenerated([path])
    write([one])
    assert [cell.source for cell in read(path).cells] == [cell.source for cell in source.cells]
    assert [cell.execution_count for cell in code_cells(path)] == [1, 2, 3, 4]
    assert code_cells(path)[1].outputs[0].data == {"text/plain": "42"}
    (again,) = regenerated([path])
    assert not again.differs
    assert [file.name for file in path.parent.iterdir() if "partial" in file.name] == []


def test_a_notebook_that_does_not_come_to_its_end_is_told_and_left_alone(small):
    path = small("1 / 0")
    before = path.read_bytes()
    with pytest.raises(InvestigationError, match="ZeroDivisionError") as failed:
        regenerated([path])
    assert "nothing was written" in failed.value.hint
    assert path.read_bytes() == before


def test_if_one_notebook_cannot_be_written_none_is_changed(tmp_path, monkeypatch):
    paths = [tmp_path / f"{number}.ipynb" for number in range(3)]
    for path in paths:
        path.write_text("old", encoding="utf-8")
    fsync, drafts = os.fsync, []

    def full(file):
        drafts.append(file)
        if len(drafts) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write([Regenerated(path, "old", "new") for path in paths])
    assert {path.read_text(encoding="utf-8") for path in paths} == {"old"}
    assert sorted(tmp_path.iterdir()) == paths


def test_a_file_that_differs_only_in_how_it_is_written_is_told_too(small):
    path = small("1")
    (one,) = regenerated([path])
    assert list(differences(Regenerated(path, one.fresh + "\n", one.fresh))) == [
        "how the file is written"
    ]
