"""Pages that are written by hand but for the parts between two marks, which the code writes."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARK = "<!-- generated: {name} -->\n"
_END = "<!-- end -->"


def filled(page: str, parts: Mapping[str, str]) -> str:
    """Return a page with every generated part as it should be."""
    for name, text in parts.items():
        mark = _MARK.format(name=name)
        assert page.count(mark) == 1, f"the page must have one place for {name}"
        before, after = page.split(mark)
        page = before + mark + text.rstrip("\n") + "\n" + _END + after.split(_END, 1)[1]
    return page


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: letters, digits, `-`, `_`, blanks as `-`."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def cell(text: str) -> str:
    """Return a text that can stand in a cell of a table, on one line."""
    return " ".join(text.split()).replace("|", "\\|")
