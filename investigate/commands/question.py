"""What was asked of which case: the parameters of a command line, and the evidence cut to them."""

from __future__ import annotations

import argparse

from investigate.case import Case, open_case
from investigate.engine import Engine
from investigate.evidence import Evidence, Scope
from investigate.parameters import Parameters
from investigate.settings import Thresholds


def parameters_of(options: argparse.Namespace) -> Parameters:
    """Return the question as the notebooks' parameters, which are also the command line's."""
    return Parameters(
        case=options.case, start=options.start, end=options.end, entity=options.entity
    )


def evidence_for(
    parameters: Parameters, *, engine: str = "duckdb", thresholds: Thresholds | None = None
) -> Evidence:
    """Return the verified evidence of a case, cut to the scope asked about."""
    runner = Engine(engine)
    case = open_case(parameters.case)
    return Evidence(case, runner, thresholds or Thresholds(), scope_of(parameters, case))


def scope_of(parameters: Parameters, case: Case) -> Scope:
    """Return the window and the entities asked about."""
    entities = (parameters.entity,) if parameters.entity else ()
    return Scope(parameters.window(case.window), entities)
