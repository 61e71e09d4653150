"""Which events each aggregate version was computed from: the inputs that reproduce its hash.

A version is explained by inputs that have its hash, never by likeness, so an explanation is proof.
Ids and hashes are quoted as JSON quotes them, except control characters: an id with one
reproduces no hash, and its version stays unexplained.
"""

from __future__ import annotations

from functools import partial

import ibis
import ibis.expr.types as ir

from investigate.analysis.candidate_inputs import NUMBER, SAMPLE_IDS, STRATEGIES, Rest, run_costs
from investigate.analysis.stored_events import BOTH, stored_events
from investigate.evidence import Evidence
from investigate.layouts import pieces_of
from investigate.pipeline import Aggregate

UNEXPLAINED = "unexplained"
BEYOND_BUDGET = "unexplained (beyond budget)"

VERSION = ("pk", "sk")
# What a version tells of its inputs.
_TOLD = (
    "entity_id", "day", "inputs_hash", "input_count", "sample_event_ids", "computed_at_utc",
)  # fmt: skip

# What a version tells at all, beside where it stands.
_CONTENTS = (
    "metric_name", "value", "inputs_hash", "input_count", "sample_event_ids", "computed_at",
    "computed_at_utc",
)  # fmt: skip


def is_explainable(evidence: Evidence) -> bool:
    """Return whether there are versions, and events that may be their inputs."""
    return evidence.has("aggregates") and (evidence.has("raw") or evidence.has("events"))


def versions(evidence: Evidence) -> ir.Table:
    """Return every aggregate version, once, with `explained_by`, `agrees_with` and `torn` (see
    `version_rows`).

    `explained_by` is the strategy that reproduced the hash, else `unexplained`, with "(beyond
    budget)" where not every run was tried. `agrees_with` says whose events reproduced it: `raw`,
    `events` (the index), `both`, `mixed` (the object's payload hash where there is an object, else
    the row's); null if nothing did.
    """
    return evidence.derived("aggregate_versions", _versions)


def version_inputs(evidence: Evidence) -> ir.Table:
    """Return the inputs of explained versions, in the order in which they were hashed.

    Columns: pk, sk, entity_id, day, version, position (from 0), event_id, payload_sha. An event
    that was counted twice is there twice.
    """
    rows = version_rows(evidence).select("number", "pk", "sk", "entity_id", "day", "version")
    found = _explained(evidence)
    inputs = found.filter(found.event_id.notnull())
    inputs = inputs.select("number", "position", "event_id", "payload_sha")
    return rows.inner_join(inputs, NUMBER).drop("number")


def _versions(evidence: Evidence) -> ir.Table:
    found = _explained(evidence)
    answers = found.filter(found.position.fill_null(0) == 0)
    answers = answers.select("number", "explained_by", "agrees_with")
    rows = version_rows(evidence).left_join(answers, NUMBER).drop("number", "number_right")
    return rows.mutate(explained_by=rows.explained_by.fill_null(UNEXPLAINED))


def version_rows(evidence: Evidence) -> ir.Table:
    """Return one row for each pk and sk of the aggregates, however often it was read, with a
    `number` that is the same in every run, and `torn`: it was read with different contents, so that
    nobody knows which of them is stored, and its contents are null here."""

    def build(known: Evidence) -> ir.Table:
        rows = _each_once(known, known["aggregates"])
        return rows.mutate(number=ibis.dense_rank().over(order_by=list(VERSION)))

    return evidence.derived("numbered_versions", build)


def _each_once(evidence: Evidence, rows: ir.Table) -> ir.Table:
    keys = rows.group_by(*VERSION).agg(copies=rows.count())
    if not evidence.engine.scalar((keys.copies > 1).sum()):
        return rows.mutate(torn=ibis.literal(False))
    once = rows.distinct()
    of_key, order = list(VERSION), ["entity_id", "day", "version", "computed_at", "inputs_hash"]
    once = once.mutate(
        torn=once.count().over(group_by=of_key) > 1,
        place=ibis.row_number().over(group_by=of_key, order_by=order),
    )
    first = once.filter(once.place == 0).drop("place")
    nothing = {name: ibis.null(first[name].type()) for name in _CONTENTS}
    return first.mutate(
        **{name: ibis.ifelse(first.torn, null, first[name]) for name, null in nothing.items()}
    )


def _explained(evidence: Evidence) -> ir.Table:
    """Return one row per input of an explained version (number, explained_by, agrees_with,
    position, event_id, payload_sha); one without an event for a version of no inputs, and for one
    beyond the budget."""
    return evidence.derived("explained_inputs", _explain)


def _explain(evidence: Evidence) -> ir.Table:
    engine = evidence.engine
    rows = version_rows(evidence)
    told = rows.filter(~rows.torn).select(*NUMBER, *_TOLD)
    found = [engine.materialise(_computed_from_nothing(told, evidence.design.aggregate))]
    rest = Rest(evidence, told, told, stored_events(evidence), 0).without(found[0])
    for strategy, candidates in STRATEGIES:
        if not rest.count:
            return ibis.union(*found)
        matches = [
            engine.materialise(
                _matches(candidates(piece), told, strategy, evidence.design.aggregate)
            )
            for piece in rest.pieces()
        ]
        matches = [piece for piece in matches if engine.count(piece)]
        if matches:
            found += matches
            rest = rest.without(ibis.union(*matches))
    return ibis.union(*found, _beyond_budget(rest))


def _computed_from_nothing(left: ir.Table, aggregate: Aggregate) -> ir.Table:
    return _without_inputs(
        left.filter(left.inputs_hash == aggregate.inputs_hash([])), SAMPLE_IDS, BOTH
    )


def _without_inputs(rows: ir.Table, explained_by: str, agrees_with: str | None) -> ir.Table:
    return rows.select(
        *NUMBER,
        explained_by=ibis.literal(explained_by),
        agrees_with=ibis.literal(agrees_with, "string"),
        position=ibis.null("int64"),
        event_id=ibis.null("string"),
        payload_sha=ibis.null("string"),
    )


def _beyond_budget(rest: Rest) -> ir.Table:
    costs = run_costs(rest)
    return _without_inputs(
        rest.versions.semi_join(costs.filter(~costs.affordable), NUMBER), BEYOND_BUDGET, None
    )


def _matches(candidates: ir.Table, told: ir.Table, strategy: str, aggregate: Aggregate) -> ir.Table:
    """Return the inputs of every candidate that has its version's hash, which is `told`, one
    candidate a version."""
    item = candidates[["place", "event_time", "event_id", "payload_sha"]]
    hashed = candidates.group_by(*NUMBER, "store", "start").agg(
        inputs=ibis.struct({name: candidates[name] for name in item.columns}).collect(),
        size=candidates.count(),
        wanted=candidates.length.max(),
        unknown=candidates.payload_sha.isnull().sum(),
    )
    whole = (hashed["size"] == hashed.wanted).fill_null(True) & (hashed.unknown == 0)
    hashed = hashed.filter(whole).mutate(inputs=hashed.inputs.sort())
    hashed = hashed.inner_join(told.select(*NUMBER, "inputs_hash").distinct(), NUMBER)
    items = hashed.inputs.map(partial(_item_text, aggregate)).join(aggregate.inputs_between)
    text = aggregate.inputs_start + items + aggregate.inputs_end
    matched = hashed.filter(text.hexdigest("sha256") == hashed.inputs_hash)
    inputs = _one_candidate(matched).unnest("inputs", offset="position")
    return inputs.select(
        *NUMBER, "agrees_with",
        explained_by=ibis.literal(strategy),
        position=inputs.position.cast("int64"),
        event_id=inputs.inputs["event_id"],
        payload_sha=inputs.inputs["payload_sha"],
    ).relocate("explained_by", before="agrees_with")  # fmt: skip


def _item_text(aggregate: Aggregate, item: ir.StructValue) -> ir.StringValue:
    told = _quoted if aggregate.inputs_are_json else lambda text: text
    first, *others = pieces_of(aggregate.input_layout)
    text = ibis.literal(first.text) + told(item[first.name])
    for between, name in others:
        text = text + between
        if name:
            text = text + told(item[name])
    return text


def _quoted(text: ir.StringValue) -> ir.StringValue:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _one_candidate(matched: ir.Table) -> ir.Table:
    """Keep one candidate per version, as all that match hold the same inputs, and say whose."""
    of_version = ibis.window(group_by=list(NUMBER))
    least, greatest = matched.store.min().over(of_version), matched.store.max().over(of_version)
    order = [ibis.desc("store"), "start"]
    ranked = matched.mutate(
        agrees_with=ibis.ifelse(least == greatest, least, BOTH),
        place=ibis.row_number().over(group_by=list(NUMBER), order_by=order),
    )
    return ranked.filter(ranked.place == 0)
