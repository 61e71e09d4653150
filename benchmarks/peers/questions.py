"""What every tool is asked, and the shape of its answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

# The code of the check that answers it, and the question in words.
QUESTIONS: Mapping[str, str] = {
    "raw/missing": "rows whose raw object is lost: it stands under no key",
    "raw/expired": "rows that outlived their raw object, which the lifecycle rule took",
    "events/dangling-key": "rows that point at no object although one has their id",
    "events/missing-row": "readable objects that no row knows",
    "dedupe/orphan": "ids that passed the gate and are stored nowhere",
    "raw/payload-mismatch": "payloads that no longer have the hash recorded at ingest",
    "events/duplicate": "refused repeats of what is stored, with what made each of them",
    "aggregates/unexplained": "every version's inputs hash reproduced from the known events of its "
    "entity and day, and the days with one that nothing reproduces",
}
MADE_BY = "made_by"  # how many of the refused repeats each cause made, a cause for each id

Answers = dict[str, Any]


def answers(keys: Mapping[str, Sequence[str]], made_by: Mapping[str, int]) -> Answers:
    """Return what a tool found as it is compared: sorted keys by code, and the number of repeats by
    what made them. Raises `KeyError` if a question has no answer."""
    listed: Answers = {code: sorted(set(keys[code])) for code in QUESTIONS}
    return {**listed, MADE_BY: {name: int(made_by[name]) for name in sorted(made_by)}}


def differences(ours: Answers, others: Answers) -> list[str]:
    """Return in words where two tools answer differently, with a few keys of each; [] if
    nowhere."""
    told = []
    for code in (*QUESTIONS, MADE_BY):
        left, right = _items(ours[code]), _items(others[code])
        if left != right:
            more, less = sorted(right - left)[:3], sorted(left - right)[:3]
            told.append(
                f"{code}: {len(left):,} and {len(right):,} answers; only the first: "
                f"{', '.join(less) or 'none'}; only the second: {', '.join(more) or 'none'}"
            )
    return told


def untrue(found: Answers, truth: Mapping[str, Any]) -> list[str]:
    """Return the codes whose keys are not those of a synthetic case's truth."""
    nothing = {"count": 0, "sha256": hashlib.sha256().hexdigest()}
    return [
        code for code in QUESTIONS if _digest(found[code]) != truth["digests"].get(code, nothing)
    ]


def _digest(keys: Sequence[str]) -> dict[str, Any]:
    text = "".join(f"{key}\n" for key in keys)
    return {"count": len(keys), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _items(answer: Any) -> set[str]:
    if isinstance(answer, Mapping):
        return {f"{name} {count}" for name, count in answer.items()}
    return set(answer)


def printed(found: Answers) -> str:
    """Return answers as the JSON that a tool's program prints."""
    return json.dumps(found)
