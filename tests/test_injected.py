"""A parameter that a notebook does not have is refused, whoever put it there."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from investigate.errors import UsageError
from investigate.injected import refuse_unknown
from investigate.parameters import Parameters

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
PARAMETERS = "\n".join(
    f"{known.name} = {json.dumps(known.default)}"
    for known in fields(Parameters)
    if "only" not in known.metadata
)
SETUP = "incident = open_investigation(case)"


@pytest.mark.parametrize(
    "injected",
    ['# Parameters\nentitiy = "e1"\n', 'case = "x"\nentitiy = "e1"', "entitiy = 1"],
    ids=["papermill", "jupyter-scheduler", "a number"],
)
def test_a_misspelt_parameter_is_refused_with_the_right_one(injected):
    with pytest.raises(UsageError) as refused:
        refuse_unknown(["", PARAMETERS, injected, SETUP])
    assert "unknown parameter 'entitiy'" in str(refused.value)
    assert "did you mean 'entity'?" in str(refused.value)


def test_the_parameter_of_another_notebook_is_refused_where_it_means_nothing():
    with pytest.raises(UsageError, match="unknown parameter 'event'"):
        refuse_unknown([PARAMETERS, 'event = "a"', SETUP])
    refuse_unknown([f'{PARAMETERS}\nevent = ""', 'event = "a"', SETUP])


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [SETUP],
        [PARAMETERS, SETUP],
        [PARAMETERS, 'entity = "e1"', SETUP],
        ["own = 1", "other = 2", SETUP],
        [PARAMETERS, "import os\nown = os.getcwd()", SETUP],
        [PARAMETERS, "%load_ext autoreload", SETUP],
        [PARAMETERS, "own.x = 1", SETUP],
        [PARAMETERS, "own = 1", SETUP, SETUP],
    ],
)
def test_what_people_write_in_a_notebook_of_their_own_is_not_refused(cells):
    refuse_unknown(cells)


def saved(path: Path) -> str:
    """What the saved notebook shows of its error."""
    notebook = nbformat.read(path, as_version=4)
    found = (out for cell in notebook.cells for out in cell.get("outputs", ()))
    return "\n".join(line for out in found for line in out.get("traceback", ()))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"entitiy": "customer-1"}, ["unknown parameter 'entitiy'", "did you mean 'entity'?"]),
        ({"entity": 123}, ["entity must be a text, not int", "-r entity"]),
    ],
    ids=["misspelt", "made a number by -p"],
)
def test_plain_papermill_fails_with_one_message_instead_of_another_answer(tmp_path, given, said):
    out = tmp_path / "out.ipynb"
    with pytest.raises(PapermillExecutionError, match="UsageError"):
        papermill.execute_notebook(
            FOLDER / "04_sqs.ipynb",
            out,
            parameters={"case": str(FOLDER.parent / "data/cases/healthy"), **given},
            progress_bar=False,
        )
    assert [words for words in said if words not in saved(out)] == []
