"""Whether clients that retry do so at the same second, as they do without jitter.

Counted is how many sequences retry in each second, against what chance would make of as many
retries in the same minute: a minute with many failures is busy, but it has no beat. The measure is
Fano's (variance over mean, 1 for a Poisson process) within minutes, and the number of coincident
pairs. Source: U. Fano, "Ionization yield of radiations II" (1947); "Exponential backoff and jitter"
(AWS Architecture Blog). What AWS itself repeats is left out: a batch comes back as a batch.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import retries
from investigate.analysis.amplification import attempted
from investigate.engine import seconds_since_1970
from investigate.evidence import Evidence

MINUTE = 60
SYNCHRONISED, SPREAD, INSUFFICIENT = "synchronised", "spread", "insufficient"
BEAT = 2.0  # Fano's measure from which retries come together, if the pairs are not chance either
SURE = 3.0  # standard deviations of a Poisson number, and one more pair each


def retry_seconds(evidence: Evidence) -> ir.Table:
    """Return per group and second how many sequences retried in it: group, second (since 1970),
    minute (its start) and retries. Raises `NotEvaluable` without log lines."""
    evidence.require(("log_lines",))
    rows = attempted(evidence)
    rows = rows.filter(rows.channel == retries.CHANNEL, rows.repeats > 0, rows.at_utc.notnull())
    second = seconds_since_1970(rows.at_utc)
    rows = rows.mutate(second=second, minute=second - second % MINUTE)
    return rows.group_by("group", "minute", "second").agg(retries=rows.sequence.nunique())


def synchrony(evidence: Evidence) -> ir.Table:
    """Return one row per group whose clients retried: group, sequences, retries, fano (1 by chance;
    null if no minute has two), pairs (retries of the same second, two by two), pairs_by_chance,
    busiest_second (since 1970), busiest (its retries) and `beat`: synchronised, spread, or
    insufficient with fewer sequences than the threshold."""
    rows = retry_seconds(evidence)
    minutes = rows.group_by("group", "minute").agg(
        number=rows.retries.sum(), squares=(rows.retries * rows.retries).sum()
    )
    told = minutes.filter(minutes.number > 1)
    # Whole numbers are summed, and divided once: a sum of fractions depends on the order of rows.
    # The squares would be number * number / MINUTE if all seconds had the same.
    over = MINUTE * told.squares - told.number * told.number
    found = told.group_by("group").agg(
        fano=over.sum() / ((MINUTE - 1) * told.number.sum()),
        pairs=(told.squares - told.number).sum() / 2,
        pairs_by_chance=(told.number * (told.number - 1)).sum() / (2 * MINUTE),
    )
    totals = _totals(evidence, rows).left_join(found, "group").drop("group_right")
    more = totals.pairs - totals.pairs_by_chance - SURE
    sure = (more > 0) & (more * more > SURE * SURE * totals.pairs_by_chance)
    together = ((totals.fano >= BEAT) & sure).fill_null(False)
    few = totals.sequences < evidence.thresholds.synchronised_sequences
    return totals.mutate(
        beat=ibis.cases((few, INSUFFICIENT), (together, SYNCHRONISED), else_=SPREAD)
    )


def _totals(evidence: Evidence, rows: ir.Table) -> ir.Table:
    tried = attempted(evidence)
    tried = tried.filter(tried.channel == retries.CHANNEL, tried.repeats > 0)
    sequences = tried.group_by("group").agg(
        sequences=tried.sequence.nunique(), retries=tried.count()
    )
    place = ibis.row_number().over(
        group_by="group", order_by=[rows.retries.desc(), rows.second.asc()]
    )
    first = rows.mutate(place=place)
    first = first.filter(first.place == 0)
    first = first.select("group", busiest_second="second", busiest="retries")
    return sequences.inner_join(first, "group")
