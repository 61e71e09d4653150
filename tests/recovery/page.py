"""Writes what docs/recovery.md takes from the code: `python -m tests.recovery.page`."""

from __future__ import annotations

from pathlib import Path

from investigate.aws.writing import listed
from investigate.recovery.rules import RULES

PAGE = Path(__file__).parents[2] / "docs" / "recovery.md"
_MARK = "<!-- generated: {name} -->\n"
_END = "<!-- end -->"


def parts() -> dict[str, str]:
    """Every generated part of the page by its name."""
    rules = [
        f"**`{rule.name}`** {rule.why}\n\n> refused ({rule.name}): {_plain(rule.message)}<br>\n"
        f"> {_plain(rule.hint)}\n"
        for rule in RULES.values()
    ]
    return {
        "rules": "\n".join(rules),
        "writes": "\n".join(f"- `{name}`" for name in listed()) + "\n",
    }


def _plain(text: str) -> str:
    return text.replace("{", "‹").replace("}", "›")


def written(page: str) -> str:
    """Return a page with every generated part as it should be."""
    for name, text in parts().items():
        mark = _MARK.format(name=name)
        assert page.count(mark) == 1, f"the page must have one place for {name}"
        before, after = page.split(mark)
        page = before + mark + text + _END + after.split(_END, 1)[1]
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
