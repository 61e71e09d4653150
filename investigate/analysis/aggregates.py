"""What became of each entity's day: its aggregate versions, and what they hold of its events."""

from __future__ import annotations

from investigate.analysis.explanation import version_inputs, versions

__all__ = ["version_inputs", "versions"]
