"""A stand-in for Lambda: runs a function, and leaves the lines and metrics that AWS would leave."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from investigate.pipeline import REFERENCE, Design
from investigate.sandbox import handlers
from investigate.sandbox.clock import Clock
from investigate.sandbox.cloud import MEMORY, TIMEOUTS, Clients
from investigate.sandbox.function import Context
from investigate.sandbox.interrupts import Interrupt, OutOfMemory, TimedOut, interrupted
from investigate.sandbox.lines import Attempt, Failure, log_lines
from investigate.sandbox.logs import LogWriter
from investigate.sandbox.metrics import MetricBook
from investigate.sandbox.watching import TraceBook

Handler = Callable[[Mapping[str, Any], Context], dict[str, Any]]
HANDLERS: Mapping[str, Handler] = {
    "ingest": handlers.ingest,
    "replay": handlers.replay,
    "processor": handlers.process,
}
# What a handler may raise by itself: bad input (D12, D27) and refusals of AWS.
UNCAUGHT = handlers.RECORD_ERRORS


@dataclass(frozen=True)
class InvocationResult:
    """How one invocation ended, and its answer if it gave one."""

    request_id: str
    status: str  # ok, error, timeout, out-of-memory or throttled
    answer: dict[str, Any] | None = None


@dataclass
class Runtime:
    """Runs functions at the clock's time; the same seed gives the same ids and durations."""

    clients: Clients
    clock: Clock
    random: Random
    logs: LogWriter
    log_format: str
    functions: Mapping[str, str]
    environments: Mapping[str, dict[str, str]]
    design: Design = REFERENCE
    metrics: MetricBook | None = None
    traces: TraceBook | None = None
    reserved: dict[str, int] = field(default_factory=dict)
    outcomes: list[InvocationResult] = field(default_factory=list)  # of every invocation so far

    def invoke(
        self,
        role: str,
        event: Mapping[str, Any],
        *,
        interrupt: Interrupt | None = None,
        throttled: bool = False,
    ) -> InvocationResult:
        """Run one invocation; a throttled one leaves no lines, only a metric."""
        outcome = self._invoke(role, event, interrupt, throttled=throttled)
        self.outcomes.append(outcome)
        return outcome

    def _invoke(
        self, role: str, event: Mapping[str, Any], interrupt: Interrupt | None, *, throttled: bool
    ) -> InvocationResult:
        request_id = str(UUID(int=self.random.getrandbits(128), version=4))
        if throttled or self.reserved.get(role) == 0:
            self._measure(role, "Throttles", self.clock.now())
            return InvocationResult(request_id, "throttled")
        context = Context(
            function=self.functions[role],
            request_id=request_id,
            environment=self.environments[role],
            clients=interrupted(self.clients, interrupt),
            clock=self.clock,
            design=self.design,
        )
        outcome, failure = _run(HANDLERS[role], event, context)
        self._record(role, context, outcome, failure)
        return outcome

    def _record(
        self, role: str, context: Context, outcome: InvocationResult, failure: Failure | None
    ) -> None:
        started = self.clock.now()
        environment, cold = self.logs.environment(context.function, started)
        attempt = self._attempt(role, context, outcome.status, started)
        init = round(self.random.uniform(310, 620), 2)
        attempt = replace(attempt, failure=failure, init_ms=init if cold else None)
        environment.free_at = attempt.ended
        self.logs.write(environment, log_lines(attempt, self.log_format))
        if self.traces:
            self.traces.take(context.function, attempt)
        self._measure(role, "Invocations", started)
        self._measure(role, "Throttles", started, 0.0)
        self._measure(role, "Errors", started, float(outcome.status != "ok"))
        self._measure(role, "Duration", started, attempt.duration_ms)

    def _attempt(self, role: str, context: Context, status: str, started: datetime) -> Attempt:
        duration = round(len(context.lines) + 2 + self.random.uniform(9, 120), 2)
        used = self.random.randint(84, 112)
        return Attempt(
            request_id=context.request_id,
            started=started,
            duration_ms=TIMEOUTS[role] * 1000.0 if status == "timeout" else duration,
            memory_mb=MEMORY[role],
            used_mb=MEMORY[role] if status == "out-of-memory" else used,
            status=status,
            lines=tuple(context.lines),
            trace=f"1-{int(started.timestamp()):08x}-{self.random.getrandbits(96):024x}",
            segment=f"{self.random.getrandbits(64):016x}",
        )

    def _measure(self, role: str, metric: str, moment: datetime, value: float = 1.0) -> None:
        if self.metrics:
            self.metrics.lambda_(self.functions[role], metric, moment, value)


def _run(
    handler: Handler, event: Mapping[str, Any], context: Context
) -> tuple[InvocationResult, Failure | None]:
    try:
        return InvocationResult(context.request_id, "ok", handler(event, context)), None
    except TimedOut:
        return InvocationResult(context.request_id, "timeout"), None
    except OutOfMemory:
        return InvocationResult(context.request_id, "out-of-memory"), None
    except UNCAUGHT as error:
        return InvocationResult(context.request_id, "error"), _failure(error)


def _failure(error: Exception) -> Failure:
    """Return the exception as Lambda shows it, with the frames of the function alone."""
    frames = [
        traceback.FrameSummary("/var/task/handlers.py", frame.lineno or 0, frame.name)
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == Path(handlers.__file__)
    ]
    return Failure(type(error).__name__, str(error), tuple(traceback.format_list(frames)))
