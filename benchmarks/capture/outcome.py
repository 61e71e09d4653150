"""What a run found: the figures, whether all agree, and which targets are met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.capture.contest import Figures
from benchmarks.capture.targets import Target, of_memory, targets


@dataclass
class Outcome:
    """What a run found."""

    subjects: dict[str, list[Figures]] = field(default_factory=dict)
    memory: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def agree(self) -> bool:
        """Whether all contenders of each subject read the same, every time."""
        answers = [
            {digest for one in figures for digest in one.digests}
            for figures in self.subjects.values()
        ]
        return all(len(digests) == 1 for digests in answers)

    @property
    def targets(self) -> list[Target]:
        """Every target that the run can tell about."""
        found = [one for name, figures in self.subjects.items() for one in targets(name, figures)]
        if self.memory:
            small, large = (self.memory[size]["peak_mb"] for size in sorted(self.memory))
            found += of_memory(small, large)
        return found
