"""`process-briefly`: the mapping enabled for so many messages and seconds, and disabled again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from investigate.aws.writing import Targets, WriteDoor
from investigate.errors import AccessError
from investigate.process_plan import batch_size
from investigate.recovery.live import Live, Queue
from investigate.recovery.record import ENABLE, Record
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run
from investigate.recovery.undo import disable, settle

_RUNNING = ("Enabled", "Enabling", "Creating", "Updating")
REHEARSAL = "rehearse-disable"


def refuse_by_plan(plan: Mapping[str, Any]) -> None:
    """Raise `RecoveryRefused` for what the case shows: dry-run, mapping-absent, sample-unread,
    poison-waiting, no-newer-deployment."""
    queue, processor = plan["queue"] or {}, plan["processor"] or {}
    name = processor.get("name", "the processor")
    if processor.get("dry_run"):
        raise refused("dry-run", function=name, seen="in the case")
    if len(plan["mappings"]) != 1:
        many = len(plan["mappings"])
        count = "no" if not many else f"more than one ({many})"
        raise refused("mapping-absent", found=count, queue=queue.get("name"), function=name)
    _refuse_messages(plan, queue)
    _refuse_failing(plan, name)


def _refuse_messages(plan: Mapping[str, Any], queue: Mapping[str, Any]) -> None:
    sample = plan["sample"]
    waiting = sum(queue.get(part) or 0 for part in ("visible", "not_visible", "delayed"))
    if waiting and not (sample and sample["messages"]):
        raise refused("sample-unread", waiting=waiting, queue=queue.get("name"))
    if sample and sample["malformed"]:
        first = sample["malformed_ids"][0]
        reason = "not a message of this pipeline"
        raise refused("poison-waiting", many=sample["malformed"], first=first, reason=reason)


def _refuse_failing(plan: Mapping[str, Any], name: str) -> None:
    failures = plan["failures"] or {}
    last = failures.get("last_lasting")
    if last and not failures["deployed_since"]:
        unknown = failures["deployed_since"] is None
        raise refused(
            "no-newer-deployment",
            function=name,
            deployed="not known to be deployed" if unknown else "not deployed",
            failed=f"request {last['request_id']} of {last['at_utc']}",
            error=last["error"] or "an unknown error",
        )


def refuse_by_state(plan: Mapping[str, Any], live: Live) -> Mapping[str, Any]:
    """Return the mapping as it is now, which is disabled; raise `RecoveryRefused` (dry-run,
    mapping-absent, mapping-enabled)."""
    live.refuse_dry_run()
    mapping = live.mapping()
    if mapping["UUID"] != plan["mappings"][0]["uuid"]:
        queue, name = plan["queue"]["name"], plan["processor"]["name"]
        found = f"another one ({mapping['UUID']}) now, and no longer the"
        raise refused("mapping-absent", found=found, queue=queue, function=name)
    if mapping["State"] in _RUNNING:
        raise refused("mapping-enabled", uuid=mapping["UUID"], state=mapping["State"])
    return mapping


def refuse_second_run(record: Record, plan: str) -> None:
    """Raise `RecoveryRefused` (run-before) if the plan of this digest has enabled the mapping."""
    before = record.run_of(plan)
    if before is None:
        return
    runs = (line for line in record.lines if line["action"] == "run" and line["plan"] == plan)
    ends = [line["summary"]["stopped"] for line in runs]
    ended = ends[-1] if ends else "it was killed before it could say how it ended"
    raise refused("run-before", at=before["at"], ended=ended)


def process_briefly(
    run: Run, live: Live, plan: Mapping[str, Any], mapping: Mapping[str, Any]
) -> None:
    """Let the processor work until a limit, trouble or a signal, disable the mapping again, and
    return once it is; `run.summary.done` is how many messages left the queue.

    The way back is tried first: who may not disable the mapping must not enable it. Raises
    `AccessError`; if the mapping could not be disabled again, the message says so loudly.
    """
    uuid = str(mapping["UUID"])
    door = WriteDoor(live.connection, Targets(mappings=frozenset({uuid})))
    update = partial(door.call, "lambda", "UpdateEventSourceMapping", UUID=uuid)
    if not run.once(REHEARSAL, uuid, lambda: {"State": update(Enabled=False)["State"]}):
        return
    start = live.replay_queue()
    try:
        before = {"State": mapping["State"]}
        run.pace.begin()
        state = partial(_enabled, update)
        if run.once(ENABLE, uuid, state, before=before):
            _watch(run, live, start, batch_size(dict(plan)))
    except AccessError as error:
        run.stop(f"the watch cannot see: {error.message}", failed=True)
    finally:
        disable(run.record, live, run.pace, uuid, why=run.summary.stopped or "an error")
    settle(live, run.pace)


def _enabled(update: Any) -> dict[str, Any]:
    return {"State": update(Enabled=True)["State"]}


def _watch(run: Run, live: Live, start: Queue, batch: int) -> None:
    """Return when no more may be processed; the next batch must still be within the limit."""
    limits = run.pace.limits
    while not run.summary.stopped:
        queue = live.replay_queue()
        # What was hidden at the start is held by somebody else, who may give it back.
        ours = max(0, queue.not_visible - start.not_visible)
        run.summary.done = max(run.summary.done, start.waiting - queue.waiting + ours)
        done = run.summary.done
        if not run.look(always=True):
            return
        if reason := run.pace.over():
            run.stop(reason)
        elif not queue.waiting:
            run.stop("the queue is empty")
        elif queue.visible and done + min(batch, queue.visible) > limits.messages:
            run.stop(f"another batch could pass --max-messages {limits.messages}")
        elif limits.rate and done > batch + limits.rate * max(run.pace.elapsed, 1.0):
            run.stop(f"messages leave faster than --rate {limits.rate:g} a second", failed=True)
        else:
            run.pace.wait()
