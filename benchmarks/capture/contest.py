"""All contenders of a subject, round by round, each in a process of its own."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.capture.contenders import SUBJECTS, Contender, Role
from benchmarks.capture.contenders.common import Job
from benchmarks.capture.evidence import BUCKET, REGION, TABLE
from benchmarks.capture.processes import finished
from benchmarks.capture.servers import KEY
from benchmarks.capture.toolbox import CHECKOUT, Toolbox

PREFIX = "raw/"
_MEASURED_WITHIN = 1800.0

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": KEY,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a contest takes place: the endpoints by service, and the tools if there are any."""

    endpoints: Mapping[str, str]
    tools: Toolbox | None

    def measure(self, module: str, contender: Contender, endpoint: str) -> dict[str, Any]:
        """Return what one contender needed; raise `Failed` with its last words."""
        python = self.tools.python if self.tools and contender.tooled else Path(sys.executable)
        aws = str(self.tools.program("aws")) if self.tools else ""
        urls = {f"AWS_ENDPOINT_URL_{name}": url for name, url in self.endpoints.items()}
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            job = Job(
                module, contender.function, endpoint, REGION, BUCKET, PREFIX, TABLE, folder, aws
            )
            printed = finished(
                [python, "-m", "benchmarks.capture.worker"],
                within=_MEASURED_WITHIN,
                folder=CHECKOUT,
                given=json.dumps(asdict(job)),
                environment={**_CREDENTIALS, **urls},
            )
        figures: dict[str, Any] = json.loads(printed)
        return figures


@dataclass
class Figures:
    """What the rounds of one contender gave."""

    contender: Contender
    rounds: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows it read."""
        return int(self.rounds[0]["rows"])

    @property
    def digests(self) -> set[str]:
        """The digests of what it read; one, if all rounds read the same."""
        return {str(one["digest"]) for one in self.rounds}

    @property
    def seconds(self) -> list[float]:
        """The seconds of each round."""
        return [float(one["seconds"]) for one in self.rounds]

    @property
    def rate(self) -> float:
        """Rows a second, by the median of the rounds."""
        return self.rows / median(self.seconds)

    def middle(self, name: str) -> float:
        """The median of a figure over the rounds."""
        return median(float(one[name]) for one in self.rounds)


def contest(ground: Ground, subject: str, service: str, rounds: int) -> list[Figures]:
    """Return the figures of every contender that can run here; rounds are interleaved."""
    known = SUBJECTS[subject]
    entered = [one for one in known.contenders if ground.tools or not one.tooled]
    figures = {one.name: Figures(one) for one in entered}
    for number in range(rounds):
        for contender in _turned(entered, number):
            print(f"  {subject}, round {number + 1} of {rounds}: {contender.name}", file=sys.stderr)
            found = ground.measure(known.module, contender, ground.endpoints[service])
            figures[contender.name].rounds.append(found)
    return list(figures.values())


def _turned(contenders: Sequence[Contender], by: int) -> Iterator[Contender]:
    """Each round begins with another, so that none always follows the same."""
    at = by % len(contenders)
    yield from contenders[at:]
    yield from contenders[:at]


def of_role(figures: Sequence[Figures], role: Role) -> Figures:
    """Return the figures of the one contender with a role."""
    return next(one for one in figures if one.contender.role is role)
