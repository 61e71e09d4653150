"""What each command asks of AWS, as the server recorded it: reads on the list and, of the three
that change a pipeline, the listed writes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.reliability.trouble import DAY, Trouble, trouble
from investigate.aws.operations import READ_ONLY, SIDE_EFFECTS
from investigate.aws.writing import WRITES
from investigate.commands.options import COMMANDS
from investigate.commands.sandbox import configuration
from investigate.model import Window

Requests = set[tuple[str, str]]
READS = {(service, name) for service, names in READ_ONLY.items() for name in names}
SAMPLING = {(service, name) for service, names in SIDE_EFFECTS.items() for name in names}
CHANGES = {(service, name) for service, names in WRITES.items() for name in names} - READS
ENDED = {0, 1}  # nothing was found, or something was; either way the question was answered
REFUSED = {2, 3, 4, 5}
# Commands that answer from a case or from the package, and ask AWS for nothing at all.
OFFLINE = {
    "check": ("{case}",),
    "checks": (),
    "ledger": ("{case}",),
    "process-plan": ("{case}",),
    "redrive-plan": ("{case}",),
    "regenerate": ("--check", "04_sqs"),
    "replay-plan": ("{case}", "--entity", "never-sent", "--start", DAY[0], "--end", DAY[1]),
    "report": ("{case}", "--out", "{out}"),
    "sandbox": ("faults",),
    "sql": ("{case}", "--dialect", "duckdb"),
    "symptoms": ("{case}", "duplicates"),
    "trace": ("{case}", "{event}"),
    "verify": ("{case}",),
}
READING = ("capture", "doctor")
CHANGING = {
    "replay": {("sqs", "SendMessage")},
    "redrive": {("sqs", "SendMessage"), ("sqs", "ReceiveMessage"), ("sqs", "DeleteMessage")},
    "process-briefly": {("lambda", "UpdateEventSourceMapping")},
}


@dataclass
class World:
    """A served pipeline in trouble, its configuration, and what one command asked of it."""

    known: Trouble
    config: Path

    def asked(self, *arguments: object, codes: set[int] = ENDED) -> Requests:
        """Run a command, all of whose clients would reach the server; return its requests."""
        self.known.served.record.clear()
        told = subprocess.run(
            [sys.executable, "-m", "investigate", *map(str, arguments)],
            env={**os.environ, "AWS_ENDPOINT_URL": self.known.served.url, "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert told.returncode in codes, told.stdout + told.stderr
        return set(self.known.served.requests)

    def options(self) -> tuple[str, ...]:
        """Return what leads a reading command to this pipeline."""
        return ("--config", str(self.config), "--endpoint-url", self.known.served.url)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("trouble")
    with trouble(place) as known:
        config = place / "pipeline.toml"
        config.write_text(configuration(known.sandbox.names, Window.parse(*DAY)), "utf-8")
        yield World(known, config)


@pytest.fixture
def case(world, tmp_path) -> Path:
    return world.known.copy(tmp_path)


def test_every_command_is_looked_at():
    assert {*OFFLINE, *READING, *CHANGING} == set(COMMANDS)


@pytest.mark.parametrize("command", OFFLINE)
def test_a_command_that_answers_from_a_case_asks_aws_for_nothing(world, case, tmp_path, command):
    event = pq.read_table(case / "events").column("event_id")[0].as_py()
    places = {"case": case, "out": tmp_path / "reports", "event": event}
    arguments = [one.format(**places) for one in OFFLINE[command]]
    assert world.asked(command, *arguments) == set()


def test_a_capture_reads_and_no_more(world, tmp_path):
    asked = world.asked("capture", tmp_path / "new", *world.options(), "--now", world.known.now())
    assert {"s3", "dynamodb", "sqs", "lambda", "logs"} <= {service for service, _ in asked}
    assert asked <= READS


def test_a_capture_that_samples_messages_receives_them_and_reads(world, tmp_path):
    more = ("--sample-messages", "2", "--force-sampling", "--now", world.known.now())
    with world.known.restored():
        asked = world.asked("capture", tmp_path / "new", *world.options(), *more)
    assert asked >= SAMPLING
    assert asked - SAMPLING <= READS


def test_an_estimate_and_a_look_at_permissions_read_and_no_more(world, tmp_path):
    estimated = world.asked(
        "capture", tmp_path / "new", "--estimate", *world.options(), "--now", world.known.now()
    )
    looked = world.asked("doctor", *world.options())
    assert estimated
    assert looked
    assert estimated | looked <= READS


@pytest.mark.parametrize("command", CHANGING)
def test_without_the_flag_a_command_that_changes_a_pipeline_asks_for_no_change(
    world, case, command
):
    arguments = [one for one in world.known.arguments(command, case) if one != "--allow-writes"]
    assert world.asked(*arguments, codes=REFUSED) <= READS


@pytest.mark.parametrize("command", CHANGING)
def test_with_the_flag_it_asks_for_its_own_changes_alone(world, case, command):
    with world.known.restored():
        asked = world.asked(*world.known.arguments(command, case))
    assert asked & (CHANGES | SAMPLING) == CHANGING[command]
    assert asked - CHANGING[command] <= READS
