"""Every parser that reads what others wrote, by its name."""

from __future__ import annotations

from benchmarks.fuzz.target import Target
from benchmarks.fuzz.targets import logs, messages, objects, plans, questions, reports, tables

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (objects, tables, messages, logs, reports, questions, plans)
    for target in module.TARGETS
}
