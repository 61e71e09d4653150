"""The committed notebooks with their outputs: made anew from their own demo case, and compared."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from investigate.errors import InvestigationError, UsageError
from investigate.findings import dump, examine
from investigate.opening import evidence_for
from investigate.parameters import DEFAULT_CASE, Parameters, case_folder
from investigate.report.execute import execute_all
from investigate.report.history import FINDINGS
from investigate.report.notebooks import NOTEBOOKS, default_folder
from investigate.report.tidy import INJECTED, failure_of, tidied, written
from investigate.whole_files import replace_all


@dataclass(frozen=True, slots=True)
class Regenerated:
    """A notebook as it is on disk, and as a fresh run writes it."""

    path: Path
    committed: str
    fresh: str

    @property
    def differs(self) -> bool:
        """Whether a byte of the two is different."""
        return self.committed != self.fresh


def write(notebooks: Sequence[Regenerated]) -> None:
    """Put the fresh notebooks in the place of those on disk; if one cannot be written, none is."""
    try:
        replace_all({one.path: one.fresh for one in notebooks})
    except OSError as error:
        raise UsageError(
            f"the notebooks cannot be written: {error.strerror or error}",
            hint="all are as they were; make their folder writable, and run this again",
        ) from error


def chosen(asked: Sequence[str]) -> list[Path]:
    """Return the notebooks asked for by name or by path, all of them if none is.

    Raises `UsageError` for one that is not there, and names those that are.
    """
    folder = default_folder()
    return [_chosen(name, folder) for name in asked or NOTEBOOKS]


def _chosen(name: str, folder: Path) -> Path:
    path = folder / f"{name}.ipynb" if name in NOTEBOOKS else Path(name)
    if not path.is_file():
        raise UsageError.unknown("notebook", name, NOTEBOOKS)
    return path


def regenerated(paths: Sequence[Path]) -> list[Regenerated]:
    """Return each notebook beside a fresh run of it on the demo case that its parameters name.

    The checks run once for all of them. Raises `InvestigationError` if a notebook is not one or
    does not come to its end: then none of them has been changed.
    """
    committed = [_text_of(path) for path in paths]
    with tempfile.TemporaryDirectory(prefix="inv-") as name:
        folder = Path(name)
        evidence = evidence_for(Parameters(str(case_folder(DEFAULT_CASE))))
        (folder / FINDINGS).write_text(dump(examine(evidence).document), encoding="utf-8")
        done = execute_all(paths, {"findings": FINDINGS}, folder)
    failed = [f"{one.name}: {failure_of(one)}" for one in done if one.failure]
    if failed:
        raise InvestigationError(
            "; ".join(failed), hint="mend the notebook; nothing was written, so run this again then"
        )
    fresh = [written(_as_committed(tidied(one))) for one in done]
    return [Regenerated(*parts) for parts in zip(paths, committed, fresh, strict=True)]


def differences(one: Regenerated) -> Iterator[str]:
    """Yield where a notebook on disk is not what a fresh run writes: the cell and the MIME type."""
    old, new = (nbformat.reads(text, as_version=4) for text in (one.committed, one.fresh))
    places = list(_places(old, new))
    yield from places
    if not places and one.differs:
        yield "how the file is written"


def _text_of(path: Path) -> str:
    """Return the bytes of a notebook as text; raise `UsageError` if it is not one."""
    try:
        text = path.read_bytes().decode("utf-8")
        if not isinstance(json.loads(text), dict):
            raise _no_notebook(path, "not a JSON object")  # nbformat takes it for one
        nbformat.reads(text, as_version=4)
    except (ValueError, RecursionError, nbformat.ValidationError) as error:
        raise _no_notebook(path, str(error).splitlines()[0]) from error
    return text


def _no_notebook(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} is not a notebook: {why}", hint=f"get it back: git checkout -- {path}"
    )


def _as_committed(notebook: NotebookNode) -> NotebookNode:
    """Return an executed notebook without the parameters that shared the findings with it, as one
    that was run from its first cell to its last."""
    notebook.cells = [cell for cell in notebook.cells if cell.id != INJECTED]
    code = (cell for cell in notebook.cells if cell.cell_type == "code")
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return notebook


def _places(old: NotebookNode, new: NotebookNode) -> Iterator[str]:
    if old.metadata != new.metadata:
        yield "the notebook's metadata"
    for number, (one, other) in enumerate(zip_longest(old.cells, new.cells), 1):
        if one is None or other is None:
            yield f"cell {number}: only in {'the file' if other is None else 'the fresh run'}"
            continue
        for part in _parts(one, other):
            yield f"cell {number} ({other.id}): {part}"


def _parts(old: NotebookNode, new: NotebookNode) -> Iterator[str]:
    for name in sorted({*old, *new} - {"outputs"}):
        if old.get(name) != new.get(name):
            yield name
    pairs = zip_longest(old.get("outputs", ()), new.get("outputs", ()))
    for one, other in pairs:
        if one is None or other is None:
            yield "an output too many" if other is None else "an output is missing"
        elif one != other:
            yield ", ".join(_unlike(one, other))


def _unlike(old: NotebookNode, new: NotebookNode) -> Iterator[str]:
    """Yield the MIME types in which two outputs differ, or else the other parts of them."""
    for source, result in ((old, new), (old.get("data", {}), new.get("data", {}))):
        for name in sorted({*source, *result} - {"data"}):
            if _as_json(source.get(name)) != _as_json(result.get(name)):
                yield name


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
