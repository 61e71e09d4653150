"""Plan files read back: only whole ones, of this very case, and not older than a limit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from investigate.capture.values import is_deep
from investigate.case import MANIFEST, Case, digest
from investigate.errors import UsageError, quoted
from investigate.model import isoformat, parse_time
from investigate.plan_integrity import DIGEST, Shape, digest_of, shape_error
from investigate.recovery.rules import refused

SKEW = timedelta(minutes=1)  # that this machine's clock may be behind the one of the capture
_EVERY: Shape = {"case": str, "captured_at": str, "manifest": str}  # of every kind of plan
SHOWN = 12  # characters of a digest in a message


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Which plan is to be carried out on which case, and when."""

    case: Case
    path: Path
    moment: datetime
    longest_age: timedelta


def plan_for(asked: PlanRequest, schema: str, shape: Shape) -> Mapping[str, Any]:
    """Return the plan in a file; raise `UsageError` for another kind of file or one that is not
    whole, and `RecoveryRefused` (plan-changed, other-case, plan-from-the-future, plan-too-old)."""
    plan = _document(asked.path, schema)
    name = asked.path.name
    if plan.get(DIGEST) != digest_of(plan):
        raise refused("plan-changed", plan=name)
    # Whoever can write a plan can seal one; and older versions sealed less.
    if wrong := shape_error(plan, shape):
        raise UsageError(f"the plan {asked.path} is not whole: {wrong}", hint=_make_one(schema))
    ours = digest(asked.case.folder / MANIFEST)
    if plan["manifest"] != ours:
        raise refused(
            "other-case",
            plan=name,
            named=plan["case"],
            theirs=plan["manifest"][:SHOWN],
            case=asked.case.folder,
            ours=ours[:SHOWN],
        )
    captured = parse_time(plan["captured_at"], "captured_at")
    if captured - asked.moment > SKEW:
        raise refused(
            "plan-from-the-future",
            plan=name,
            captured=plan["captured_at"],
            now=isoformat(asked.moment),
        )
    age = asked.moment - captured
    if age > asked.longest_age:
        raise refused(
            "plan-too-old",
            plan=name,
            captured=plan["captured_at"],
            age=f"{age.total_seconds() / 60:,.0f}",
            limit=f"{asked.longest_age.total_seconds() / 60:,.0f} minutes",
        )
    return plan


def _document(path: Path, schema: str) -> Mapping[str, Any]:
    hint = _make_one(schema)
    try:
        text = path.read_text(encoding="utf-8")
        if is_deep(text):
            raise UsageError(f"the plan {path} is nested too deeply", hint=hint)
        document = json.loads(text)
    except OSError as error:
        raise UsageError(f"the plan {path} cannot be read: {error.strerror}", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the plan {path} is not JSON: {error}", hint=hint) from error
    found = document.get("schema") if isinstance(document, dict) else type(document).__name__
    if found != schema:
        raise UsageError(
            f"{path} is of schema {quoted(found)}; {schema!r} is needed here", hint=hint
        )
    if wrong := shape_error(document, _EVERY):
        raise UsageError(f"the plan {path} is not whole: {wrong}", hint=hint)
    plan: Mapping[str, Any] = document
    return plan


def _make_one(schema: str) -> str:
    command = schema.removeprefix("investigate.").partition("/")[0]
    return f"make one with: investigate {command} CASE … --format json > plan.json"
