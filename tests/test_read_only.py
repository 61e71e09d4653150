"""That capture can only read, told by what others say: AWS's own catalogue, and every import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import botocore.session
import nbformat
import pytest

import investigate
from investigate.aws.operations import READ_ONLY, SIDE_EFFECTS, action_of
from investigate.report.notebooks import default_folder
from tests.layers import LAYERS, PACKAGE, modules, rank, room

# Levels of access, as IAM's service authorization reference gives each action one.
HARMLESS = {"Read", "List"}
# Read as a file: importing the package leaves files open.
_PARLIAMENT = find_spec("parliament")
assert _PARLIAMENT
assert _PARLIAMENT.origin
CATALOGUE = Path(_PARLIAMENT.origin).parent / "iam_definition.json"
GUARDED = ("investigate.recovery", "investigate.aws.writing")


def levels() -> dict[str, str]:
    services = json.loads(CATALOGUE.read_text("utf-8"))
    return {
        f"{service['prefix']}:{action['privilege']}": action["access_level"]
        for service in services
        for action in service["privileges"]
    }


def test_the_catalogue_tells_reads_from_writes():
    known = levels()
    writes = ("s3:PutObject", "sqs:SendMessage", "sqs:DeleteMessage", "dynamodb:UpdateItem")
    assert {known[action] for action in writes} == {"Write"}


@pytest.mark.parametrize("service", READ_ONLY)
def test_every_operation_on_the_list_needs_only_a_permission_to_read(service):
    known = levels()
    found = {name: known.get(action_of(service, name)) for name in READ_ONLY[service]}
    assert {name: level for name, level in found.items() if level not in HARMLESS} == {}


@pytest.mark.parametrize("service", READ_ONLY)
def test_no_operation_on_the_list_is_modelled_as_a_change(service):
    """An operation of REST that only reads is a GET; one that takes a token against doing it twice
    does something."""
    model = botocore.session.get_session().get_service_model(service)
    for name in READ_ONLY[service]:
        operation = model.operation_model(name)
        assert not operation.idempotent_members, name
        assert operation.http["method"] in ("GET", "HEAD", "POST"), name
        is_rest = operation.metadata["protocol"].startswith("rest") and service != "xray"
        assert operation.http["method"] != "POST" or not is_rest, name
        assert not operation.http_checksum.get("requestAlgorithmMember"), name


def test_what_has_an_effect_although_it_reads_by_name_is_on_the_other_list():
    assert not {name for names in SIDE_EFFECTS.values() for name in names} & {
        name for names in READ_ONLY.values() for name in names
    }


def attributes_of(name: str) -> set[str]:
    """What the package asks of a library, by the names it is called by."""
    found: set[str] = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in (name, f"_{name}()"):
                found.add(node.attr)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == name:
                found.update(alias.name for alias in node.names)
    return found


def test_the_other_client_of_s3_is_asked_to_list_and_to_get_and_nothing_else():
    opened = {"Boto3CredentialProvider", "BaseError", "S3Store"}
    assert attributes_of("obstore") == {"get", "list"} | opened


def test_no_module_below_the_commands_loads_what_can_write():
    below = {name for layer in LAYERS[: rank("recovery")] for name in layer} - {"__init__"}
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in modules()
        if room(path) in below and path != PACKAGE / "aws" / "writing.py"
    ]
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name.removesuffix('.__init__'))\n"
        "print([name for name in sys.modules if name.startswith(('investigate.recovery',"
        " 'investigate.aws.writing'))])"
    )
    assert len(names) > 200
    words = [sys.executable, "-W", "ignore", "-c", code, *names]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def imported(code: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize(
    "path", sorted(default_folder().glob("*.ipynb")), ids=lambda path: path.stem
)
def test_no_notebook_imports_what_can_write(path):
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    names = set().union(*map(imported, cells))
    assert names
    assert {name for name in names if name.startswith((*GUARDED, "boto3", "botocore"))} == set()


def test_only_the_guarded_module_and_its_commands_import_the_door_that_writes():
    users = {
        room(path)
        for path in modules()
        if any(f"{guarded}" in path.read_text("utf-8") for guarded in GUARDED)
    }
    assert users <= {"recovery", "commands", "aws"}
    in_aws = [
        path.name
        for path in (PACKAGE / "aws").glob("*.py")
        if "investigate.aws.writing" in path.read_text("utf-8")
    ]
    assert in_aws == []


def test_nothing_that_a_person_imports_hands_out_what_can_write():
    assert [name for name in investigate.__all__ if "recover" in name or "write" in name] == []
