"""What was reckoned, as tables of Markdown; each row says how it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.documents import markdown_table
from benchmarks.paper import assumptions as assumed
from benchmarks.paper.account import GROWING, Account
from benchmarks.paper.measured import Run
from benchmarks.paper.times import ASKED, clusters, of_one_process
from benchmarks.scale.growth import FLOOR
from benchmarks.scale.measuring import Measured
from investigate.capture import prices
from investigate.capture.cost import Cost

_KNOWN = "how it is known"
_CONSTANT = "the estimate's, the same at any size"
_OF_A_REAL_TABLE = ", counted by DynamoDB within 6 hours"
_POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DAY = 86_400  # seconds
_STEPS = ((86_400 * 2, 86_400, "days"), (3_600 * 2, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


def as_markdown(run: Run, sizes: Sequence[int]) -> str:
    """Return the generated part of the page: which run, what is assumed, and the tables."""
    accounts = [
        Account(events, round(events * run.rows_per_event("aggregates"))) for events in sizes
    ]
    parts = [
        _of_which_run(run),
        _warning(run),
        "### What is assumed",
        _assumed(),
        *(part for account in accounts for part in _of_account(account)),
        "### Bytes of a copied case",
        _bytes(run, sizes),
        "### Time of what one process does alone",
        _alone(run, accounts),
        "### Time on one machine, with DuckDB",
        _on_one_machine(run, sizes),
        "### Time and money on Spark",
        _on_spark(run, sizes),
    ]
    return "\n\n".join(part for part in parts if part)


def _of_which_run(run: Run) -> str:
    events = " and ".join(f"{size.events:,}" for size in run.sizes)
    limit = f"; each engine with {run.memory} of memory" if run.memory else ""
    return (
        f"Written by `python -m benchmarks paper`. *Measured* is what `python -m benchmarks scale` "
        f"wrote on {run.on}, of {events} synthetic events; {run.machine}{limit}."
    )


def _warning(run: Run) -> str:
    told = []
    if run.is_small:
        told.append(
            f"**This run is too small: do not quote its times.** It has not two sizes of {FLOOR:,} "
            "events or more and a largest of nearly a million; what any question costs hides what "
            "events cost."
        )
    if run.faults:
        told.append(f"**Stages that failed, and findings that were not the truth: {run.faults}.**")
    return " ".join(told)


def _assumed() -> str:
    rows = [[f"{one.value:,.12g}", one.of, one.source] for one in assumed.FIGURES]
    rows += [
        [f"${price.usd:g} / {price.per:,}", price.of, price.source]
        for price in (*assumed.PRICES, prices.S3_LIST, prices.S3_GET, prices.READ_UNITS)
    ]
    table = markdown_table(["figure", "of", "source"], rows, texts=("of", "source"))
    return f"{table}\n\nPrices are {prices.NOTE}."


def _of_account(account: Account) -> Iterator[str]:
    copied, instead = account.copied(), account.instead()
    yield f"### {_power(account.events)} events: a capture that copies everything"
    yield _costs(_shortened(copied))
    yield f"### {_power(account.events)} events: what can be asked instead"
    yield _costs(instead)


def _shortened(costs: Sequence[Cost]) -> Iterator[Cost]:
    """Yield what grows with the events, a line for each table and operation, then the rest."""
    grows = [cost for cost in costs if cost.table in ("raw", *GROWING)]
    for table, operation in dict.fromkeys((cost.table, cost.operation) for cost in grows):
        same = [one for one in grows if (one.table, one.operation) == (table, operation)]
        basis = same[0].basis.replace(_OF_A_REAL_TABLE, "")
        many = f"all that {len(same)} log groups keep, 1 MB a request"
        yield _together(table, operation, basis if len(same) == 1 else many, same)
    sqs = [cost for cost in costs if cost.operation.startswith("sqs:")]
    yield _together("queue_state", sqs[0].operation, f"{_CONSTANT}; {sqs[0].basis}", sqs)
    rest = [cost for cost in costs if cost not in grows and cost not in sqs]
    words = f"{_CONSTANT}: metrics, traces, functions, mappings, rules, alarms"
    yield _together("the rest", "", words, rest)
    yield _together("together", "", "", costs)


def _together(table: str, operation: str, basis: str, costs: Sequence[Cost]) -> Cost:
    return Cost(
        table, operation, basis,
        requests=sum(cost.requests for cost in costs),
        read_units=sum(cost.read_units for cost in costs),
        bytes=sum(cost.bytes for cost in costs),
        price_usd=sum(cost.price_usd for cost in costs),
    )  # fmt: skip


def _costs(costs: Iterable[Cost]) -> str:
    rows = [
        [
            cost.table,
            f"`{cost.operation}`" if ":" in cost.operation else cost.operation,
            f"{cost.requests:,}" if cost.requests else "–",
            f"{cost.read_units:,.0f}" if cost.read_units else "–",
            size_of(cost.bytes) if cost.bytes else "–",
            f"{cost.price_usd:,.2f}",
            _known(cost.basis),
        ]
        for cost in costs
    ]
    heading = ["table", "operation", "requests", "read units", "bytes", "USD", _KNOWN]
    return markdown_table(heading, rows, texts=("table", "operation", _KNOWN))


def _known(basis: str) -> str:
    return basis if basis.startswith(_CONSTANT) or not basis else f"assumed sizes; {basis}"


def _bytes(run: Run, sizes: Sequence[int]) -> str:
    kinds = {"`raw` and `events`": ("raw", "events"), "all tables": ()}
    rows = [
        [
            name,
            f"{each:,.0f}",
            *(size_of(each * events) for events in sizes),
            *(f"{assumed.ATHENA.for_(each * events):,.2f}" for events in sizes),
            f"measured at {run.largest.events:,} events, in proportion",
        ]
        for name, tables in kinds.items()
        for each in [run.bytes_per_event(*tables)]
    ]
    powers = [_power(events) for events in sizes]
    heading = [
        "", "bytes per event", *powers, *(f"USD, read once by Athena, {one}" for one in powers),
        _KNOWN,
    ]  # fmt: skip
    return markdown_table(heading, rows, texts=("", _KNOWN))


def _alone(run: Run, accounts: Sequence[Account]) -> str:
    each = run.bytes_per_event()
    told = [list(of_one_process(account, each * account.events)) for account in accounts]
    rows = [
        [
            same[0].what,
            *(time_of(one.seconds) for one in same),
            in_powers(accounts[0].events / same[0].seconds * _DAY),
            same[0].known,
        ]
        for same in zip(*told, strict=True)
    ]
    heading = ["what", *(_power(one.events) for one in accounts), "events in a day", _KNOWN]
    return markdown_table(heading, rows, texts=("what", _KNOWN))


def _on_one_machine(run: Run, sizes: Sequence[int]) -> str:
    rows = [_stage(run, stage, sizes) for stage in run.stages]
    heading = ["stage", "measured", "peak MB", "exponent", *map(_power, sizes), _KNOWN]
    return "\n\n".join((
        markdown_table(heading, rows, texts=("stage", _KNOWN)),
        "`write` is the order and the files of a capture, without AWS. A measured exponent below 1 "
        "is counted as 1. Nobody has run these sizes: a disk that is full, or memory that is "
        "spilled and read again, makes them longer.",
    ))  # fmt: skip


def _stage(run: Run, stage: str, sizes: Sequence[int]) -> list[str]:
    growth = run.growth(stage, lambda one: one.wall)
    if growth.exponent is None:
        told, known = "–", f"measured; below {FLOOR:,} events no exponent is: assumed to be 1"
    else:
        by = "the exponent" if growth.used == growth.exponent else "1, as it grew by less"
        told, known = f"{growth.exponent:.2f}", f"measured, extrapolated by {by}"
    return [
        f"`{stage}`",
        f"{time_of(growth.figure)} at {growth.events:,}",
        f"{run.growth(stage, _peak).figure:,.0f}",
        told,
        *(time_of(growth.at(events)) for events in sizes),
        known,
    ]


def _on_spark(run: Run, sizes: Sequence[int]) -> str:
    rows = [
        [
            _power(events),
            str(one.cores),
            time_of(one.reading),
            time_of(one.asking),
            f"{one.usd:,.0f}",
            f"{prices.S3_GET.for_(len(ASKED) * events):,.0f}",
            "processor time of DuckDB measured, all else assumed",
        ]
        for events in sizes
        for one in clusters(run, events)
    ]
    if not rows:
        return f"Not reckoned: the run has not both of {', '.join(f'`{name}`' for name in ASKED)}."
    heading = [
        "events", "cores", "reading `raw` in place", "`check` and `ledger`", "USD of cores",
        "USD of GETs", _KNOWN,
    ]  # fmt: skip
    return "\n\n".join((
        markdown_table(heading, rows, texts=("events", _KNOWN)),
        _how_spark(run),
    ))  # fmt: skip


def _how_spark(run: Run) -> str:
    seconds = {stage: run.growth(stage, _cpu).figure for stage in ASKED}
    told = " and ".join(f"{time_of(value)} for `{stage}`" for stage, value in seconds.items())
    return (
        "**No time of Spark was measured, and no cluster was tried.** Tests compare its answers "
        "with DuckDB's on one machine, on small cases. Measured is DuckDB's processor time "
        f"({told}, at the largest size); its growth to these sizes, the factor of Spark and the "
        "even share of the cores are assumed. What one task or the driver does alone is not in it. "
        "The two commands read the raw objects twice."
    )


def _peak(one: Measured) -> float:
    return one.peak_mb


def _cpu(one: Measured) -> float:
    return one.cpu


def _power(events: int) -> str:
    digits = len(str(events)) - 1
    whole = 10**digits == events
    return f"10{str(digits).translate(_POWERS)}" if whole else f"{events:,}"


def in_powers(count: float) -> str:
    """Return a large number with two digits, such as 2.6 × 10⁸."""
    digits, power = f"{count:.1e}".split("e")
    return f"{digits} × 10{str(int(power)).translate(_POWERS)}"


def size_of(count: float) -> str:
    """Return bytes as people write them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def time_of(seconds: float) -> str:
    """Return a time in the unit that tells most."""
    _, unit, name = next(step for step in _STEPS if seconds >= step[0])
    amount = seconds / unit
    return f"{amount:,.0f} {name}" if amount >= 10 else f"{amount:,.1f} {name}"
