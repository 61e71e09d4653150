"""A served pipeline in trouble, a case of it, and the plans that bring its events back."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.reliability.commands import said
from investigate.aws import connect
from investigate.capture import CaptureOptions, capture
from investigate.model import Window, isoformat
from investigate.sandbox.serve import Served, serve
from investigate.sandbox.weather import CALM
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from investigate.settings import Settings

START = datetime(2026, 3, 10, 6, tzinfo=UTC)
DAY = ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")
SENT, LETTERS = 5, 3  # events that were never sent, and dead letters
SECONDS = {"process-briefly": "3"}  # of processing, if nothing ends it
ENOUGH = "120"  # seconds for what ends by itself, also on a busy machine
_PLAN_AGE = "1000"  # minutes: the clock moves with each trial, and one plan serves them all
_PLANS = {
    "replay": (
        "replay-plan", "--entity", "never-sent", "--start", DAY[0], "--end", DAY[1],
    ),
    "redrive": ("redrive-plan",),
    "process-briefly": ("process-plan",),
}  # fmt: skip


@dataclass
class Trouble:
    """The pipeline, where it answers, the case of it, and the plan of each command."""

    sandbox: Sandbox
    served: Served
    case: Path
    plans: dict[str, Path] = field(default_factory=dict)

    def arguments(self, command: str, case: Path, *more: str) -> tuple[str, ...]:
        """Return the command line that carries out a plan of a case."""
        limits = (
            "--max-messages", "50", "--max-seconds", SECONDS.get(command, ENOUGH),
            "--rate", "1000", "--max-plan-age", _PLAN_AGE,
        )  # fmt: skip
        return (
            command, str(case), "--plan", str(self.plans[command]), "--allow-writes", "--yes",
            *limits, *self.aws(), *more,
        )  # fmt: skip

    def aws(self) -> tuple[str, ...]:
        """Return the options that reach the pipeline at its own time."""
        return ("--endpoint-url", self.served.url, "--now", self.now())

    def now(self) -> str:
        """Return the pipeline's own time, which the machine does not know."""
        return isoformat(self.sandbox.clock.now())

    def copy(self, place: Path) -> Path:
        """Return a copy of the case, on which nothing was tried yet."""
        return Path(shutil.copytree(self.case, place / "case"))

    def mapping(self) -> str:
        """Return the state of the mapping."""
        found = self.sandbox.clients.lambda_.list_event_source_mappings()
        return str(found["EventSourceMappings"][0]["State"])

    def bodies(self, *, dead: bool = False) -> Counter[str]:
        """Return how often each message is in the replay queue, or in that of the dead letters."""
        names = self.sandbox.names
        url = names.dead_letter_queue_urls[0] if dead else str(names.replay_queue_url)
        queue = self._queues()[url.rpartition("/")[2]]
        return Counter(str(message.body) for message in queue._messages)

    def later(self, **delta: float) -> None:
        """Let time pass; commands take their time, which the clock of the sandbox does not."""
        self.sandbox.clock.move_to(self.sandbox.clock.now() + timedelta(**delta))

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put back every message, and disable the mapping, when the block has ended."""
        before = {name: deepcopy(queue._messages) for name, queue in self._queues().items()}
        self.served.become(CALM)
        try:
            yield
        finally:
            self.served.hook = None
            self.served.become(CALM)
            self.later(minutes=2)
            for name, queue in self._queues().items():
                queue._messages[:] = before[name]
                queue.deleted_messages.clear()
            self.sandbox.stop_consumer()

    def _queues(self) -> Any:
        corrections: Any = self.sandbox.corrections
        return corrections._backend("sqs").queues


@contextmanager
def trouble(place: Path, *, processing: bool = True) -> Iterator[Trouble]:
    """Dead letters, events that were never sent, a waiting message and a disabled mapping; whether
    the processor works while the mapping is enabled."""
    options = SandboxOptions(start=START, dead_letter_queue=True, max_receive_count=2)
    with emulator(options) as sandbox, serve(sandbox, processing=processing) as served:
        known = Trouble(sandbox, served, place / "case")
        _let_it_happen(known)
        window = Window.parse(*DAY)
        wanted = CaptureOptions(
            window, sandbox.clock.now(), sample_messages=50, force_sampling=True
        )
        connection = connect(region="eu-west-1", endpoint_url=served.url, sampling=True)
        capture(known.case, Settings(sandbox.names, window), connection, wanted)
        known.later(minutes=2)  # what was received is visible again
        for command, (maker, *more) in _PLANS.items():
            plan = said(maker, known.case, *more, "--format", "json")
            if plan.code:
                raise RuntimeError(f"{maker} fails: {plan.err}")
            known.plans[command] = place / f"{maker}.json"
            known.plans[command].write_text(plan.out, encoding="utf-8")
        yield known


def _let_it_happen(known: Trouble) -> None:
    sandbox = known.sandbox
    _ingest(sandbox, "failed", LETTERS)
    sandbox.replay("failed", *DAY)
    for _ in range(3):
        sandbox.consume(failure="timeout")
        known.later(minutes=2)
    sandbox.stop_consumer()
    _ingest(sandbox, "never-sent", SENT)
    _ingest(sandbox, "waiting", 1)
    sandbox.replay("waiting", *DAY)
    known.later(minutes=10)
    sandbox.set_dry_run("processor", on=False)  # the repair is deployed
    known.later(minutes=1)


def _ingest(sandbox: Sandbox, entity: str, many: int) -> None:
    for number in range(many):
        sandbox.ingest({
            "source": "web", "event_type": "order", "entity_id": entity,
            "event_time": f"2026-03-10T05:00:{number:02d}Z", "payload": {"number": number},
        })  # fmt: skip


def planned(known: Trouble) -> list[str]:
    """Return the ids of the events that the replay sends."""
    plan = json.loads(known.plans["replay"].read_text(encoding="utf-8"))
    return [str(row["event_id"]) for row in plan["send"]]
