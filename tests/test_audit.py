"""`make audit`: what pip-audit prints becomes a verdict, and what it could not look up is no pass.

The texts are those of pip-audit 2.10 (`--format json`), shortened.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys

import pytest

from tests.layers import ROOT

SPEC = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
assert SPEC
assert SPEC.loader
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

GOOD = {"name": "jinja2", "version": "3.1.6", "vulns": []}
BAD = {
    "name": "jinja2", "version": "3.1.2",
    "vulns": [{"id": "PYSEC-2024-1", "fix_versions": ["3.1.3"], "aliases": [], "description": ""}],
}  # fmt: skip
OPEN = {**BAD, "vulns": [{"id": "PYSEC-2024-2", "fix_versions": []}]}
SKIPPED = {"name": "duckdb", "skip_reason": "Dependency not found and could not be audited"}


def printed(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


def told(*packages):
    return audit.verdict({"one.lock": (printed(*packages), "")})


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        ([GOOD], 0),
        ([GOOD, BAD], 1),
        ([GOOD, SKIPPED], 3),
        ([SKIPPED], 3),
        ([BAD, SKIPPED], 1),
        ([], 3),
    ],
    ids=["clean", "vulnerable", "one not told", "none told", "vulnerable and not told", "nothing"],
)
def test_what_could_not_be_looked_up_is_no_pass(packages, code):
    assert told(*packages)[0] == code


def test_a_vulnerable_package_is_named_with_the_version_that_repairs_it():
    assert "VULNERABLE  jinja2 3.1.2: PYSEC-2024-1, repaired in 3.1.3" in told(BAD)[1]
    assert "repaired in no version yet" in told(OPEN)[1]


def test_what_was_left_out_is_counted_and_named():
    said = told(GOOD, SKIPPED)[1]
    assert "not told  duckdb: Dependency not found" in said
    assert "1 of 2 pins were looked up, 0 of them known to be vulnerable" in said


@pytest.mark.parametrize("output", ["", "<html>", "[]", '{"fixes": []}'])
def test_where_no_service_answers_it_says_that_nothing_is_known(output):
    errors = "Traceback\n  ...\nConnectionError: no such host\n"
    code, said = audit.verdict({"one.lock": (output, errors)})
    assert code == 3
    assert "not told  one.lock: pip-audit gave no answer (ConnectionError: no such host)" in said
    assert "nothing is known" in said


def test_a_lock_without_an_answer_hides_nothing_that_another_tells():
    answers = {"a.lock": (printed(GOOD, BAD), ""), "b.lock": ("", "no such host")}
    code, said = audit.verdict(answers)
    assert code == 1
    assert "VULNERABLE  jinja2 3.1.2" in said
    assert "not told  b.lock" in said
    assert audit.verdict({"a.lock": (printed(GOOD), ""), "b.lock": ("", "")})[0] == 3


def test_a_package_that_one_of_two_locks_knows_to_be_vulnerable_is():
    for answers in ([BAD, {**BAD, "vulns": []}], [{**BAD, "vulns": []}, BAD]):
        locks = {str(place): (printed(one), "") for place, one in enumerate(answers)}
        code, said = audit.verdict(locks)
        assert code == 1
        assert "2 of 2 pins were looked up, 1 of them known to be vulnerable" in said


def test_without_pip_audit_it_does_not_pass():
    done = subprocess.run(
        [sys.executable, "-I", ROOT / ".ci" / "audit.py", ROOT / "requirements-spark.lock"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "No module named pip_audit" in done.stdout


def test_every_lock_is_audited():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (command,) = re.findall(r"\.ci/audit\.py (.+)$", makefile, re.MULTILINE)
    locks = {path.name for path in ROOT.glob("requirements*.lock")}
    assert set(command.split()) == locks
