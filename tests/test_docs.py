"""What the pages, the advice and the notebooks tell people to type or to read exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from investigate.checks import book
from investigate.commands.options import COMMANDS, build_parser
from investigate.model import STEPS
from investigate.sandbox.faults import faults
from investigate.settings import Thresholds
from investigate.tables import TABLES

ROOT = Path(__file__).resolve().parent.parent
TOLD = re.compile(r"(?:`|\$ |\"|')(?:python -m )?investigate ([a-z][a-z-]*)")


def told() -> list[tuple[str, str]]:
    files = subprocess.run(
        ["git", "ls-files", "*.md", "investigate/*.py", "notebooks/*.ipynb"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return [
        (name, command)
        for name in files
        for command in TOLD.findall((ROOT / name).read_text(encoding="utf-8"))
    ]


def test_every_command_that_people_are_told_to_type_exists():
    assert told(), "the pattern must find something"
    assert [(name, command) for name, command in told() if command not in COMMANDS] == []


@pytest.mark.parametrize("code", [check.code for check in book])
def test_docs_checks_says_what_each_check_means(code):
    page = (ROOT / "docs/checks.md").read_text(encoding="utf-8")
    name = code.split("/")[1]
    assert f"`{code}`" in page or f"`/{name}`" in page


@pytest.mark.parametrize("path", ["README.md", *[f"docs/{p.name}" for p in ROOT.glob("docs/*.md")]])
def test_every_file_that_a_page_names_exists(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    named = re.findall(r"`((?:investigate|notebooks|docs|data|tests|benchmarks)/[\w./-]+)`", text)
    named += re.findall(r"\]\(([\w./-]+\.(?:png|md))\)", text)
    base = [ROOT, (ROOT / path).parent]
    assert [name for name in named if not any((folder / name).exists() for folder in base)] == []


def test_the_readme_lists_a_notebook_for_each_step():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z]+) \| `(\d\d_[a-z_]+)` \|", readme, re.MULTILINE)
    assert [step for step, _ in rows] == [step.value for step in STEPS]
    assert all((ROOT / "notebooks" / f"{name}.ipynb").is_file() for _, name in rows)


def test_docs_configuration_names_every_threshold():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert [
        name for name in Thresholds.known() if f"`{name}`" not in page and name not in page
    ] == []


def test_advice_names_only_tables_and_checks_that_exist():
    codes = {check.code for check in book}
    named = {
        code
        for check in book
        for code in re.findall(r"`([a-z-]+/[a-z-]+)`", check.advice + check.avoid)
    }
    assert named - codes == set()
    assert all(table in TABLES for check in book for table in (*check.needs, *check.whole))


def test_every_fault_that_a_page_names_exists():
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "data/README.md"]
    named = {
        name
        for page in pages
        for name in re.findall(r"--fault ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    assert named, "the README shows a fault"
    assert named <= {fault.name for fault in faults}


def test_the_page_of_the_pipeline_says_what_every_defect_is():
    page = (ROOT / "docs/pipeline.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (D\d+) \|", page, re.MULTILINE) == [f"D{n}" for n in range(1, 29)]
    assert "pipeline.md" in (ROOT / "docs/checks.md").read_text(encoding="utf-8")


def test_the_page_of_notifications_names_every_option_of_telling():
    page = (ROOT / "docs/notifications.md").read_text(encoding="utf-8")
    command = build_parser()._subparsers._group_actions[0].choices["report"]
    telling = set(re.findall(r"--notify[a-z-]*", command.format_help()))
    assert telling == {"--notify", "--notify-at"}
    assert [name for name in (*telling, "INVESTIGATE_NOTIFY") if f"`{name}" not in page] == []
