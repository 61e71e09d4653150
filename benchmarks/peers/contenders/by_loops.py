"""The last resort for a version: every run of its day, hashed in a loop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

LONGEST = 1_000  # events of a day of which every run is tried


def hashed(texts: Sequence[str]) -> str:
    """Return the inputs hash of events that are written as JSON."""
    return hashlib.sha256(f"[{','.join(texts)}]".encode()).hexdigest()


def any_run(texts: Sequence[str], length: int, wanted: str) -> bool:
    """Return whether so many events of a day in a row, or all of them twice, have this hash."""
    last = len(texts) - length
    starts = range(last + 1) if len(texts) <= LONGEST else range(1 if last == 0 else 0)
    if any(hashed(texts[start : start + length]) == wanted for start in starts):
        return True
    doubled = [text for text in texts for _ in range(2)]
    return len(doubled) == length and hashed(doubled) == wanted
