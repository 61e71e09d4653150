"""An executed notebook without what differs from run to run: times, paths, random ids."""

from __future__ import annotations

import copy
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from investigate.display import PLOTLY_MIME, visible
from investigate.report.execute import Executed

FAILURE_CELL = "report-failure"
INJECTED = "injected-parameters"
_ERROR_MARKERS = {"papermill-error-cell-tag"}
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# From the start of a word only: tried at each letter, it would take minutes on a flood of letters.
_KERNEL_FILE = re.compile(r"(?<!\S)\S*ipykernel_\d+/\d+\.py")


def tidied(executed: Executed) -> NotebookNode:
    """Return a notebook whose bytes follow from its source, its parameters and the case alone."""
    notebook = copy.deepcopy(executed.notebook)
    cells = [_cell(cell) for cell in notebook.cells if not _ERROR_MARKERS & _tags(cell)]
    for output in (output for cell in cells for output in cell.get("outputs", ())):
        _tidy(output, executed.folder)
    if failure := failure_of(executed):
        cells.insert(0, _failure_cell(failure))
    made: NotebookNode = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    return made


def written(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file."""
    return str(nbformat.writes(notebook)) + "\n"


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def _cell(cell: NotebookNode) -> NotebookNode:
    tags = sorted(_tags(cell))
    if INJECTED in tags:
        cell.id = INJECTED
    cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
    if cell.cell_type == "code":
        cell.outputs = _joined(cell.outputs)
    return cell


def _joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Return outputs with the pieces of one stream joined: where it was cut is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _tidy(output: NotebookNode, folder: Path) -> None:
    if output.output_type == "error":
        output.evalue = _without_paths(output.evalue, folder)
        lines = (_ANSI.sub("", line) for line in output.traceback)
        output.traceback = [_without_paths(line, folder) for line in lines]
    elif output.output_type == "stream":
        output.text = _without_paths(output.text, folder)
    elif PLOTLY_MIME in output.get("data", {}):
        # Plotly writes the address of its own server into every figure.
        output.data[PLOTLY_MIME].get("config", {}).pop("plotlyServerURL", None)


def failure_of(executed: Executed) -> str | None:
    """Return its state and why a notebook did not come to its end, as can be shown, or None."""
    reason = reason_of(executed)
    return f"{executed.state.value}: {reason}" if reason else None


def reason_of(executed: Executed) -> str | None:
    """Return why a notebook did not come to its end, in words that can be shown, or None."""
    return visible(_without_paths(executed.failure, executed.folder)) if executed.failure else None


def _without_paths(text: str, folder: Path) -> str:
    """Return a message without the folders of this machine: they name its user, and may differ."""
    text = _KERNEL_FILE.sub("<cell>", text)
    for path, name in _machine_folders(folder):
        text = text.replace(path, name)
    return text


def _machine_folders(folder: Path) -> list[tuple[str, str]]:
    package = Path(__file__).resolve().parent.parent.parent
    known = {
        str(folder): "<notebooks>",
        str(package): "<investigate>",
        sys.prefix: "<python>",
        sys.base_prefix: "<python>",
        tempfile.gettempdir(): "<temporary>",
        os.path.expanduser("~"): "<home>",  # noqa: PTH111 (that of Path fails if there is none)
    }
    # `/` is the home in many containers, and stands in every path; `~` stays where there is none.
    named = [(path, name) for path, name in known.items() if len(Path(path).parts) > 1]
    return sorted(named, key=lambda item: -len(item[0]))


def _failure_cell(failure: str) -> NotebookNode:
    quoted = "\n".join(f"    {line}" for line in failure.splitlines())
    source = (
        "# This notebook did not come to its end\n\n"
        f"{quoted}\n\n"
        "What stands below is only a part, and proves nothing by what it does not show."
    )
    cell: NotebookNode = nbformat.v4.new_markdown_cell(source, id=FAILURE_CELL, metadata={})
    return cell
