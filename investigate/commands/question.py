"""What was asked of which case, and of which engine: a command line's options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from investigate.engine import Engine, open_engine
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.memory import EngineMemory
from investigate.opening import evidence_for
from investigate.parameters import Parameters
from investigate.settings import Thresholds


def parameters_of(options: argparse.Namespace) -> Parameters:
    """Return the question as the notebooks' parameters, which are also the command line's."""
    return Parameters(
        case=options.case, start=options.start, end=options.end, entity=options.entity
    )


def engine_memory_of(options: argparse.Namespace) -> EngineMemory:
    """Return the memory an engine may take, and where it puts what is more."""
    return EngineMemory.asked(options.memory, options.spill)


def engine_of(options: argparse.Namespace) -> Callable[[], Engine]:
    """Return what opens the engine that was asked for, DuckDB where a command knows no other; it
    raises `UsageError` if it cannot."""
    if not hasattr(options, "engine"):
        return partial(open_engine, memory=engine_memory_of(options))
    if options.engine == "spark" and (options.memory or options.spill):
        raise UsageError(
            "--memory and --spill have no meaning for the engine spark",
            hint="leave them out: what Spark may take is set where it is started, "
            "for --spark-master local[*] with SPARK_DRIVER_MEMORY",
        )
    return partial(
        open_engine,
        options.engine,
        memory=engine_memory_of(options),
        master=options.spark_master,
        scratch=options.spark_scratch,
    )


def evidence_of(
    options: argparse.Namespace,
    thresholds: Thresholds | None = None,
    asked: Parameters | None = None,
) -> Evidence:
    """Return the evidence of what was asked about (None: what the options say), in the engine that
    was asked for, which keeps within the memory that was asked for."""
    asked = asked or parameters_of(options)
    return evidence_for(asked, engine=engine_of(options), thresholds=thresholds)
