"""A whole report as one file that can be sent: every page a part of it, every script inside it.

Its policy lets those scripts run by their digests and no other, so the file stays as safe as the
folder it was made from, wherever it is opened.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

# Evidence is escaped in text and in attributes, and figures have no `<` in their JSON, so whatever
# looks like a tag is one of ours.
_MAIN = re.compile(r"<main id=\"content\" class=\"([a-z]+)\">\n(.*)</main>", re.DOTALL)
_TAG = re.compile(r"<[a-z][^<>]*>")
_NAMING = re.compile(r' (id|aria-labelledby|for)="([^"]*)"')
_LINK = re.compile(r' href="([^"#]*)(?:#([^"]*))?"')
_TEMPLATES = re.compile(r'<script type="application/json" id="[^"]*figure-templates">.*?</script>')
_TOO_EARLY = "</script"


@dataclass(frozen=True, slots=True)
class Part:
    """One page as a part of the file: its name, its kind, what it is called, and its inside."""

    name: str
    kind: str
    title: str
    content: Markup


def parts_of(pages: Mapping[str, tuple[str, str]]) -> list[Part]:
    """Return the pages (name to title and HTML) as parts whose ids differ and whose links stay
    inside the file; a link to a file that is not in it becomes plain text."""
    parts = []
    for name, (title, page) in pages.items():
        found = _MAIN.search(page)
        if found is None:
            raise ValueError(f"the page {name} has no main part")
        inside = _TEMPLATES.sub("", found[2])
        content = _TAG.sub(lambda tag, own=name: _moved(tag[0], own, pages), inside)  # type: ignore[misc]
        parts.append(Part(name, found[1], title, Markup(content)))  # noqa: S704  a page of ours
    return parts


def digests(scripts: Iterable[str]) -> str:
    """Return what a policy says to let exactly these scripts run; raise `ValueError` if one of them
    would end the element it stands in."""
    scripts = list(scripts)
    if any(_TOO_EARLY in script.lower() for script in scripts):
        raise ValueError(f"a script holds {_TOO_EARLY!r} and cannot stand inside a page")
    hashed = (hashlib.sha256(script.encode()).digest() for script in scripts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashed)


def _moved(tag: str, own: str, pages: Iterable[str]) -> str:
    """Return a tag of one page as it stands in the file of all pages."""
    tag = _NAMING.sub(lambda found: f' {found[1]}="{own}--{found[2]}"', tag)
    return _LINK.sub(lambda found: _link(found[1], found[2], own, pages), tag)


def _link(file: str, fragment: str | None, own: str, pages: Iterable[str]) -> str:
    page = file.removesuffix(".html") if file else own
    if page not in pages:
        return ""
    return f' href="#{page}--{fragment}"' if fragment else f' href="#{page}"'
