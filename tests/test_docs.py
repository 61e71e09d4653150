"""What the pages, the advice and the notebooks tell people to type or to read exists."""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.__main__ import main as benchmark
from investigate.checks import book, raw
from investigate.commands.options import COMMANDS, build_parser
from investigate.model import STEPS
from investigate.sandbox.faults import faults
from investigate.settings import Thresholds
from investigate.tables import TABLES
from tests.commands_shown import headings, pages, without_code
from tests.layers import ROOT
from tests.pages import __main__ as made
from tests.pages import findings
from tests.pages.marks import anchor, filled

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
def test_it_is_said_of_each_check_which_rows_it_means_exactly_and_in_one_place(code):
    assert (code in findings.pinned()) != bool(findings.exact(book[code]))


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


# generated pages


@pytest.mark.parametrize("name", made.WHOLE)
def test_a_generated_page_is_what_the_code_says_now(name):
    page = (made.DOCS / name).read_text(encoding="utf-8")
    assert page == made.WHOLE[name]() + "\n", "write it anew: make docs"


@pytest.mark.parametrize("name", made.IN_PART)
def test_the_generated_parts_of_a_page_are_what_the_code_says_now(name):
    page = (made.DOCS / name).read_text(encoding="utf-8")
    assert page == filled(page, made.IN_PART[name]()), "write it anew: make docs"


@pytest.mark.parametrize("check", list(book), ids=lambda check: check.code)
def test_a_section_of_the_findings_has_an_example_or_says_where_the_tests_have_one(check):
    page = (made.DOCS / "findings.md").read_text(encoding="utf-8")
    section = page.partition(f"\n### `{check.code}`\n")[2].partition("\n### ")[0]
    assert check.question in section
    assert check.advice in section
    assert check.avoid in section
    shown = findings.shown_by(check.code)
    assert shown or findings.tested_in(check.code), "neither a demo case nor a test shows it"
    assert all(f"`{name}`" in section for name in shown)


# links


def links(page: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", without_code(pages()[page]))


@pytest.mark.parametrize("page", pages())
def test_every_link_and_anchor_of_a_page_resolves(page):
    broken = []
    for link in links(page):
        path, _, fragment = link.partition("#")
        if re.match(r"https?://", link):
            continue  # nothing is fetched in a test
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or not has_anchor(target, fragment):
            broken.append(link)
    assert broken == []


def has_anchor(target: Path, fragment: str) -> bool:
    return not fragment or fragment in anchors(target.read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings; the second of a name has `-1` behind it."""
    found: dict[str, int] = {}
    for heading in headings(text):
        found[anchor(heading)] = found.get(anchor(heading), 0) + 1
    return {f"{name}-{n}" if n else name for name, times in found.items() for n in range(times)}


def test_every_page_is_in_the_reading_order():
    named = {link.partition("#")[0] for link in links("docs/README.md")}
    there = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert there - named == set()
    assert {"../README.md", "../CONTRIBUTING.md", "../SECURITY.md"} <= named


# options


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    own = {option for action in parser._actions for option in action.option_strings}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            own |= {option for sub in action.choices.values() for option in options_of(sub)}
    return own


def commands() -> dict[str, set[str]]:
    """The options of every command, actions of `sandbox` included."""
    action = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {name: options_of(sub) for name, sub in action.choices.items()}


def options_of_benchmarks(monkeypatch) -> set[str]:
    kept: list[argparse.ArgumentParser] = []

    def keep(parser: argparse.ArgumentParser, *_: object) -> None:
        kept.append(parser)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", keep)
        with pytest.raises(SystemExit):
            benchmark([])
    return options_of(kept[0])


# Options of other programs, and whose they are.
OTHERS = {
    "--enabled": "aws lambda", "--no-enabled": "aws lambda", "--uuid": "aws lambda",
    "--version-id": "aws s3api", "--recursive": "aws s3", "--editable": "pip",
    "--cli-input-json": "aws ecs", "--execution-timeout": "airflow",
}  # fmt: skip


@pytest.mark.parametrize("page", pages())
def test_every_option_that_a_page_names_exists(page, monkeypatch):
    known = set().union(*commands().values(), {"--help", "--version"}, OTHERS)
    known |= options_of_benchmarks(monkeypatch)
    spans = re.findall(r"`([^`\n]+)`", pages()[page])
    named = {option for span in spans for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", span)}
    assert named - known == set()


@pytest.mark.parametrize("page", pages())
def test_an_option_beside_its_command_is_one_of_that_command(page):
    wrong = [
        f"{name} {option}"
        for span in re.findall(r"`investigate ([^`\n]+)`", pages()[page])
        for name in [span.split()[0]]
        if name in COMMANDS
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", span)
        if option not in commands()[name] | {"--help"}
    ]
    assert wrong == []


# what the pages promise


def test_the_readme_is_read_in_five_minutes():
    readme = pages()["README.md"]
    before = readme[: readme.index("## Where things are")]
    words = re.findall(r"[A-Za-z][\w'-]*", re.sub(r"```.*?```", "", before, flags=re.DOTALL))
    assert len(words) < 5 * 240, "240 words a minute; what follows is a map and a list"


def test_the_check_that_extending_walks_through_works(monkeypatch, tmp_path):
    check, its_tests = re.findall(r"```python\n(.*?)```", pages()["docs/extending.md"], re.DOTALL)
    monkeypatch.setattr(book, "_checks", dict(book._checks))
    names = dict(vars(raw))
    exec(compile(check, "docs/extending.md", "exec"), names)  # noqa: S102 - our own page
    assert findings.exact(book["raw/oversized"]).startswith("An object whose `size` is above")
    names = dict(vars(importlib.import_module("tests.checks.test_raw")))
    exec(compile(its_tests, "docs/extending.md", "exec"), names)  # noqa: S102 - our own page
    sizes = names["test_an_object_above_a_megabyte_is_oversized"]
    cases = sizes.pytestmark[0].args[1]
    assert {found for _, found in cases} == {True, False}
    for size, found in cases:
        (tmp_path / str(size)).mkdir()
        sizes(tmp_path / str(size), size, found)
    (tmp_path / "none").mkdir()
    names["test_without_raw_objects_nothing_is_said_of_their_size"](tmp_path / "none")
