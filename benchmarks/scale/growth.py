"""The exponent with which a figure grows: 1 is in proportion, 2 is with the square."""

from __future__ import annotations

import math
from collections.abc import Mapping

FLOOR = 50_000  # events; below, what any question costs hides what events cost


def exponent(figures: Mapping[int, float], floor: int = FLOOR) -> float | None:
    """Return the slope of the least-squares line through log(figure) over log(events), of the sizes
    from `floor` on; None with fewer than two of them, or a figure that is not positive."""
    points = [(math.log(n), figures[n]) for n in sorted(figures) if n >= floor]
    if len(points) < 2 or any(figure <= 0 for _, figure in points):
        return None
    logs = [(events, math.log(figure)) for events, figure in points]
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread
