"""What `import investigate` offers, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import investigate


def loaded_by(statement: str) -> set[str]:
    """The modules in a fresh Python after a statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_public_names_are_few_and_sorted():
    assert len(investigate.__all__) <= 12
    assert investigate.__all__ == sorted(investigate.__all__)


@pytest.mark.parametrize("name", investigate.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    assert getattr(investigate, name).__doc__


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = investigate.nothing


def test_importing_the_package_loads_neither_an_engine_nor_aws_nor_figures():
    heavy = {"boto3", "plotly", "papermill", "duckdb", "ibis", "pandas"}
    assert not heavy & loaded_by("import investigate")


def test_opening_an_investigation_loads_neither_aws_nor_figures_nor_the_report():
    heavy = {"boto3", "plotly", "papermill", "nbconvert"}
    assert not heavy & loaded_by("from investigate import open_investigation")
