"""docs/findings.md: every finding code, from the registry and the truth of the demo cases."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby

from investigate.checks import Check, book, registry
from investigate.sandbox.demo import DEMOS
from investigate.symptoms import SYMPTOMS
from tests.layers import ROOT
from tests.pages.marks import anchor, cell

EXACTLY = "checks.md"
_HEAD = """# Every finding

<!-- Written by `make docs` from the registry of checks and from the truth of the demo cases. -->

What each code of a finding asks, what to do about it and what not, and where to see one. Which
rows a check objects to *exactly* stands in [checks.md](checks.md), or here where the check says it
itself. The demo cases wrote down what happened in them before any check was asked; the examples
are what the checks say of that, and `tests/test_demo_cases.py` holds them to it, key by key.

`investigate checks CODE` prints the same in a terminal.

"""


def text() -> str:
    """Return the whole page."""
    parts = [_HEAD, *_overview()]
    for step, checks in groupby(book, key=lambda check: check.step):
        parts.append(f"\n## {step.value}\n")
        parts += [_section(check) for check in checks]
    return "\n".join(parts)


def tested_in(code: str) -> list[str]:
    """Return the files of tests/checks that ask the check of this code: by its whole code, or in
    the file of its group by its name alone."""
    group, name = code.split("/")
    own = f"test_{group.replace('-', '_')}.py"
    files = sorted((ROOT / "tests/checks").glob("test_*.py"))
    return [
        path.name
        for path in files
        if path.name != "test_registry.py"
        for said in [path.read_text(encoding="utf-8")]
        if f'"{code}"' in said or (path.name == own and f'"{name}"' in said)
    ]


def exact(check: Check) -> str:
    """Return what the docstring of a check says after its question; empty if checks.md does."""
    return inspect.cleandoc(check.ask.__doc__ or "").partition("\n\n")[2].strip()


@cache
def pinned() -> dict[str, str]:
    """Return by code the section of checks.md whose table says which rows it objects to."""
    sections: dict[str, str] = {}
    section = ""
    for line in (ROOT / "docs" / EXACTLY).read_text(encoding="utf-8").splitlines():
        section = line.removeprefix("## ") if line.startswith("## ") else section
        group = ""
        for code in re.findall(r"`([a-z-]*/[a-z-]+)`", _first_cell(line)):
            group = code.split("/")[0] or group
            sections[f"{group}/{code.split('/')[1]}"] = section
    return sections


def _first_cell(line: str) -> str:
    return line.split("|")[1] if line.startswith("| `") else ""


@cache
def _truths() -> dict[str, dict[str, list[str]]]:
    folder = ROOT / "data/cases"
    return {
        name: json.loads((folder / name / "truth.json").read_text(encoding="utf-8"))["findings"]
        for name in DEMOS
    }


def shown_by(code: str) -> dict[str, list[str]]:
    """Return the keys that each demo case has for a code, the smallest such case first."""
    return {name: found[code] for name, found in _truths().items() if code in found}


def _overview() -> Iterator[str]:
    yield "| code | severity | question | shown by |"
    yield "|---|---|---|---|"
    for check in book:
        link = f"[`{check.code}`](#{anchor(check.code)})"
        shown = ", ".join(f"`{name}`" for name in shown_by(check.code)) or "tests only"
        yield f"| {link} | {check.severity.label} | {cell(check.question)} | {shown} |"


def _section(check: Check) -> str:
    said = exact(check)
    where = "" if said else f" · exactly: [checks.md](checks.md#{anchor(pinned()[check.code])})"
    reads = ", ".join(f"`{name}`" for name in check.tables)
    lines = [
        f"### `{check.code}`\n",
        f"**{check.severity.label}** · key: {check.key} · reads {reads}{where}\n",
        check.question + "\n",
        *([f"**Exactly.** {said}\n"] if said else []),
        f"* **Do.** {check.advice}",
        f"* **Do not.** {check.avoid}",
        *_seen_as(check.code),
        _example(check),
        "",
    ]
    return "\n".join(lines)


def _seen_as(code: str) -> Iterator[str]:
    seen = [symptom.seen for symptom in SYMPTOMS.values() if code in symptom.checks]
    if seen:
        yield f"* **Seen as.** {'; '.join(seen)}."


def _example(check: Check) -> str:
    shown = shown_by(check.code)
    if not shown:
        files = ", ".join(f"[{name}](../tests/checks/{name})" for name in tested_in(check.code))
        return (
            f"* **Example.** No demo case shows it. Of one row it says: “{_said(check, 1)}” "
            f"The tests build such rows: {files}."
        )
    name, keys = next(iter(shown.items()))
    others = [f"`{other}` ({len(found)})" for other, found in list(shown.items())[1:]]
    also = f" Also in {', '.join(others)}." if others else ""
    return (
        f"* **Example.** `{name}`: “{_said(check, len(keys))}” The first key: `{keys[0]}`.{also} "
        f"Its rows: `investigate check data/cases/{name} --rows {check.code}`."
    )


def _said(check: Check, count: int) -> str:
    forms = registry._ONE if count == 1 else registry._MANY
    return check.found.format(count=f"{count:,}", **forms)
