"""What was asked of which case, and of which engine: a command line's options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from investigate.engine import Engine, open_engine
from investigate.parameters import Parameters


def parameters_of(options: argparse.Namespace) -> Parameters:
    """Return the question as the notebooks' parameters, which are also the command line's."""
    return Parameters(
        case=options.case, start=options.start, end=options.end, entity=options.entity
    )


def engine_of(options: argparse.Namespace) -> Callable[[], Engine]:
    """Return what opens the engine that was asked for; it raises `UsageError` if it cannot."""
    return partial(
        open_engine, options.engine, master=options.spark_master, scratch=options.spark_scratch
    )
