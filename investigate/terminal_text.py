"""Texts for a terminal: on one line each, in columns, and nothing in them that moves the cursor."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from investigate.invisible_characters import escape_invisible

WIDTH = 98


def printable(text: object) -> str:
    """Return a text on one line in which nothing can move the cursor or turn the writing round."""
    told = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )
    return escape_invisible(told)  # Python takes letters without a shape for printable


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as aligned columns; the first row is the heading."""
    texts = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )


def labelled(label: str, text: object, indent: int = 2) -> str:
    """Return `label  text`, wrapped so that the text stands in a column of its own."""
    head = " " * indent + f"{label:<10} "
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    )
