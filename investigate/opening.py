"""From a question to the evidence that answers it: a verified case, cut, in an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from investigate.case import open_case
from investigate.engine import Engine, open_engine
from investigate.entities import refuse_unknown_entities
from investigate.evidence import Evidence, Scope
from investigate.memory import EngineMemory
from investigate.parameters import IN_A_BUCKET, Parameters
from investigate.settings import Thresholds

if TYPE_CHECKING:
    from investigate.lake.stored import StoredCase


def evidence_for(
    asked: Parameters,
    *,
    engine: Callable[[], Engine] | None = None,
    thresholds: Thresholds | None = None,
) -> Evidence:
    """Return the verified evidence of a case, cut to the window and the entity asked about.

    `engine` opens what runs the queries, once the case is known to be one: Spark takes a while.
    None: DuckDB, which keeps within what the environment variables say. A case in a bucket is
    copied for an engine of this machine, and read where it lies by the workers of another.
    """
    there = _stored(asked.case)
    opened = there.case if there else open_case(asked.case)
    scope = Scope(asked.window(opened.window), (asked.entity,) if asked.entity else ())
    runner = engine() if engine else open_engine(memory=EngineMemory.asked())
    if there:
        opened = there.in_place() if runner.reads_in_place else there.copied()
    evidence = Evidence(opened, runner, thresholds or Thresholds(), scope)
    if evidence.entities:
        refuse_unknown_entities(evidence)
    return evidence


def _stored(name: str) -> StoredCase | None:
    """Return the case at an address; None of one on this machine."""
    if not name.startswith(IN_A_BUCKET):
        return None
    # Imported when it is needed: most cases are on this machine, and most commands need no AWS.
    from investigate.lake.stored import StoredCase

    return StoredCase.at(name)
