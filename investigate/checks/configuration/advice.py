"""What an audit rule says of a resource: the setting found, the one advised, why, and the loss."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from investigate.checks.registry import PartialRows
from investigate.evidence import Evidence
from investigate.model import counted, joined

SHOWN = ("setting", "found", "advised", "source", "lost")
NONE = "none"


@dataclass(frozen=True, slots=True)
class AuditRule:
    """A setting with what is advised for it, which page says so, and what can be lost else."""

    setting: str
    advised: str
    source: str
    lost: str


def apply_rule(
    evidence: Evidence,
    rows: ir.Table,
    rule: AuditRule,
    *,
    found: ir.Value,
    bad: ir.BooleanValue,
    noun: str,
    advised: ir.Value | None = None,
    gap: str = "",
) -> PartialRows:
    """Return the rows whose setting is `bad`, with what the rule says of each; `rows` have a text
    column `key`. Where `bad` is null the setting is unknown, and no finding is no pass. `advised`
    where it differs from row to row."""
    told = rows.select(
        "key",
        bad=bad,
        found=found.cast("string").fill_null(NONE),
        setting=ibis.literal(rule.setting),
        advised=ibis.literal(rule.advised) if advised is None else advised.cast("string"),
        source=ibis.literal(rule.source),
        lost=ibis.literal(rule.lost),
    )
    unknown = evidence.engine.count(told.filter(told.bad.isnull()))
    reason = f"the setting {rule.setting} of {counted(unknown, noun)} is unknown"
    wrong = told.filter(told.bad.fill_null(False)).select("key", *SHOWN)
    return PartialRows(wrong, joined(gap, reason if unknown else ""))


def seconds(value: ir.Value) -> ir.StringValue:
    """Return a number of seconds as text, as "60 s"; null for none."""
    return value.cast("string") + " s"
