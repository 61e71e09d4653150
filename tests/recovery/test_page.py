"""docs/recovery.md says what the rules say, and every rule has a test that meets it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from investigate.commands.options import COMMANDS, build_parser
from investigate.recovery.rules import RULES
from tests.pages.recovery import PAGE, written

TESTS = "".join(
    (Path(__file__).parent / name).read_text(encoding="utf-8")
    for name in ("test_rules.py", "test_commands.py")
)


def test_the_page_is_as_the_code_says():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write it anew: make docs"


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_met_by_a_test(rule):
    assert f'"{rule}"' in TESTS or f"refused ({rule})" in TESTS


def test_every_rule_that_the_package_raises_exists_and_every_one_is_raised():
    package = Path(__file__).parents[2] / "investigate"
    files = [*(package / "recovery").glob("*.py"), package / "commands" / "recovering.py"]
    raised = {
        name
        for path in files
        for name in re.findall(r"refused\(\s*\"([a-z-]+)\"", path.read_text(encoding="utf-8"))
    }
    assert raised == set(RULES)


@pytest.mark.parametrize("command", ["replay", "redrive", "process-briefly", "process-plan"])
def test_the_page_names_every_option(command):
    page = PAGE.read_text(encoding="utf-8")
    assert command in COMMANDS
    subparsers = next(a for a in build_parser()._actions if hasattr(a, "choices") and a.choices)
    options = subparsers.choices[command].format_usage()
    named = set(re.findall(r"--[a-z][a-z-]*", options)) - {"--help"}
    assert [name for name in sorted(named) if f"{name}" not in page] == []
