"""The rules of a recovery: what each forbids, why, and what to type next; docs/recovery.md is this.

Sources: the limits of message moves and of FIFO queues are those of the Amazon SQS guide
("Dead-letter queue redrive", "FIFO queue delivery logic"); D numbers are those of docs/pipeline.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from investigate.errors import RecoveryRefused


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, why it is there, and its message and hint with places for facts."""

    name: str
    why: str
    message: str
    hint: str

    def refusal(self, **facts: object) -> RecoveryRefused:
        """Return the error to raise."""
        return RecoveryRefused(
            self.message.format(**facts), hint=self.hint.format(**facts), rule=self.name
        )


_AGAIN = "capture again, and make the plan from the new case"
_RULES = (
    Rule(
        "writes-not-allowed",
        "Nobody changes a pipeline by mistake.",
        "{command} changes a pipeline, and --allow-writes is not given; nothing was sent",
        "read the plan first; then add --allow-writes",
    ),
    Rule(
        "no-plan",
        "What is done was looked at before, as a whole.",
        "{command} needs a plan made from this case",
        "investigate {maker} {case} … --format json > plan.json, then --plan plan.json",
    ),
    Rule(
        "no-limits",
        "Every run has an end that was chosen, in messages, in seconds and in speed.",
        "{command} needs a limit on what it does; missing: {lacking}",
        "for example: --max-messages 100 --max-seconds 60 --rate 5",
    ),
    Rule(
        "other-case",
        "A plan is about one capture; another one saw another pipeline, or another time.",
        "{plan} was made from another case ({named}, manifest {theirs}…), not {case} ({ours}…)",
        "make the plan from this case, or name the case it was made from",
    ),
    Rule(
        "plan-changed",
        "What is decided by hand goes through --decisions, where it is checked and signed.",
        "{plan} was changed after it was made: its digest is not that of its contents",
        "make it again; decisions about letters: edit redrive-plan --format csv, then --decisions",
    ),
    Rule(
        "plan-too-old",
        "The pipeline went on since the capture.",
        "{plan} shows the pipeline of {captured}, {age} minutes ago; a plan holds for {limit}",
        _AGAIN + "; or raise --max-plan-age if nothing was sent or processed since",
    ),
    Rule(
        "plan-from-the-future",
        "A clock that runs behind the capture keeps a plan young for ever.",
        "{plan} shows the pipeline of {captured}, and it is {now} now",
        "set the clock of this machine",
    ),
    Rule(
        "other-pipeline",
        "The names in a configuration may have come to mean another pipeline.",
        "{config} names another {what} ({theirs}) than the case was captured from ({ours})",
        "give the configuration the case was captured with, or leave --config out",
    ),
    Rule(
        "other-place",
        "Pipelines of one template have the same names in every region and account.",
        "{what} is in {part} {theirs}, and the case was captured from {part} {ours}",
        "give the --region and the --profile the case was captured with",
    ),
    Rule(
        "not-confirmed",
        "A person says yes to the plan that is shown.",
        "{command} was not confirmed; nothing was sent",
        "answer yes at the prompt; without a terminal add --yes",
    ),
    Rule(
        "already-running",
        "Two recoveries of one case would undo and repeat each other's work.",
        "another command is at work on {case}",
        "wait until it ends; what it does stands in {record}",
    ),
    Rule(
        "no-locks",
        "Where no file can be locked, nobody knows whether another recovery is at work.",
        "{record} cannot be locked: neither Windows nor some network disks know such locks (flock)",
        "copy the folder that holds the case to a disk of a machine with Linux or macOS, and run "
        "all recoveries of this pipeline there",
    ),
    Rule(
        "unscoped-replay",
        "A replay of everything repeats every effect that events ever had.",
        "the plan names no {lacking}",
        "investigate replay-plan CASE --entity ID --start T --end T --format json",
    ),
    Rule(
        "truncated-replay",
        "A day of which a part is sent gets a partial aggregate (D7).",
        "{missed} events of the window stand after the plan's limit of {limit} rows",
        "make the plan with a higher --limit, or for a shorter window",
    ),
    Rule(
        "wanted-left-out",
        "A day of which a part is sent gets a partial aggregate.",
        "{event} belongs to the window, and the plan leaves it out: {reason}",
        "make the plan with --include-duplicates, or for a shorter window; a row without "
        "references is repaired in the EventsTable first",
    ),
    Rule(
        "too-slow",
        "A replay is sent whole or not at all.",
        "{many} messages take {needed:g} s at --rate {rate:g}, and --max-seconds is {seconds:g}",
        "raise --max-seconds or --rate, or make a plan for a shorter window",
    ),
    Rule(
        "sent-before",
        "An event that is processed twice is counted twice.",
        "{item} holds the event {event}, which {why}",
        "let what waits be processed, and capture again once the replay queue is empty; "
        "if it is lost all the same, --again sends it",
    ),
    Rule(
        "unreadable-object",
        "A message whose raw object cannot be read fails, and is deleted (D11).",
        "{event} would fail or nobody can tell: {why}",
        "restore the object (step 1), then " + _AGAIN,
    ),
    Rule(
        "over-the-limit",
        "A replay is sent whole or not at all, since a part makes a partial aggregate.",
        "the plan sends {many} messages, and --max-messages is {most}",
        "raise --max-messages, or make a plan for a shorter window",
    ),
    Rule(
        "processor-unknown",
        "Of a processor that was not captured nobody knows whether it would lose its messages.",
        "the case names no processor: no function of that role was captured",
        "name it under [pipeline.functions], and see what investigate doctor lacks; then " + _AGAIN,
    ),
    Rule(
        "dry-run",
        "A processor in DRY_RUN lets its messages be deleted and writes nothing (D10).",
        "the processor {function} is in DRY_RUN ({seen}): what it is sent would be lost",
        "take DRY_RUN off the function, then " + _AGAIN,
    ),
    Rule(
        "dry-run-unknown",
        "What a processor in DRY_RUN is sent is lost (D10), and nothing tells that it is not.",
        "whether the processor {function} is in DRY_RUN could not be read ({seen})",
        "give the credentials kms:Decrypt on the key of its environment variables, then " + _AGAIN,
    ),
    Rule(
        "permanent-error",
        "What failed for good fails again; only letters that are decided `retry` are sent back.",
        "no letter is to be sent back: {decided}",
        "repair what the letters say; decide otherwise with redrive-plan --decisions FILE",
    ),
    Rule(
        "no-newer-deployment",
        "The same code fails on the same record, unless the fault was a passing one.",
        "{function} was {deployed} since {failed} failed ({error})",
        "deploy the repair, then " + _AGAIN,
    ),
    Rule(
        "fifo-order",
        "A letter of a FIFO queue comes back after messages that were to follow it.",
        "{queue} is a FIFO queue: later messages of its groups may have passed {letter}",
        "let whoever owns the order decide, and send the group again from its first message",
    ),
    Rule(
        "not-from-a-queue",
        "Message moves exist for dead letters of SQS queues only; the others are records about an "
        "event, and not the message.",
        "{letter} in {queue} is of {channel}: it came from no SQS queue that could take it back",
        "send what it holds to where it came from, by hand; redrive-plan names it",
    ),
    Rule(
        "other-destination",
        "A letter goes back to the queue it came from, and to no other.",
        "{letter} came from {destination}, not from the replay queue {queue}",
        "capture the pipeline of that queue as a case of its own",
    ),
    Rule(
        "move-not-whole",
        "A message move takes all that lies in a queue; it cannot choose, and has no limit.",
        "{queue} holds {waiting} letters, of which the plan sends {planned} back",
        "leave --move out: the planned letters are then sent one by one",
    ),
    Rule(
        "move-too-slow",
        "A message move takes at least one message a second.",
        "--rate {rate:g} is less than one message a second",
        "give --rate 1 or more, or leave --move out",
    ),
    Rule(
        "sample-unread",
        "A message that breaks the processor would be met unprepared.",
        "{waiting} messages wait in {queue}, and none of them was looked at",
        "capture again with --sample-messages 100 (a queue with a dead-letter queue needs "
        "--force-sampling too: each look is a receive), and check CASE --step sqs",
    ),
    Rule(
        "more-waiting",
        "Only what was looked at may be processed.",
        "{waiting} messages wait in {queue} now, and {planned} did at the capture",
        _AGAIN,
    ),
    Rule(
        "sent-since",
        "What was sent after the capture was not looked at.",
        "a {command} at {at} sent messages after the capture of {captured}",
        _AGAIN,
    ),
    Rule(
        "batch-over-the-limit",
        "A mapping takes a whole batch before anybody can look.",
        "the next batch takes {batch} messages, and --max-messages is {most}",
        "raise --max-messages to at least {batch}, or lower the batch size of the mapping",
    ),
    Rule(
        "objects-unseen",
        "A message whose raw object is missing fails, and is deleted (D11).",
        "nobody looked at the raw objects of {many} sampled messages in {queue}",
        "capture again with the raw objects",
    ),
    Rule(
        "failures-unread",
        "Code that failed for good fails again, and nothing tells that it did not.",
        "neither invocations nor log lines of {function} were captured",
        "capture again with the logs, and make the plan from the new case",
    ),
    Rule(
        "poison-waiting",
        "The processor fails on it, reports success, and SQS deletes it (D11), or its whole batch "
        "comes back for ever (D12).",
        "{many} of the sampled messages cannot be processed, first {first}: {reason}",
        "keep a copy and take them off the queue, then " + _AGAIN,
    ),
    Rule(
        "mapping-absent",
        "Where there is no mapping, there is nothing to enable; a stack update would make one, and "
        "its opposite deletes the AggregatesTable (D21).",
        "there is {found} mapping from {queue} to {function}",
        "create one that is disabled: aws lambda create-event-source-mapping --no-enabled …",
    ),
    Rule(
        "mapping-enabled",
        "To disable it afterwards would stop what runs.",
        "the mapping {uuid} is {state}: messages are processed already",
        "there is nothing to do briefly; see processor/not-consuming if nothing seems to happen",
    ),
    Rule(
        "run-before",
        "What a plan allowed was used; the pipeline is another one now.",
        "this plan was run at {at}: {ended}",
        _AGAIN,
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _RULES})


def refused(name: str, **facts: object) -> RecoveryRefused:
    """Return the refusal of a rule with its facts, to be raised."""
    return RULES[name].refusal(**facts)


def refuse_dry_run(dry_run: bool | None, **facts: object) -> None:
    """Raise `RecoveryRefused` (dry-run, dry-run-unknown) unless a processor surely is in no
    DRY_RUN; `facts` are its `function`, and where that was `seen`."""
    if dry_run is None:
        raise refused("dry-run-unknown", **facts)
    if dry_run:
        raise refused("dry-run", **facts)
