"""`investigate sandbox`: a pipeline with faults, as cases or as an AWS endpoint."""

from __future__ import annotations

import argparse
import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from importlib.util import find_spec
from typing import TYPE_CHECKING

from investigate.commands.console import Console
from investigate.designs import design_named
from investigate.errors import UsageError
from investigate.model import Window, isoformat
from investigate.pipeline import REFERENCE
from investigate.settings import PipelineNames

if TYPE_CHECKING:
    from investigate.sandbox.weather import Weather

NEEDED = ("moto", "time_machine", "werkzeug")
_INVITATION = """
A pipeline answers at {url}; Ctrl-C ends it. Its configuration stands on standard output: keep it
in a file, for example pipeline.toml, and capture the pipeline from another terminal:

  export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox
  investigate capture cases/sandbox --config pipeline.toml --endpoint-url {url} \\
    --sample-messages 100 --now {now}

--now, because the clock of the sandbox stands still at that time.
"""


def run(options: argparse.Namespace, console: Console) -> int:
    """Do what the subcommand says; the libraries of the sandbox are an extra of the package."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the sandbox needs {', '.join(missing)}, which this installation lacks",
            hint="pip install 'investigate[sandbox]'",
        )
    action = {"demo": _demo, "faults": _faults, "serve": _serve}[options.action]
    return action(options, console)


def _demo(options: argparse.Namespace, console: Console) -> int:
    from investigate.sandbox.demo import DEMOS, demo_named, regenerate

    names = [demo_named(name).name for name in options.names] or list(DEMOS)
    for name in names:
        console.say(f"staging {name}")
        console.out("\n".join(str(folder) for folder in regenerate(options.out, [name])))
    return 0


def _faults(options: argparse.Namespace, console: Console) -> int:
    from investigate.sandbox.faults import faults
    from investigate.terminal_text import table

    design = design_named(options.pipeline)
    fitting = [(one.name, one.summary) for one in faults if not one.unfit(design)]
    console.out(table([("FAULT", "WHAT HAPPENS"), *fitting]))
    return 0


def _serve(options: argparse.Namespace, console: Console) -> int:
    from investigate.sandbox.demo import refuse_small_batches, staged
    from investigate.sandbox.faults import faults
    from investigate.sandbox.serve import serve
    from investigate.sandbox.stories import CAPTURED, WINDOW

    design = design_named(options.pipeline)
    refuse_small_batches(design)
    names = [faults[name].name for name in options.fault]
    for name in names:
        faults[name].refuse_unfit(design)
    weather = _weather(options)
    _refuse_busy(options.port)
    console.say("staging: traffic" + "".join(f", {name}" for name in names))
    with (
        staged(names, design=design) as (sandbox, _),
        serve(sandbox, port=options.port, weather=weather, processing=options.process) as served,
    ):
        console.out(configuration(sandbox.names, WINDOW))
        console.say(_INVITATION.format(url=served.url, now=isoformat(CAPTURED)))
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


def _weather(options: argparse.Namespace) -> Weather:
    """Return how the endpoint is to behave; an action that no capture needs is refused."""
    from investigate.capture.permissions import NEEDS
    from investigate.sandbox.weather import Weather

    needed = dict.fromkeys(need.action for need in NEEDS)
    for action in options.deny:
        if action not in needed:
            raise UsageError.unknown("action", action, needed, hint="see docs/permissions.md")
    return Weather(
        seed=options.weather_seed,
        throttled=options.throttle,
        failed=options.fail,
        dropped=options.drop / 2,  # half of them before the answer, half in the middle of it
        broken=options.drop / 2,
        truncated=options.truncate,
        slow=options.slow,
        denied=frozenset(options.deny),
        expires_after=options.expire_after,
    )


def _refuse_busy(port: int) -> None:
    """Raise `UsageError` if nothing can be served on a port; staging takes a while."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used: {error.strerror}",
                hint="choose another with --port, or leave it out for a free one",
            ) from error


def configuration(names: PipelineNames, window: Window) -> str:
    """Return the configuration file that captures this pipeline."""
    texts = {
        known.name: getattr(names, known.name)
        for known in fields(names)
        if isinstance(getattr(names, known.name), str)
    }
    queues = list(names.dead_letter_queue_urls)
    design = {} if names.design == REFERENCE else {"design": names.design.name}
    span = {"start": isoformat(window.start), "end": isoformat(window.end)}
    return "\n".join(
        [
            *_section("pipeline", {**design, **texts, "dead_letter_queue_urls": queues}),
            *_section("pipeline.functions", names.functions),
            *_section("window", span),
        ]
    )


def _section(title: str, values: Mapping[str, object]) -> list[str]:
    # A JSON text and a JSON list of texts are the same in TOML.
    return [f"[{title}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items()), ""]
