"""From a question to the evidence that answers it: a verified case, cut, in an engine."""

from __future__ import annotations

from collections.abc import Callable

from investigate.case import open_case
from investigate.engine import Engine, open_engine
from investigate.entities import refuse_unknown_entities
from investigate.evidence import Evidence, Scope
from investigate.memory import Room
from investigate.parameters import Parameters
from investigate.settings import Thresholds


def evidence_for(
    asked: Parameters,
    *,
    engine: Callable[[], Engine] | None = None,
    thresholds: Thresholds | None = None,
) -> Evidence:
    """Return the verified evidence of a case, cut to the window and the entity asked about.

    `engine` opens what runs the queries, once the case is known to be one: Spark takes a while.
    None: DuckDB, which keeps within what the environment variables say.
    """
    opened = open_case(asked.case)
    scope = Scope(asked.window(opened.window), (asked.entity,) if asked.entity else ())
    runner = engine() if engine else open_engine(room=Room.asked())
    evidence = Evidence(opened, runner, thresholds or Thresholds(), scope)
    if evidence.entities:
        refuse_unknown_entities(evidence)
    return evidence
