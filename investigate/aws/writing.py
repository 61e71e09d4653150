"""The second door to AWS, for `investigate.recovery` alone: a few writes, to named resources only.

No other package may import this module; tests hold that, and the list below, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from investigate.aws.answers import check_answer
from investigate.aws.connection import Connection
from investigate.aws.failures import as_access_errors
from investigate.errors import AccessError, WriteRefused

READ_SECONDS = 20.0  # that an answer may take; longer, and nobody knows what was done
# Exactly these writes exist, whoever asks. ReceiveMessage hides a letter while it is handled;
# UpdateEventSourceMapping may change `Enabled` and nothing else: a stack update that switches the
# processor off deletes the AggregatesTable (D21).
WRITES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "lambda": frozenset({"UpdateEventSourceMapping"}),
        "sqs": frozenset(
            {
                "CancelMessageMoveTask",
                "DeleteMessage",
                "ListMessageMoveTasks",
                "ReceiveMessage",
                "SendMessage",
                "StartMessageMoveTask",
            }
        ),
    }
)
# Beside what names its resource, an operation may carry these parameters.
_PARAMETERS: Mapping[str, frozenset[str]] = {
    "UpdateEventSourceMapping": frozenset({"UUID", "Enabled"}),
    "StartMessageMoveTask": frozenset({"SourceArn", "MaxNumberOfMessagesPerSecond"}),
}


@dataclass(frozen=True, slots=True)
class WriteTargets:
    """The only resources a door may touch: queues by URL or ARN, mappings by UUID."""

    send_to: frozenset[str] = frozenset()
    take_from: frozenset[str] = frozenset()
    move_from: frozenset[str] = frozenset()
    mappings: frozenset[str] = frozenset()


@dataclass
class WriteDoor:
    """Sends the listed writes, each once: a write that got no answer may have been done."""

    connection: Connection
    targets: WriteTargets
    _clients: dict[str, Any] = field(default_factory=dict)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to one write; raise `WriteRefused` for any that is not listed or goes
        elsewhere, before it leaves this machine, and `AccessError`."""
        from botocore import xform_name

        refuse(service, operation, parameters, self.targets)
        method = getattr(self.client(service), xform_name(operation))
        with as_access_errors(f"{service}:{operation}", self.connection.region, parameters):
            answer: dict[str, Any] = method(**parameters)
            return answer

    def client(self, service: str) -> Any:
        """Return the client of a service, which itself refuses what is not on the list."""
        if service not in self._clients:
            self._clients[service] = self._open(service)
        return self._clients[service]

    def _open(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=READ_SECONDS,
            user_agent_extra="investigate-recovery",
        )
        client = self.connection.open_with(service, config)

        def before_it_is_built(model: Any, params: Any, **_: Any) -> None:
            refuse(service, model.name, params, self.targets)

        client.meta.events.register_first("before-parameter-build", before_it_is_built)
        # What cannot be an answer says nothing of what was done.
        client.meta.events.register("before-parse", check_answer)
        return client


def refuse(
    service: str, operation: str, parameters: Mapping[str, Any], targets: WriteTargets
) -> None:
    """Raise `WriteRefused` unless a write is on the list and goes to a named resource."""
    if operation not in WRITES.get(service, ()):
        raise WriteRefused(
            f"{service}:{operation} is not on the list of writes; nothing was sent",
            hint=f"the writes of a recovery: {', '.join(listed())}",
        )
    extra = set(parameters) - _PARAMETERS.get(operation, set(parameters))
    if extra:
        raise WriteRefused(
            f"{service}:{operation} may not set {', '.join(sorted(extra))}; nothing was sent",
            hint="a recovery changes no other setting",
        )
    allowed, name = _place(operation, targets)
    if name and parameters.get(name) not in allowed:
        raise WriteRefused(
            f"{service}:{operation} of {parameters.get(name)!r}: not what the plan names; "
            "nothing was sent",
            hint="make a plan that names it, from a case of that pipeline",
        )


def surely_refused(error: AccessError) -> bool:
    """Whether AWS has answered that it did not do what was asked: with a status of 400 to 499,
    which blames the request. After any other answer, or none, it may have been done."""
    from botocore.exceptions import ClientError

    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500 and not error.code.startswith("RequestTimeout")


def listed() -> list[str]:
    """Return every write there is, as service:Operation, in order."""
    return sorted(f"{service}:{name}" for service, names in WRITES.items() for name in names)


def _place(operation: str, targets: WriteTargets) -> tuple[frozenset[str], str]:
    """Where an operation may go, and the parameter that says where; empty: a handle does."""
    return {
        "SendMessage": (targets.send_to, "QueueUrl"),
        "ReceiveMessage": (targets.take_from, "QueueUrl"),
        "DeleteMessage": (targets.take_from, "QueueUrl"),
        "StartMessageMoveTask": (targets.move_from, "SourceArn"),
        "ListMessageMoveTasks": (targets.move_from, "SourceArn"),
        "UpdateEventSourceMapping": (targets.mappings, "UUID"),
    }.get(operation, (frozenset(), ""))
