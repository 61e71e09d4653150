"""The files around the package agree with each other: dependencies, lock, environment, README."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SPARK_LOCK = (ROOT / "requirements-spark.lock").read_text(encoding="utf-8")
ENVIRONMENT = (ROOT / "environment.yml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Built from parts, so that this file does not name what no file may name.
REGISTRY_HOSTS = ["py" + "pi.org", "pythonhosted" + ".org", "npmjs" + ".org", "debian" + ".org"]
MACHINE_PATHS = ["/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/"]


def direct() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(text) for group in groups for text in group]


def locked() -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    pins = LOCK + SPARK_LOCK
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", pins, flags=re.MULTILINE):
        versions.setdefault(name.lower(), set()).add(version)
    return versions


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


@pytest.mark.parametrize("requirement", direct(), ids=lambda requirement: requirement.name)
def test_the_lock_holds_every_direct_dependency_within_its_bounds(requirement):
    versions = locked()[requirement.name.lower()]
    assert all(version in requirement.specifier for version in versions)


@pytest.mark.parametrize("requirement", direct(), ids=lambda requirement: requirement.name)
def test_every_direct_dependency_has_a_lower_and_an_upper_bound(requirement):
    assert {specifier.operator for specifier in requirement.specifier} == {">=", "<"}


# What a dependency is imported as, where that is not its name, and where one is named that nothing
# imports: a program, a plugin, types.
MODULES = {
    "ibis-framework": "ibis", "time-machine": "time_machine", "pytest-xdist": "xdist",
    "axe-playwright-python": "axe_playwright_python",
}  # fmt: skip
NAMED_IN = {
    "jupyterlab": ("Makefile", "jupyter lab"),
    "ruff": ("Makefile", "$(BIN)/ruff"),
    "mypy": ("Makefile", "$(BIN)/mypy"),
    "coverage": ("Makefile", "-m coverage run"),
    "uv": ("Makefile", "$(BIN)/uv"),
    "pytest-xdist": ("Makefile", "-n $(WORKERS)"),
    "hatchling": ("pyproject.toml", "hatchling.build"),
    "editables": ("Makefile", "--no-build-isolation -e ."),
    "parliament": ("tests/capture/test_permissions.py", "parliament.analyze_policy_string"),
    "setuptools": ("pyproject.toml", "imports pkg_resources"),
    "boto3-stubs": ("pyproject.toml", "strict = true"),
    "pandas-stubs": ("pyproject.toml", "strict = true"),
}


def imports() -> set[str]:
    """The first names of all modules that the package, its tests and its benchmarks import."""
    files = [name for name in tracked() if name.endswith(".py") and (ROOT / name).is_file()]
    return {
        module
        for name in files
        for module in re.findall(
            r"^\s*(?:from|import) ([A-Za-z_]\w*)", (ROOT / name).read_text(encoding="utf-8"), re.M
        )
    }


def test_every_direct_dependency_is_used():
    imported = imports()
    unused = []
    for requirement in direct():
        file, word = NAMED_IN.get(requirement.name, ("", ""))
        named = bool(file) and word in (ROOT / file).read_text(encoding="utf-8")
        if not named and MODULES.get(requirement.name, requirement.name) not in imported:
            unused.append(requirement.name)
    assert unused == []


AUDIT_LOCK = (ROOT / "requirements-audit.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", [LOCK, SPARK_LOCK, AUDIT_LOCK], ids=["all", "spark", "audit"])
def test_the_lock_has_a_hash_for_every_pin_and_no_address(lock):
    pins = re.split(r"\n(?=[A-Za-z0-9])", lock.strip())
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in lock
    assert "index" not in lock


def test_the_lock_of_spark_is_that_of_the_extra_and_holds_nothing_else():
    asked = (ROOT / "requirements-spark.in").read_text(encoding="utf-8").splitlines()
    assert [line for line in asked if not line.startswith("#")] == PROJECT["optional-dependencies"][
        "spark"
    ]
    assert set(re.findall(r"^([a-z0-9]+)==", SPARK_LOCK, re.MULTILINE)) == {"py4j", "pyspark"}


def test_the_conda_environment_pins_what_the_lock_pins():
    listed = dict(
        re.findall(r"^ +- ([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+)$", ENVIRONMENT, re.MULTILINE)
    )
    wanted = {Requirement(text).name for text in PROJECT["dependencies"]}
    wanted |= {Requirement(text).name for text in PROJECT["optional-dependencies"]["sandbox"]}
    assert set(listed) == wanted
    assert {name: {version} for name, version in listed.items()} == {
        name: locked()[name.lower()] for name in wanted
    }


@pytest.mark.parametrize("requirement", direct(), ids=lambda requirement: requirement.name)
def test_the_readme_says_why_each_dependency_is_here(requirement):
    assert re.search(rf"^\| .*`{re.escape(requirement.name)}`.* \| .+ \|$", README, re.MULTILINE)


def test_no_tracked_file_names_a_registry_or_a_path_of_a_machine():
    found = [
        f"{name}: {word}"
        for name in tracked()
        if (ROOT / name).is_file() and (ROOT / name).suffix not in {".png", ".parquet"}
        for text in [(ROOT / name).read_text(encoding="utf-8")]
        for word in REGISTRY_HOSTS + MACHINE_PATHS
        if word in text
    ]
    assert found == []


def test_no_except_catches_everything():
    pattern = re.compile(r"except\s*(\(?\s*(Base)?Exception\b|:)")
    files = [name for name in tracked() if name.endswith((".py", ".ipynb"))]
    caught = [
        f"{name}:{number}"
        for name in files
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line) and name != "tests/test_project.py"
    ]
    assert caught == []


def test_make_alone_lists_the_targets():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"setup", "report", "test", "check", "lab"} <= listed
