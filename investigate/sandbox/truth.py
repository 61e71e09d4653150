"""What a run of the sandbox really did wrong: recorded by its faults, never by the checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

SCHEMA = "investigate.truth/1"
TRUTH = "truth.json"


@dataclass
class GroundTruth:
    """The findings, retry patterns and verdicts of days that an investigation has to arrive at."""

    faults: list[str] = field(default_factory=list)
    findings: dict[str, set[str]] = field(default_factory=dict)
    retries: dict[tuple[str, str], str] = field(default_factory=dict)
    days: dict[tuple[str, str], str] = field(default_factory=dict)
    obscured: set[str] = field(default_factory=set)

    def add(self, code: str, *keys: str) -> None:
        """Record that these keys are offending rows of the check of that code."""
        if not keys:
            raise ValueError(f"{code}: a finding without a key is none")
        self.findings.setdefault(code, set()).update(keys)

    def obscure(self, *codes: str) -> None:
        """Record that these checks cannot pass: what happened also destroyed their evidence."""
        self.obscured.update(codes)

    @property
    def not_evaluated(self) -> list[str]:
        """The checks that find nothing and cannot say that there is nothing."""
        return sorted(self.obscured - set(self.findings))

    def retried(self, group: str, pattern: str, channel: str = "client") -> None:
        """Record the pattern in which a group repeated its attempts."""
        self._once(self.retries, (group, channel), pattern)

    def day(self, entity_id: str, day: str, verdict: str) -> None:
        """Record how the aggregates of an entity's day stand at the end."""
        self._once(self.days, (entity_id, day), verdict)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values in a fixed order."""
        return {
            "schema": SCHEMA,
            "faults": sorted(self.faults),
            "findings": {code: sorted(self.findings[code]) for code in sorted(self.findings)},
            "not_evaluated": self.not_evaluated,
            "retries": [
                {"group": group, "channel": channel, "pattern": pattern}
                for (group, channel), pattern in sorted(self.retries.items())
            ],
            "aggregates": [
                {"entity_id": entity_id, "day": day, "verdict": verdict}
                for (entity_id, day), verdict in sorted(self.days.items())
            ],
        }

    def write(self, folder: Path) -> Path:
        """Write the truth beside a case and return the file."""
        path = folder / TRUTH
        text = json.dumps(self.document(), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the truth that stands beside a case."""
        known: Mapping[str, Any] = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
        truth = cls(faults=list(known["faults"]), obscured=set(known["not_evaluated"]))
        for code, keys in known["findings"].items():
            truth.add(code, *keys)
        for row in known["retries"]:
            truth.retried(row["group"], row["pattern"], row["channel"])
        for row in known["aggregates"]:
            truth.day(row["entity_id"], row["day"], row["verdict"])
        return truth

    @staticmethod
    def _once(known: dict[tuple[str, str], str], key: tuple[str, str], value: str) -> None:
        if known.setdefault(key, value) != value:
            raise ValueError(f"{key} is already {known[key]!r} and cannot be {value!r} as well")
