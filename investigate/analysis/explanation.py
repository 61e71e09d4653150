"""Which events each aggregate version was computed from: the inputs that reproduce its hash.

A version is explained by inputs that have its hash, never by likeness, so an explanation is proof.
Ids and hashes are quoted as JSON quotes them, except control characters: an id with one
reproduces no hash, and its version stays unexplained.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate import pipeline
from investigate.analysis.stored_events import BOTH, EVENTS, RAW, in_each_store, stored_events
from investigate.evidence import Evidence

SAMPLE_IDS = "sample-ids"
DAY_AS_OF_COMPUTED = "day-as-of-computed"
DAY_WITHOUT_MISSING = "day-without-missing"
CONSECUTIVE_RUN = "consecutive-run"
DAY_DOUBLED = "day-doubled"
UNEXPLAINED = "unexplained"
BEYOND_BUDGET = "unexplained (beyond budget)"
MIXED = "mixed"

# Trying every run of a day means hashing (events - length + 1) x length inputs per version. The run
# that starts with the version's first sample id is always tried; all others only on days of at most
# so many events, and only until so many inputs were hashed in all.
RUN_DAY_EVENTS = 1_000
RUN_INPUTS = 5_000_000

VERSION = ("pk", "sk")
# A version's number stands for its long keys while its inputs are looked for.
NUMBER = ("number",)
# What a version tells of its inputs.
_TOLD = (
    "entity_id", "day", "inputs_hash", "input_count", "sample_event_ids", "computed_at_utc",
)  # fmt: skip

# What a version tells at all, beside where it stands.
_CONTENTS = (
    "metric_name", "value", "inputs_hash", "input_count", "sample_event_ids", "computed_at",
    "computed_at_utc",
)  # fmt: skip


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
    left = told = rows.filter(~rows.torn).select(*NUMBER, *_TOLD)
    found = [engine.materialise(_computed_from_nothing(left))]
    left = engine.materialise(left.anti_join(found[0], NUMBER))
    for strategy, candidates in STRATEGIES:
        if not engine.scalar(left.count()):
            return ibis.union(*found) if len(found) > 1 else found[0]
        matches = engine.materialise(_matches(candidates(evidence, left), told, strategy))
        if engine.scalar(matches.count()):
            found.append(matches)
            left = engine.materialise(left.anti_join(matches, NUMBER))
    return ibis.union(*found, _beyond_budget(evidence, left))


def _computed_from_nothing(left: ir.Table) -> ir.Table:
    return _without_inputs(
        left.filter(left.inputs_hash == pipeline.inputs_hash([])), SAMPLE_IDS, BOTH
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


def _agreed_samples(evidence: Evidence, left: ir.Table) -> ir.Table:
    """The sample ids of events that both stores hold alike: one hash instead of two."""
    stored = stored_events(evidence)
    return _known_samples(left, stored.filter(stored.store == BOTH))


def _samples(evidence: Evidence, left: ir.Table) -> ir.Table:
    """The sample ids in stored order, with the payload hashes of one store."""
    return in_each_store(_known_samples(left, stored_events(evidence)))


def _mixed_samples(evidence: Evidence, left: ir.Table) -> ir.Table:
    """The sample ids with the raw object's payload hash where there is one, else the row's."""
    stored = stored_events(evidence).semi_join(left, ["entity_id", "day"])
    mixed = stored.group_by("entity_id", "day", "event_id").agg(
        of_raw=stored.payload_sha.max(where=stored.store != EVENTS),
        of_row=stored.payload_sha.max(where=stored.store == EVENTS),
    )
    sha = ibis.coalesce(mixed.of_raw, mixed.of_row)
    return _known_samples(left, mixed.mutate(store=ibis.literal(MIXED), payload_sha=sha))


def _known_samples(left: ir.Table, events: ir.Table) -> ir.Table:
    few = left.filter((left.input_count <= pipeline.SAMPLE_IDS).fill_null(True))
    few = few.mutate(length=few.sample_event_ids.length())
    samples = few.unnest("sample_event_ids", offset="place")
    samples = samples.select(
        *NUMBER, "entity_id", "day", "length",
        event_id=samples.sample_event_ids, place=samples.place.cast("int64"),
    )  # fmt: skip
    known = events.select("entity_id", "day", "event_id", "store", "payload_sha")
    samples = samples.inner_join(known, ["entity_id", "day", "event_id"])
    return samples.mutate(start=ibis.literal(0, "int64"), event_time=ibis.literal(""))


def _as_of_computed(evidence: Evidence, left: ir.Table) -> ir.Table:
    """Each version with the events of its day that had arrived when it was computed."""
    stored = stored_events(evidence)
    versions = left.select(
        *NUMBER, "entity_id", "day", "computed_at_utc",
        length=left.input_count, first_sample=_first_sample(left),
    )  # fmt: skip
    rows = versions.inner_join(stored, ["entity_id", "day"])
    early = (rows.arrived_utc <= rows.computed_at_utc).fill_null(True)
    rows = rows.filter(early)
    zero = ibis.literal(0, "int64")
    return rows.mutate(start=zero, place=zero)


def _first_sample(left: ir.Table) -> ir.StringValue:
    samples = left.sample_event_ids
    # Spark refuses to index an empty list.
    return ibis.ifelse(samples.length() > 0, samples[0], ibis.null("string"))


def _agreed_days(evidence: Evidence, left: ir.Table) -> ir.Table:
    """All events of the day, where both stores hold each of them alike: one hash instead of two."""
    rows = _as_of_computed(evidence, left)
    others = rows.filter((rows.store != BOTH) | ~rows.has_object).select(*NUMBER).distinct()
    return _of_the_right_length(rows.anti_join(others, NUMBER))


def _whole_days(evidence: Evidence, left: ir.Table) -> ir.Table:
    """All events of the day in one store. What raw holds is the whole day only where the index
    knows no event without an object."""
    rows = _of_each_store(evidence, left)
    missing = rows.filter(~rows.has_object).select(*NUMBER).distinct()
    of_raw = rows.filter(rows.store == RAW).anti_join(missing, NUMBER)
    return _of_the_right_length(rows.filter(rows.store == EVENTS).union(of_raw))


def _days_without_missing(evidence: Evidence, left: ir.Table) -> ir.Table:
    rows = _of_each_store(evidence, left)
    return _of_the_right_length(rows.filter(rows.has_object))


def _doubled_days(evidence: Evidence, left: ir.Table) -> ir.Table:
    rows = _of_each_store(evidence, left)
    return _of_the_right_length(rows.union(rows))


def _of_each_store(evidence: Evidence, left: ir.Table) -> ir.Table:
    return in_each_store(_as_of_computed(evidence, left))


def _of_the_right_length(rows: ir.Table) -> ir.Table:
    """Keep the candidates with as many inputs as the version counted, before any is hashed."""
    sizes = rows.group_by(*NUMBER, "store").agg(size=rows.count(), wanted=rows.length.max())
    right = sizes.filter((sizes["size"] == sizes.wanted).fill_null(True))
    return rows.semi_join(right, [*NUMBER, "store"])


def _anchored_runs(evidence: Evidence, left: ir.Table) -> ir.Table:
    """The run that starts with the first sample id, whatever it costs."""
    ranked = _ranked(_of_each_store(evidence, left))
    return _runs_from(ranked, ranked.filter(ranked.event_id == ranked.first_sample))


def _all_runs(evidence: Evidence, left: ir.Table) -> ir.Table:
    """Every run of as many consecutive events as the version counted, within the budget."""
    ranked = _ranked(_of_each_store(evidence, left))
    costs = _run_costs(evidence, left)
    return _runs_from(ranked, ranked.semi_join(costs.filter(costs.affordable), NUMBER))


def _runs_from(ranked: ir.Table, starts: ir.Table) -> ir.Table:
    starts = starts.filter(starts["rank"] + starts.length <= starts["size"])
    starts = starts.select(*NUMBER, "store", start="rank")
    rows = ranked.drop("start").inner_join(starts, [*NUMBER, "store"])
    return rows.filter((rows["rank"] >= rows.start) & (rows["rank"] < rows.start + rows.length))


def _ranked(rows: ir.Table) -> ir.Table:
    group = [*NUMBER, "store"]
    return rows.mutate(
        rank=ibis.row_number().over(group_by=group, order_by=["event_time", "event_id"]),
        size=rows.count().over(group_by=group),
    )


def _run_costs(evidence: Evidence, left: ir.Table) -> ir.Table:
    """Return (number, affordable) of every version with a day long enough for a run."""

    def build(_: Evidence) -> ir.Table:
        rows = _of_each_store(evidence, left)
        sizes = rows.group_by(*NUMBER, "store", "length").agg(size=rows.count())
        sizes = sizes.filter((sizes.length > 0) & (sizes["size"] >= sizes.length))
        inputs = (sizes["size"] - sizes.length + 1) * sizes.length
        costs = sizes.group_by(*NUMBER).agg(largest=sizes["size"].max(), inputs=inputs.sum())
        so_far = costs.inputs.sum().over(order_by=list(NUMBER), rows=(None, 0))
        costs = costs.mutate(so_far=so_far)
        fits = (costs.largest <= RUN_DAY_EVENTS) & (costs.so_far <= RUN_INPUTS)
        return costs.select(*NUMBER, affordable=fits)

    return evidence.derived("run_costs", build)


def _beyond_budget(evidence: Evidence, left: ir.Table) -> ir.Table:
    costs = _run_costs(evidence, left)
    return _without_inputs(
        left.semi_join(costs.filter(~costs.affordable), NUMBER), BEYOND_BUDGET, None
    )


def _matches(candidates: ir.Table, told: ir.Table, strategy: str) -> ir.Table:
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
    text = "[" + hashed.inputs.map(_item_text).join(",") + "]"
    matched = hashed.filter(text.hexdigest("sha256") == hashed.inputs_hash)
    inputs = _one_candidate(matched).unnest("inputs", offset="position")
    return inputs.select(
        *NUMBER, "agrees_with",
        explained_by=ibis.literal(strategy),
        position=inputs.position.cast("int64"),
        event_id=inputs.inputs["event_id"],
        payload_sha=inputs.inputs["payload_sha"],
    ).relocate("explained_by", before="agrees_with")  # fmt: skip


def _item_text(item: ir.StructValue) -> ir.StringValue:
    return (
        ibis.literal(pipeline.INPUT_PREFIX) + _quoted(item["event_id"])
        + pipeline.INPUT_MIDDLE + _quoted(item["payload_sha"]) + pipeline.INPUT_SUFFIX
    )  # fmt: skip


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


STRATEGIES = (
    (SAMPLE_IDS, _agreed_samples),
    (SAMPLE_IDS, _samples),
    (SAMPLE_IDS, _mixed_samples),
    (DAY_AS_OF_COMPUTED, _agreed_days),
    (DAY_AS_OF_COMPUTED, _whole_days),
    (DAY_WITHOUT_MISSING, _days_without_missing),
    (CONSECUTIVE_RUN, _anchored_runs),
    (CONSECUTIVE_RUN, _all_runs),
    (DAY_DOUBLED, _doubled_days),
)
