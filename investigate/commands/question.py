"""What was asked of which case: a command line's options as parameters, and as evidence."""

from __future__ import annotations

import argparse

from investigate.evidence import Evidence
from investigate.investigation import evidence_for
from investigate.memory import Room
from investigate.parameters import Parameters
from investigate.settings import Thresholds


def parameters_of(options: argparse.Namespace) -> Parameters:
    """Return the question as the notebooks' parameters, which are also the command line's."""
    return Parameters(
        case=options.case, start=options.start, end=options.end, entity=options.entity
    )


def room_of(options: argparse.Namespace) -> Room:
    """Return the memory an engine may take, and where it puts what is more."""
    return Room.asked(options.memory, options.spill)


def evidence_of(options: argparse.Namespace, thresholds: Thresholds | None = None) -> Evidence:
    """Return the evidence of the case that was asked about, in an engine that keeps within the
    room that was asked for."""
    return evidence_for(
        parameters_of(options),
        engine=getattr(options, "engine", "duckdb"),
        thresholds=thresholds,
        room=room_of(options),
    )
