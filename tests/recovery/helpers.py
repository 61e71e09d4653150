"""A pipeline in trouble behind a URL, and the commands that bring it back."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from investigate.capture import CaptureOptions, capture
from investigate.model import Window, isoformat
from investigate.sandbox.serve import Served, serve
from investigate.sandbox.world import Sandbox
from investigate.settings import PipelineNames, Settings
from tests.sandbox.pipelines import DAY, later, request, running

LIMITS = ("--max-messages", "50", "--max-seconds", "30", "--rate", "1000")
WINDOW = Window.parse(*DAY)


@dataclass
class Incident:
    """A sandbox, where it answers, and a folder for cases and plans."""

    sandbox: Sandbox
    served: Served
    folder: Path
    cases: int = field(default=0)

    def capture(self, **changes: Any) -> Path:
        """Capture the pipeline as it is now, with a sample of its messages."""
        from investigate.aws import connect

        self.cases += 1
        later(
            self.sandbox, minutes=1
        )  # commands took their time, which the sandbox's clock did not
        folder = self.folder / f"case-{self.cases}"
        wanted = {"window": WINDOW, "captured_at": self.sandbox.clock.now(), "sample_messages": 50}
        connection = connect(region="eu-west-1", endpoint_url=self.served.url, sampling=True)
        options = CaptureOptions(**{**wanted, "force_sampling": True, **changes})
        capture(folder, Settings(self.sandbox.names, WINDOW), connection, options)
        later(self.sandbox, minutes=2)  # what was received is visible again
        return folder

    def aws(self) -> tuple[str, ...]:
        """The options that reach this pipeline at its own time."""
        now = isoformat(self.sandbox.clock.now())
        return ("--endpoint-url", self.served.url, "--now", now)


@contextmanager
def incident(folder: Path, *, processing: bool = True, **options: Any) -> Iterator[Incident]:
    """A pipeline with an SQS dead-letter queue behind a URL."""
    options = {"dead_letter_queue": True, "max_receive_count": 2, **options}
    with running(**options) as sandbox, serve(sandbox, processing=processing) as served:
        yield Incident(sandbox, served, folder)


def ingest(sandbox: Sandbox, entity: str, count: int) -> None:
    """Let so many events of one day of an entity arrive."""
    for number in range(count):
        when = f"2026-03-10T05:00:{number:02d}Z"
        sandbox.ingest(request(f"{entity}-{number}", entity_id=entity, event_time=when))


def dead_letters(sandbox: Sandbox, entity: str, count: int) -> None:
    """Let an entity's events be replayed and fail until they are dead letters; the mapping is
    disabled by somebody who noticed."""
    ingest(sandbox, entity, count)
    sandbox.replay(entity, *DAY)
    for _ in range(3):
        sandbox.consume(failure="timeout")
        later(sandbox, minutes=2)
    sandbox.stop_consumer()


def plan_file(ask: Any, folder: Path, *command: object) -> Path:
    """Make a plan of a case with a command and return its file."""
    code, out, err = ask(*command, "--format", "json")
    assert code == 0, err
    path = folder / f"plan-{len(list(folder.glob('plan-*')))}.json"
    path.write_text(out, encoding="utf-8")
    return path


def record_of(case: Path) -> list[dict[str, Any]]:
    text = (case / "recovery" / "record.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def configuration(names: PipelineNames, **changes: str) -> str:
    """A configuration file of the pipeline, with some names changed."""
    texts = {
        known.name: getattr(names, known.name)
        for known in fields(names)
        if isinstance(getattr(names, known.name), str)
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in {**texts, **changes}.items()]
    return "\n".join(["[pipeline]", *lines])


@contextmanager
def full(path: Path, room: int = 0) -> Iterator[None]:
    """No file of this process becomes longer than this one and some bytes: as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def mapping_state(sandbox: Sandbox) -> str:
    """The state of the only mapping."""
    (mapping,) = sandbox.clients.lambda_.list_event_source_mappings()["EventSourceMappings"]
    return str(mapping["State"])
