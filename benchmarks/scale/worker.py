"""One stage in a process of its own: `python -m benchmarks.scale.worker STAGE …`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.scale.judging import differences
from benchmarks.scale.publishing import write_again
from benchmarks.synthetic.case import write_case


def _generate(folder: str, events: str, every: str) -> object:
    return write_case(Path(folder), int(events), every=int(every)).events


def _write(case: str, target: str) -> object:
    return write_again(Path(case), Path(target))


def _judge(case: str, findings: str) -> object:
    return differences(Path(case), Path(findings))


STAGES: dict[str, Callable[..., object]] = {
    "generate": _generate,
    "write": _write,
    "judge": _judge,
}


def main(arguments: list[str]) -> int:
    """Run a stage and print what it returns as JSON."""
    stage, *given = arguments
    print(json.dumps(STAGES[stage](*given)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
