"""`process-briefly`: the mapping enabled for so many messages and seconds, and disabled again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from investigate.aws.writing import WriteDoor, WriteTargets
from investigate.errors import AccessError
from investigate.model import counted, isoformat, parse_time
from investigate.pipeline import Design
from investigate.process_plan import batch_size
from investigate.recovery.guard import disabled_in_time
from investigate.recovery.live import SKEW, Live
from investigate.recovery.record import ENABLE, FAILED, MOVE_LETTERS, SEND_EVENT, SENDS, Record
from investigate.recovery.region_and_account import region_and_account_of
from investigate.recovery.rules import refuse_dry_run, refused
from investigate.recovery.sending import Run
from investigate.recovery.undo import RUNNING, disable, settle

REHEARSAL = "rehearse-disable"
LOG_LOOKS = 15  # looks' time that a log line may take to CloudWatch
# Kinds of messages that are lost or come back for ever, as a process plan counts them.
POISON = {
    "malformed": "not a message of this pipeline",
    "unloadable": "its raw object is missing or cannot be read",
    "stuck": "it was received as often as only a poison message is",
}


def refuse_by_plan(plan: Mapping[str, Any]) -> None:
    """Raise `RecoveryRefused` for what the case shows: processor-unknown, dry-run,
    dry-run-unknown, mapping-absent, sample-unread, poison-waiting, objects-unseen,
    failures-unread, no-newer-deployment."""
    queue, processor = plan["queue"] or {}, plan["processor"]
    if processor is None:
        raise refused("processor-unknown")
    name = processor["name"]
    refuse_dry_run(processor["dry_run"], function=name, seen="in the case")
    if len(plan["mappings"]) != 1:
        many = len(plan["mappings"])
        count = "no" if not many else f"more than one ({many})"
        raise refused("mapping-absent", found=count, queue=queue.get("name"), function=name)
    _refuse_messages(plan, queue)
    _refuse_failing(plan, name)


def _waiting(queue: Mapping[str, Any]) -> int:
    return sum(queue.get(part) or 0 for part in ("visible", "not_visible", "delayed"))


def _refuse_messages(plan: Mapping[str, Any], queue: Mapping[str, Any]) -> None:
    sample = plan["sample"]
    waiting = _waiting(queue)
    if waiting and not (sample and sample["messages"]):
        raise refused("sample-unread", waiting=waiting, queue=queue.get("name"))
    if not sample:
        return
    for kind, reason in POISON.items():
        if many := sample.get(kind):
            first = (sample.get(f"{kind}_ids") or ["unknown"])[0]
            raise refused("poison-waiting", many=many, first=first, reason=reason)
    # No number: the raw objects were not captured, or the plan is of an older version.
    unseen = sample.get("unlooked", sample["messages"])
    if unseen or sample.get("unloadable", 0) is None:
        many = unseen or sample["messages"]
        raise refused("objects-unseen", many=many, queue=queue.get("name"))


def _refuse_failing(plan: Mapping[str, Any], name: str) -> None:
    failures = plan["failures"]
    if failures is None:
        raise refused("failures-unread", function=name)
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


def refuse_by_state(plan: Mapping[str, Any], live: Live, most: int) -> Mapping[str, Any]:
    """Return the mapping as it is now, which is disabled; raise `RecoveryRefused` (dry-run,
    dry-run-unknown, mapping-absent, mapping-enabled, more-waiting, batch-over-the-limit)."""
    live.refuse_dry_run()
    queue = live.replay_queue()
    planned = _waiting(plan["queue"] or {})
    if queue.waiting > planned:
        raise refused("more-waiting", waiting=queue.waiting, queue=queue.name, planned=planned)
    mapping = _disabled_mapping(plan, live)
    batch = min(batch_of(plan, mapping, live.names.design), queue.visible)
    if batch > most:
        raise refused("batch-over-the-limit", batch=batch, most=most)
    return mapping


def batch_of(plan: Mapping[str, Any], mapping: Mapping[str, Any], design: Design) -> int:
    """Return how many messages the mapping takes at once, as it is now."""
    return int(mapping.get("BatchSize") or batch_size(dict(plan), design))


def _disabled_mapping(plan: Mapping[str, Any], live: Live) -> Mapping[str, Any]:
    mapping = live.mapping()
    if mapping["UUID"] != plan["mappings"][0]["uuid"]:
        queue, name = plan["queue"]["name"], plan["processor"]["name"]
        found = f"another one ({mapping['UUID']}) now, and no longer the"
        raise refused("mapping-absent", found=found, queue=queue, function=name)
    if mapping["State"] in RUNNING:
        raise refused("mapping-enabled", uuid=mapping["UUID"], state=mapping["State"])
    return mapping


def refuse_sent_since(record: Record, plan: Mapping[str, Any]) -> None:
    """Raise `RecoveryRefused` (sent-since) if a command of whatever case of this pipeline sent
    messages after the capture."""
    captured = parse_time(plan["captured_at"], "captured_at")
    for line in (*record.shared, *record.lines):
        sends = line["action"] in (*SENDS, MOVE_LETTERS) and line["kind"] != FAILED
        if sends and parse_time(line["at"], "at") > captured:
            command = "replay" if line["action"] == SEND_EVENT else "redrive"
            told = plan["captured_at"]
            raise refused("sent-since", command=command, at=line["at"], captured=told)


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
    if reason := run.pace.over():
        run.stop(reason)
        return
    door = WriteDoor(live.connection, WriteTargets(mappings=frozenset({uuid})))
    update = partial(door.call, "lambda", "UpdateEventSourceMapping", UUID=uuid)
    if not run.once(REHEARSAL, uuid, lambda: _rehearsed(update(Enabled=False))):
        return
    modified = run.record.lines[-1]["after"]["modified"]
    count = _Count(live, run.pace.clock())
    if reason := run.pace.over():
        run.stop(reason)
        return
    try:
        where = {
            "region": live.connection.region,
            "account": region_and_account_of(count.queue.arn).account,
        }
        run.pace.begin()
        with disabled_in_time(live, run.pace, uuid):
            enable, before = partial(_enabled, update), {"State": mapping["State"]}
            if run.once(ENABLE, uuid, enable, before=before, modified=modified, **where):
                _watch(run, count, batch_of(plan, mapping, live.names.design))
    except AccessError as error:
        run.stop(f"the watch cannot see: {error.message}", failed=True)
    finally:
        disable(run.record, live, run.pace, uuid, why=run.summary.stopped or "an error")
    settle(live, run.pace)
    _look_back(run, count)


def _rehearsed(answer: Mapping[str, Any]) -> dict[str, Any]:
    modified = answer.get("LastModified")
    told = isoformat(modified) if isinstance(modified, datetime) else None
    return {"State": answer["State"], "modified": told}


def _enabled(update: Any) -> dict[str, Any]:
    return {"State": update(Enabled=True).get("State")}


class _Count:
    """How many messages left the queue, by its counts at each look, or were begun with, by the log
    of the processor: whatever is more."""

    def __init__(self, live: Live, since: datetime) -> None:
        self._live = live
        self._since = since - SKEW
        self._known = live.records_since(self._since).keys()
        self.queue = self._start = live.replay_queue()
        self._gone = 0
        self.done = 0
        self.rose = 0  # messages that arrived between the last two looks, at least

    def look(self) -> None:
        """Note how much lies there now. What arrives must not hide what leaves: only the drops
        between two looks are summed up, and as many arrivals as drops are seen by the log."""
        queue = self._live.replay_queue()
        self.rose = queue.waiting - self.queue.waiting
        self._gone += max(0, -self.rose)
        # What was hidden at the start is held by somebody else, who may give it back.
        ours = max(0, queue.not_visible - self._start.not_visible)
        begun = self._live.records_since(self._since).items()
        logged = sum(many for known, many in begun if known not in self._known)
        self.done = max(self.done, self._gone + ours, logged)
        self.queue = queue


def _watch(run: Run, count: _Count, batch: int) -> None:
    """Return when no more may be processed; the next batch must still be within the limit."""
    while not run.summary.stopped:
        count.look()
        run.summary.done = count.done
        if not run.look(always=True):
            return
        if trouble := _trouble(run, count, batch):
            run.stop(trouble, failed=True)
        elif reason := run.pace.over() or _enough(run, count, batch):
            run.stop(reason)
        else:
            run.pace.wait()


def _trouble(run: Run, count: _Count, batch: int) -> str:
    if count.rose > 0:
        return f"{counted(count.rose, 'message')} arrived, which nobody looked at"
    if passed := _passed(run, count):
        return passed
    rate = run.pace.limits.rate
    if rate and count.done > batch + rate * max(run.pace.elapsed, 1.0):
        return f"messages leave faster than --rate {rate:g} a second"
    return ""


def _passed(run: Run, count: _Count) -> str:
    most = run.pace.limits.messages
    if count.done <= most:
        return ""
    return f"{counted(count.done, 'message')} left the queue, more than --max-messages {most}"


def _enough(run: Run, count: _Count, batch: int) -> str:
    queue, most = count.queue, run.pace.limits.messages
    if not queue.waiting:
        return "the queue is empty"
    if queue.visible and count.done + min(batch, queue.visible) > most:
        return f"another batch could pass --max-messages {most}"
    return ""


def _look_back(run: Run, count: _Count) -> None:
    """Look once more at a pipeline that stands still: what was under way when the mapping was
    disabled is done now, and log lines reach CloudWatch some seconds late."""
    time.sleep(LOG_LOOKS * run.pace.poll_seconds)
    try:
        count.look()
    except AccessError as error:
        run.stop(f"the queue cannot be seen: {error.message}", failed=True)
    run.summary.done = count.done
    if passed := _passed(run, count):
        run.stop(passed, failed=True)
    run.look(always=True)


def unproved(
    before: Mapping[str, Any], after: Mapping[str, Any], done: int, *, sampled: bool
) -> str:
    """Return why nobody knows whether what left the queue was counted; empty if an aggregate is
    newer, or if nothing left it. A record that fails is deleted like one that succeeds (D11)."""
    if not done or not sampled:
        return "" if not done else "none of the processed days was sampled"
    known = {_day(one): one.get("version") for one in before.get("aggregates", [])}
    newer = [
        one for one in after.get("aggregates", []) if one.get("version") != known.get(_day(one))
    ]
    return "" if newer else "messages left the queue, and no aggregate of their days is newer"


def _day(one: Mapping[str, Any]) -> tuple[Any, Any]:
    return one["entity_id"], one["day"]
