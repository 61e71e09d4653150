"""The rule of a composite alarm: which other alarms it is composed of."""

from __future__ import annotations

import re

# The name or the ARN of the other alarm, in quotes or not: "PutCompositeAlarm" (API Reference).
_CHILD = re.compile(
    r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"([^\"]*)\"|'([^']*)'|([^)]*?))\s*\)"
)


def children(rule: str) -> set[str]:
    """Return the names of the alarms in a rule like `ALARM("a") OR ALARM(b)`."""
    named = ("".join(groups) for groups in _CHILD.findall(rule))
    return {name.split(":alarm:", 1)[-1] for name in named}
