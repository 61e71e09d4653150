"""The three commands that change a pipeline, while a service of AWS fails in one way."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.reliability.captures import HASTY, SERVICES
from benchmarks.reliability.commands import Command, Running, Said, said
from benchmarks.reliability.trial import Trial, Verdict, bug, first, sentence_of, unclear
from benchmarks.reliability.trouble import LETTERS, SENT, Trouble, planned
from investigate.recovery.record import read
from investigate.sandbox.weather import CALM, Forecast, Weather

# Which commands meet a service, and its operation that they cannot do without.
MEETS = {
    "SQS": {"replay": "SendMessage", "redrive": "SendMessage"},
    "DynamoDB": {"replay": "Query"},
    "Logs": {"process-briefly": "FilterLogEvents"},
    "Lambda": {"process-briefly": "UpdateEventSourceMapping"},
}
ENABLE = 2  # of the changes of the mapping: the first only rehearses the way back
_NOTHING = Weather()


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which every request fails, or takes longer."""

    failure: str
    injected: str
    weather: Weather
    passes: bool = False
    hasty: bool = False


WAYS = (
    Way("throttled", "every request", Weather(throttled=1)),
    Way("denied", "every action", _NOTHING),
    Way("timed out", "no request gets an answer", Weather(hung=1), hasty=True),
    Way("cut off halfway", "every answer, after it was done", Weather(broken=1)),
    Way("wrong shape", "every answer is a web page", Weather(misshapen=1)),
    Way("wrong shape", "every answer is well-formed and of another question", Weather(unrelated=1)),
    Way("empty", "no answer has content", Weather(emptied=1)),
    Way("enormous", "every answer has 8 MB more than its content", Weather(swollen=1), passes=True),
    Way("slow", "every answer is late", Weather(slow=1, seconds=0.05), passes=True),
)


def trials(known: Trouble, boundary: str) -> Iterator[Trial]:
    """Yield every trial of a service of AWS."""
    for command, operation in MEETS.get(boundary, {}).items():
        judge = JUDGES[command]
        for way in WAYS:
            for from_the_start in (True, False):
                if from_the_start and way.passes:
                    continue  # the other one is harder
                when = "" if from_the_start else f", after the first {operation}"
                run = partial(_weathered, known, boundary, way, judge, from_the_start)
                yield Trial(boundary, way.failure, command, f"{way.injected}{when}", run)
        for nth in (1, 2):
            yield Trial(
                boundary, "killed", command, f"SIGKILL at one of its {operation}",
                partial(_killed, known, f"{SERVICES[boundary]}:{operation}", nth, judge), str(nth),
            )  # fmt: skip


def _weathered(
    known: Trouble, boundary: str, way: Way, judge: Judge, from_the_start: bool, place: Path
) -> Verdict:
    service, case = SERVICES[boundary], known.copy(place)
    weather = replace(way.weather, only=frozenset({service}))
    if way.failure == "denied":
        weather = Weather(denied=_actions(service))
    with known.restored():
        if from_the_start:
            known.served.become(weather)
        else:
            operation = MEETS[boundary][judge.command]
            nth = ENABLE if operation == "UpdateEventSourceMapping" else 1
            _turn(known, f"{service}:{operation}", nth, weather)
        hasty = HASTY if way.hasty else None
        told = said(*known.arguments(judge.command, case), answer_seconds=hasty)
        known.served.hook = None
        known.served.become(CALM)
        return judge.verdict(known, case, told, f"{service}:", passes=way.passes)


def _actions(service: str) -> frozenset[str]:
    from investigate.aws import READ_ONLY, action_of
    from investigate.aws.writing import WRITES

    names = READ_ONLY[service] | WRITES.get(service, frozenset())
    return frozenset(action_of(service, name) for name in names)


def _turn(known: Trouble, operation: str, nth: int, weather: Weather) -> None:
    """Let the weather change for all requests that follow the n-th one for an operation."""
    seen, served = 0, known.served

    def hook(number: int) -> None:
        nonlocal seen
        asked = served.record[number - 1]
        seen += f"{asked.service}:{asked.operation}" == operation
        if seen == nth:
            served.forecast = Forecast(weather)

    served.hook = hook


def _killed(known: Trouble, operation: str, nth: int, judge: Judge, place: Path) -> Verdict:
    case = known.copy(place)
    with known.restored():
        running = Running(Command(known.arguments(judge.command, case)))
        seen, served = 0, known.served

        def kill(number: int) -> None:
            nonlocal seen
            asked = served.record[number - 1]
            seen += f"{asked.service}:{asked.operation}" == operation
            if seen == nth:
                running.signal(signal.SIGKILL)

        served.hook = kill
        told = running.said()
        served.hook = None
        if told.code != -signal.SIGKILL:
            raise RuntimeError(f"it was not killed: {told}")
        return judge.verdict(known, case, told, "", passes=False)


@dataclass(frozen=True, slots=True)
class Judge:
    """What must be true of one command, whatever befell it, once it was run again in peace."""

    command: str
    state: Callable[[Trouble, Said], str]  # what is lost or done twice, after the second run

    def verdict(
        self, known: Trouble, case: Path, told: Said, resource: str, *, passes: bool
    ) -> Verdict:
        """Return the verdict on a first run, by running the same again."""
        killed = told.code == -signal.SIGKILL
        half = _half_written(case)
        known.later(minutes=2)  # what was received and not deleted is visible again
        enabled_after = known.mapping()
        again = said(*known.arguments(self.command, case))
        wrong = first(
            bug(told),
            bug(again),
            f"exit code {told.code}: {told.err}" if passes and told.code else "",
            "exit code 0" if not passes and not told.code else "",
            f"the mapping is {enabled_after}" if self._left_enabled(enabled_after, told) else "",
            f"the mapping is {known.mapping()} after the next command"
            if known.mapping() not in ("Disabled", "Disabling") else "",
        )  # fmt: skip
        clear = killed or passes
        sentence = "" if clear else _sentence(told)
        return Verdict(
            _ends(told, again), self.state(known, again), half, wrong,
            "" if clear else unclear(sentence, resource), sentence,
        )  # fmt: skip

    def _left_enabled(self, state: str, told: Said) -> bool:
        """Whether the mapping is enabled and nobody was told."""
        return state == "Enabled" and told.code >= 0 and "ENABLED" not in told.text.upper()


def _half_written(case: Path) -> str:
    """Return what of the record cannot be read; a kill may cut its last line, which says so."""
    path = case / "recovery" / "record.jsonl"
    if not path.exists():
        return ""
    lines = path.read_bytes().splitlines()
    unread = len(lines) - len(read(case))
    return f"{unread} lines of the record cannot be read" if unread > 1 else ""


def _ends(told: Said, again: Said) -> str:
    """Return how both runs ended."""
    begin = "killed" if told.code < 0 else f"exit {told.code}"
    unsure = "; what may have been done is told, and not done again" if again.code == 3 else ""
    return f"{begin}; the same again: exit {again.code}{unsure}"


def _sentence(told: Said) -> str:
    """Return what a command said of its end: its message, or that of AWS, and its summary."""
    lines = [line.strip() for line in told.out.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("record", "waiting", "done"))]
    of_aws = re.findall(r"^[a-z0-9]+:[A-Z]\w+.*\n  (.+)$", told.err, re.MULTILINE)
    parts = (sentence_of(told), " ".join(" ".join(kept).split()), *of_aws[-1:])
    return " → ".join(part for part in parts if part)


def _replayed(known: Trouble, again: Said) -> str:
    """Return the events that are neither in the queue once nor told as unknown."""
    bodies = known.bodies()
    wrong = []
    for event in planned(known):
        many = sum(count for body, count in bodies.items() if event in body)
        if many > 1 or (not many and event not in again.text):
            wrong.append(f"{event} is in the queue {many} times")
    return "; ".join(wrong) if len(planned(known)) == SENT else "the plan lacks events"


def _redriven(known: Trouble, again: Said) -> str:
    """Return the letters that are in neither queue, or in the replay queue twice."""
    waiting, dead = known.bodies(), known.bodies(dead=True)
    letters = [body for body in {*waiting, *dead} if '"failed' in body or "failed" in body]
    twice = [body for body in letters if waiting[body] > 1]
    lacking = LETTERS - len(letters)
    return "; ".join(
        text
        for many, text in (
            (lacking, f"{lacking} letters are gone"),
            (len(twice), f"{len(twice)} letters were sent twice"),
        )
        if many
    )


def _processed(known: Trouble, again: Said) -> str:
    """Return whether the waiting message is neither waiting nor processed."""
    waits = any("waiting" in body for body in {*known.bodies(), *known.bodies(dead=True)})
    found = known.sandbox.clients.dynamodb.scan(TableName=known.sandbox.names.aggregates_table)
    counted = any("waiting" in str(item) for item in found["Items"])
    return "" if waits or counted else "the waiting message is gone and counted nowhere"


JUDGES = {
    judge.command: judge
    for judge in (
        Judge("replay", _replayed),
        Judge("redrive", _redriven),
        Judge("process-briefly", _processed),
    )
}
