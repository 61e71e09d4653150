"""What docs/recovery.md takes from the code."""

from __future__ import annotations

from investigate.aws.writing import listed
from investigate.recovery.rules import RULES
from tests.layers import ROOT
from tests.pages.marks import filled

PAGE = ROOT / "docs" / "recovery.md"


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
    return filled(page, parts())
