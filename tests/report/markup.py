"""What a browser would make of a page, read with Python's own parser."""

from __future__ import annotations

from html.parser import HTMLParser

# What no page of a report may hold: the address of any host, with or without a scheme.
ADDRESS = r"(?i)(?:[a-z][a-z0-9+.-]*:)?//[a-z0-9]"


class Markup(HTMLParser):
    """The elements of a page with their attributes, and the text of each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = [""]
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, text: str) -> None:
        self.texts.append((self._open[-1], text))

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """The elements and the names of their attributes, without any value."""
        return [(tag, tuple(sorted(attributes))) for tag, attributes in self.elements]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def values(self, tag: str, attribute: str) -> list[str]:
        """The values of one attribute in all elements of a kind that have it."""
        return [a[attribute] for name, a in self.elements if name == tag and attribute in a]

    def text_of(self, tag: str) -> str:
        return "".join(text for name, text in self.texts if name == tag)

    @property
    def handlers(self) -> list[str]:
        """Everything that would run a script of somebody else's."""
        found = [
            f"{tag} {name}"
            for tag, attributes in self.elements
            for name, value in attributes.items()
            if name.startswith("on") or "javascript:" in value.lower()
        ]
        scripts = [a for tag, a in self.elements if tag == "script"]
        return found + [
            f"script {a}"
            for a in scripts
            if a.get("type") != "application/json"
            and not a.get("src", "").removeprefix("../../../").startswith("assets/")
        ]
