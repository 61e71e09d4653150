"""What was asked of which case: a command line's options as the notebooks' parameters."""

from __future__ import annotations

import argparse

from investigate.parameters import Parameters


def parameters_of(options: argparse.Namespace) -> Parameters:
    """Return the question as the notebooks' parameters, which are also the command line's."""
    return Parameters(
        case=options.case, start=options.start, end=options.end, entity=options.entity
    )
