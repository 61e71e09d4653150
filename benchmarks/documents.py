"""Sections of a document that benchmarks write themselves, each between two marks of its own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

_HEAD = """# Benchmarks

Each section between two marks was written by the benchmark that it names, in the run that it
describes (`python -m benchmarks NAME --write docs/benchmarks.md`); nothing in it was typed.
"""


def write_section(document: Path, name: str, text: str) -> None:
    """Replace the section of a benchmark in a document, or add it at the end; the rest stays.

    A section stands between `<!-- begin NAME -->` and `<!-- end NAME -->`. A document that does not
    exist is begun. Raises `ValueError` if one of the two marks is missing or stands more than once.
    """
    known = document.read_text(encoding="utf-8") if document.exists() else _HEAD
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n\n{text.strip()}\n\n{end}"
    marks = known.count(begin), known.count(end)
    if marks == (0, 0):
        written = f"{known.rstrip()}\n\n{section}\n"
    elif marks == (1, 1) and known.index(begin) < known.index(end):
        before, rest = known.split(begin)
        written = f"{before}{section}{rest.split(end)[1]}"
    else:
        raise ValueError(f"{document}: the marks of the section {name} do not stand once, in order")
    document.write_text(written, encoding="utf-8")


def markdown_table(
    heading: list[str], rows: list[list[str]], texts: Collection[str] | None = None
) -> str:
    """Return rows as a table of Markdown; all columns but the first are numbers, or all but those
    with these headings."""
    words = heading[:1] if texts is None else texts
    rule = ["---" if name in words else "---:" for name in heading]
    return "\n".join("| " + " | ".join(row) + " |" for row in [heading, rule, *rows])
