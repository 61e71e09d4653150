"""The inputs that an aggregate version may have been computed from, strategy by strategy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir

from investigate.analysis.stored_events import BOTH, EVENTS, RAW, in_each_store
from investigate.evidence import Evidence

SAMPLE_IDS = "sample-ids"
DAY_AS_OF_COMPUTED = "day-as-of-computed"
DAY_WITHOUT_MISSING = "day-without-missing"
CONSECUTIVE_RUN = "consecutive-run"
DAY_DOUBLED = "day-doubled"
MIXED = "mixed"

# Trying every run of a day means hashing (events - length + 1) x length inputs per version. The run
# that starts with the version's first sample id is always tried; all others only on days of at most
# so many events, and only until so many inputs were hashed in all.
RUN_DAY_EVENTS = 1_000
RUN_INPUTS = 5_000_000

# Where a strategy leaves less than one of so many versions, the rest is asked of their days alone.
_FEW = 10

# Lists of inputs are not spilled while they grow: so many inputs are hashed at a time, about.
INPUTS_AT_ONCE = 1_000_000
_PIECES = 100  # at most: a row may claim any count

# A version's number stands for its long keys while its inputs are looked for.
NUMBER = ("number",)


@dataclass(frozen=True, slots=True)
class Rest:
    """The versions that nothing has explained so far, and the events that they may count."""

    evidence: Evidence
    every: ir.Table  # such version
    versions: ir.Table  # these, or the piece of them that is looked at
    stored: ir.Table
    count: int  # of every

    @property
    def samples(self) -> int:
        """How many ids of its inputs a version keeps at most."""
        return self.evidence.design.sample_ids

    def pieces(self) -> Iterator[Rest]:
        """Yield these versions so many at a time that their inputs fit into a bounded memory."""
        claimed = self.versions.input_count.clip(lower=0, upper=INPUTS_AT_ONCE)
        inputs = self.evidence.engine.scalar(claimed.sum()) or 0
        pieces = min(inputs // INPUTS_AT_ONCE + 1, _PIECES)
        if pieces == 1:
            yield self
            return
        for piece in range(pieces):
            yield replace(
                self, versions=self.versions.filter(self.versions.number % pieces == piece)
            )

    def without(self, found: ir.Table) -> Rest:
        """Return what is left once these were explained. If that is little, it is from then on
        looked for in the days of these versions alone."""
        engine = self.evidence.engine
        versions = engine.materialise(self.every.anti_join(found, NUMBER))
        stored, count = self.stored, engine.count(versions)
        if 0 < count * _FEW < self.count:
            stored = engine.materialise(stored.semi_join(versions, ["entity_id", "day"]))
        return Rest(self.evidence, versions, versions, stored, count)


def _agreed_samples(rest: Rest) -> ir.Table:
    """The sample ids of events that both stores hold alike: one hash instead of two."""
    return _known_samples(rest, rest.stored.filter(rest.stored.store == BOTH))


def _samples(rest: Rest) -> ir.Table:
    """The sample ids in stored order, with the payload hashes of one store."""
    return in_each_store(_known_samples(rest, rest.stored))


def _mixed_samples(rest: Rest) -> ir.Table:
    """The sample ids with the raw object's payload hash where there is one, else the row's."""
    stored = rest.stored.semi_join(
        _of_few_inputs(rest.versions, rest.samples), ["entity_id", "day"]
    )
    mixed = stored.group_by("entity_id", "day", "event_id").agg(
        of_raw=stored.payload_sha.max(where=stored.store != EVENTS),
        of_row=stored.payload_sha.max(where=stored.store == EVENTS),
    )
    sha = ibis.coalesce(mixed.of_raw, mixed.of_row)
    return _known_samples(rest, mixed.mutate(store=ibis.literal(MIXED), payload_sha=sha))


def _known_samples(rest: Rest, events: ir.Table) -> ir.Table:
    few = _of_few_inputs(rest.versions, rest.samples)
    few = few.mutate(length=few.sample_event_ids.length())
    samples = few.unnest("sample_event_ids", offset="place")
    samples = samples.select(
        *NUMBER, "entity_id", "day", "length",
        event_id=samples.sample_event_ids, place=samples.place.cast("int64"),
    )  # fmt: skip
    known = events.select("entity_id", "day", "event_id", "store", "payload_sha")
    samples = samples.inner_join(known, ["entity_id", "day", "event_id"])
    return samples.mutate(start=ibis.literal(0, "int64"), event_time=ibis.literal(""))


def _of_few_inputs(left: ir.Table, samples: int) -> ir.Table:
    """The versions whose sample ids, at most so many, can be all of their inputs."""
    return left.filter((left.input_count <= samples).fill_null(True))


def _as_of_computed(rest: Rest) -> ir.Table:
    """Each version with the events of its day that had arrived when it was computed."""
    versions = rest.versions
    versions = versions.select(
        *NUMBER, "entity_id", "day", "computed_at_utc",
        length=versions.input_count, first_sample=_first_sample(versions),
    )  # fmt: skip
    rows = versions.inner_join(rest.stored, ["entity_id", "day"])
    early = (rows.arrived_utc <= rows.computed_at_utc).fill_null(True)
    rows = rows.filter(early)
    zero = ibis.literal(0, "int64")
    return rows.mutate(start=zero, place=zero)


def _first_sample(left: ir.Table) -> ir.StringValue:
    samples = left.sample_event_ids
    # Spark refuses to index an empty list.
    return ibis.ifelse(samples.length() > 0, samples[0], ibis.null("string"))


def _agreed_days(rest: Rest) -> ir.Table:
    """All events of the day, where both stores hold each of them alike: one hash instead of two."""
    rows = _as_of_computed(rest)
    others = rows.filter((rows.store != BOTH) | ~rows.has_object).select(*NUMBER).distinct()
    return _of_the_right_length(rows.anti_join(others, NUMBER))


def _whole_days(rest: Rest) -> ir.Table:
    """All events of the day in one store. What raw holds is the whole day only where the index
    knows no event without an object."""
    rows = _of_each_store(rest)
    missing = rows.filter(~rows.has_object).select(*NUMBER).distinct()
    of_raw = rows.filter(rows.store == RAW).anti_join(missing, NUMBER)
    return _of_the_right_length(rows.filter(rows.store == EVENTS).union(of_raw))


def _days_without_missing(rest: Rest) -> ir.Table:
    rows = _of_each_store(rest)
    return _of_the_right_length(rows.filter(rows.has_object))


def _doubled_days(rest: Rest) -> ir.Table:
    rows = _of_each_store(rest)
    return _of_the_right_length(rows.union(rows))


def _of_each_store(rest: Rest) -> ir.Table:
    return in_each_store(_as_of_computed(rest))


def _of_the_right_length(rows: ir.Table) -> ir.Table:
    """Keep the candidates with as many inputs as the version counted, before any is hashed."""
    sizes = rows.group_by(*NUMBER, "store").agg(size=rows.count(), wanted=rows.length.max())
    right = sizes.filter((sizes["size"] == sizes.wanted).fill_null(True))
    return rows.semi_join(right, [*NUMBER, "store"])


def _anchored_runs(rest: Rest) -> ir.Table:
    """The run that starts with the first sample id, whatever it costs."""
    ranked = _ranked(_of_each_store(rest))
    return _runs_from(ranked, ranked.filter(ranked.event_id == ranked.first_sample))


def _all_runs(rest: Rest) -> ir.Table:
    """Every run of as many consecutive events as the version counted, within the budget."""
    ranked = _ranked(_of_each_store(rest))
    costs = run_costs(rest)
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


def run_costs(rest: Rest) -> ir.Table:
    """Return (number, affordable) of every version with a day long enough for a run."""

    def build(_: Evidence) -> ir.Table:
        rows = _of_each_store(replace(rest, versions=rest.every))
        sizes = rows.group_by(*NUMBER, "store", "length").agg(size=rows.count())
        sizes = sizes.filter((sizes.length > 0) & (sizes["size"] >= sizes.length))
        inputs = (sizes["size"] - sizes.length + 1) * sizes.length
        costs = sizes.group_by(*NUMBER).agg(largest=sizes["size"].max(), inputs=inputs.sum())
        so_far = costs.inputs.sum().over(order_by=list(NUMBER), rows=(None, 0))
        costs = costs.mutate(so_far=so_far)
        fits = (costs.largest <= RUN_DAY_EVENTS) & (costs.so_far <= RUN_INPUTS)
        return costs.select(*NUMBER, affordable=fits)

    return rest.evidence.derived("run_costs", build)


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
