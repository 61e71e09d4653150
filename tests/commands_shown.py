"""The commands that the pages show: where each stands, and its words as a shell reads them."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import cache

from tests.layers import ROOT


@dataclass(frozen=True, slots=True)
class Shown:
    """One line after `$` in a ```console block. `words` end before a `>`, comments are left out."""

    page: str
    line: str
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        """The first word, or `python -m MODULE`."""
        return " ".join(self.words[:3]) if self.words[0] == "python" else self.words[0]


@cache
def pages() -> dict[str, str]:
    """Return the text of every page by its path in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in listed
        if (ROOT / name).is_file()
    }


@cache
def shown() -> tuple[Shown, ...]:
    """Return every command of every page, in their order."""
    return tuple(
        Shown(page, line, _words(line))
        for page, text in pages().items()
        for block in re.findall(r"^ *```console\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
        for line in re.findall(r"^ *\$ (.+)$", block, re.MULTILINE)
    )


def _words(line: str) -> tuple[str, ...]:
    words = shlex.split(line, comments=True)
    return tuple(words[: words.index(">")] if ">" in words else words)


def without_code(text: str) -> str:
    """Return a page without its blocks and spans of code, in which no link is one."""
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "``", text)


def headings(text: str) -> list[str]:
    """Return the headings of a page, without those that only stand in blocks of code."""
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
