"""One incident, from its seed to its score."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from benchmarks.diagnosis.levels import FULL, LEVELS, Level, take
from benchmarks.diagnosis.scoring import Score, score
from investigate.case import open_case
from investigate.evidence import Evidence
from investigate.findings import examine
from investigate.sandbox.demo import DEPLOYED
from investigate.sandbox.incidents import Incident, draw, stories_of
from investigate.sandbox.stories import CAPTURED, Plot, perform
from investigate.sandbox.template_gaps import record_template_gaps
from investigate.sandbox.truth import GroundTruth
from investigate.sandbox.world import SandboxOptions, emulator

FULL_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Proved:
    """One incident and how well it was told."""

    incident: Incident
    level: str
    score: Score


def level_of(seed: int, number: int) -> Level:
    """Return the degree of evidence that an incident is examined with: full for half of them."""
    rng = Random(f"level {seed} {number}")  # noqa: S311
    thin = [level for level in LEVELS.values() if level is not FULL]
    return FULL if rng.random() < FULL_SHARE else rng.choice(thin)


def prove(seed: int, number: int, level: str = "", keep: str = "") -> Proved:
    """Stage an incident, capture it, check it and score what was found. `level` names another
    degree of evidence than the one drawn, `keep` a folder for the case and its truth."""
    incident = draw(seed, number)
    chosen = LEVELS[level] if level else level_of(seed, number)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(keep or scratch) / f"incident-{seed}-{number}"
        truth = stage(incident, chosen, folder)
        truth.write(folder)
        examination = examine(Evidence(open_case(folder)))
    result = score(examination.findings, examination.document, truth, chosen, incident)
    return Proved(incident, chosen.name, result)


def stage(incident: Incident, level: Level, folder: Path) -> GroundTruth:
    """Let an incident happen in an emulator, capture it into a folder, and return the truth."""
    truth = GroundTruth()
    options = SandboxOptions(start=DEPLOYED, log_format=level.log_format)
    with emulator(options) as sandbox:
        record_template_gaps(sandbox, truth)
        plot = Plot(sandbox, truth, Random(incident.seed), "healthy")  # noqa: S311
        stories = stories_of(plot, incident)
        perform(sandbox, stories, until=CAPTURED - timedelta(minutes=2))
        sandbox.clock.move_to(CAPTURED)
        take(sandbox, folder, level)
    if level.denied:
        truth.add("access/denied", level.denied)
    return truth
