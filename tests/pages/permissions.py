"""What docs/permissions.md takes from the code."""

from __future__ import annotations

import json
import tomllib

from investigate.capture.permissions import NEEDS, Need, PolicyScope, document, policy, statements
from investigate.settings import parse_settings
from tests.layers import ROOT
from tests.pages.marks import filled

DOCS = ROOT / "docs"
PAGE = DOCS / "permissions.md"


def example() -> PolicyScope:
    """The pipeline of docs/configuration.md, in the account that documentation uses."""
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    names = parse_settings(tomllib.loads(page.split("```toml")[2].split("```")[0])).names
    return PolicyScope(names, str(names.account_id), str(names.region))


def parts() -> dict[str, str]:
    """Every generated part of the page by its name."""
    effects = statements((need for need in NEEDS if need.has_effect), example())
    return {
        "any": _json(policy(None)),
        "narrowed": _json(policy(example())),
        "sampling": _json(document(effects)),
        "actions": _table(),
    }


def written(page: str) -> str:
    """Return a page with every generated part as it should be."""
    return filled(page, parts())


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=2)}\n```"


def _table() -> str:
    rows = ["| action | for the tables | without it |", "|---|---|---|"]
    return "\n".join([*rows, *map(_row, NEEDS)])


def _row(need: Need) -> str:
    tables = ", ".join(f"`{name}`" for name in need.tables) or "to find all of them"
    only = f", only with {need.only_for}" if need.only_for else ""
    effect = " **has an effect**" if need.has_effect else ""
    return f"| `{need.action}`{effect} | {tables}{only} | {need.without} |"
