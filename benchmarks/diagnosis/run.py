"""`python -m benchmarks diagnosis`: the proving ground and its table."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.diagnosis.knowable import SUFFICES
from benchmarks.diagnosis.levels import FULL, LEVELS
from benchmarks.diagnosis.prove import Proved, prove
from benchmarks.diagnosis.scoring import MANAGED, retry_is_right
from investigate.sandbox.incidents import draw
from investigate.terminal_text import table


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--incidents", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (1)")
    parser.add_argument("--only", type=int, action="append", help="this one; repeatable")
    parser.add_argument("--level", choices=list(LEVELS), default="", help="of evidence, for all")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--keep", default="", help="a folder for the cases and their truths")
    parser.add_argument("--show", action="store_true", help="print the incidents, and no more")
    parser.add_argument("--json", default="", help="a file for the scores")


def run(chosen: argparse.Namespace) -> int:
    """Run the incidents and print the tables; 1 if a target was missed."""
    numbers = chosen.only or list(range(1, chosen.incidents + 1))
    if chosen.show:
        for number in numbers:
            print(json.dumps(asdict(draw(chosen.seed, number)), indent=1))
        return 0
    proved = list(_proved(chosen, numbers))
    print("\n\n".join(part for part in _parts(chosen.seed, proved) if part))
    if chosen.json:
        listed = [
            {"number": one.incident.number, "level": one.level, "wrong": one.score.misses}
            for one in proved
        ]
        Path(chosen.json).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return int(_missed_a_target(proved))


def _proved(chosen: argparse.Namespace, numbers: Sequence[int]) -> Iterator[Proved]:
    one = partial(prove, chosen.seed, level=chosen.level, keep=chosen.keep)
    with ProcessPoolExecutor(chosen.workers) as pool:
        for done, result in enumerate(pool.map(one, numbers), 1):
            wrong = len(result.score.misses)
            told = f"{done}/{len(numbers)} incident {result.incident.number} ({result.level})"
            print(f"{told}: {wrong or 'nothing'} wrong", file=sys.stderr)
            yield result


def _parts(seed: int, proved: Sequence[Proved]) -> Iterator[str]:
    full = [one for one in proved if one.level == FULL.name]
    thin = [one for one in proved if one.level != FULL.name]
    evidence = f"{len(full)} with full evidence, {len(thin)} with less"
    yield f"{len(proved)} incidents of seed {seed}: {evidence}"
    for name, part in (("FULL EVIDENCE", full), ("THIN EVIDENCE", thin)):
        if part:
            yield f"{name}\n\n{_codes(part)}"
    yield _levels(thin)
    yield _days(full)
    yield _retries(proved)
    yield _not_modelled(proved)
    yield _wrong(seed, proved)


def _codes(proved: Sequence[Proved]) -> str:
    rows: list[tuple[str, ...]] = [
        ("CODE", "INCIDENTS", "FOUND", "MISSED", "EXTRA", "RECALL", "PRECISION", "UNKNOWABLE"),
    ]  # fmt: skip
    totals = [0, 0, 0]
    for code in SUFFICES:
        found = sum(one.score.found[code] for one in proved)
        missed = sum(name == code for one in proved for name, _ in one.score.missed)
        extra = sum(name == code for one in proved for name, _ in one.score.extra)
        hidden = sum(one.score.unknowable[code] for one in proved)
        incidents = sum(bool(one.score.found[code]) for one in proved)
        totals = [sum(pair) for pair in zip(totals, (found, missed, extra), strict=True)]
        rows.append(_row(code, incidents, found, missed, extra, hidden))
    found, missed, extra = totals
    rows.append(_row("all", len(proved), found, missed, extra, 0))
    return table(rows)


def _row(
    code: str, incidents: int, found: int, missed: int, extra: int, hidden: int
) -> tuple[str, ...]:
    recall, precision = _share(found, found + missed), _share(found, found + extra)
    return (code, *map(str, (incidents, found, missed, extra)), recall, precision, str(hidden))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "–"


def _levels(thin: Sequence[Proved]) -> str:
    if not thin:
        return ""
    rows = [("LEVEL", "INCIDENTS", "FOUND", "MISSED", "EXTRA", "FALSE PASSES")]
    for name in LEVELS:
        own = [one.score for one in thin if one.level == name]
        if own:
            rows.append((
                name, str(len(own)), str(sum(sum(s.found.values()) for s in own)),
                str(sum(len(s.missed) for s in own)), str(sum(len(s.extra) for s in own)),
                str(sum(len(s.false_passes) for s in own)),
            ))  # fmt: skip
    return "BY LEVEL\n\n" + table(rows)


def _days(full: Sequence[Proved]) -> str:
    right = sum(one.score.days_right for one in full)
    wrong = sum(len(one.score.days_wrong) for one in full)
    return f"DAYS, full evidence: {right} verdicts right, {wrong} wrong"


def _retries(proved: Iterable[Proved]) -> str:
    counts: Counter[tuple[str, str, bool]] = Counter()
    for one in proved:
        counts += one.score.retries
    rows = [("TRUE", "TOLD", "GAPS ENOUGH", "GROUPS", "")]
    for (true, told, enough), groups in sorted(counts.items()):
        mark = "" if retry_is_right(true, told, enough=enough) else "WRONG"
        rows.append((true, told, "yes" if enough else "no", str(groups), mark))
    sure = {key: groups for key, groups in counts.items() if key[2] and key[0] != "insufficient"}
    right = sum(groups for (true, told, _), groups in sure.items() if true == told)
    managed = sum(n for (true, told, _), n in counts.items() if told in MANAGED and told != true)
    told = f"{right} of {sum(sure.values())} right where gaps are enough, {managed} wrong managed"
    return f"RETRY PATTERNS: {told}\n\n" + table(rows)


def _not_modelled(proved: Iterable[Proved]) -> str:
    counts: Counter[str] = Counter()
    for one in proved:
        counts += one.score.not_modelled
    rows = [(code, str(keys)) for code, keys in sorted(counts.items())]
    return "CODES NOT MODELLED\n\n" + table([("CODE", "KEYS"), *rows]) if rows else ""


def _wrong(seed: int, proved: Iterable[Proved]) -> str:
    lines = []
    for one in proved:
        if one.score.misses:
            again = f"python -m benchmarks diagnosis --seed {seed} --only {one.incident.number}"
            lines.append(f"incident {one.incident.number} ({one.level}): {again}")
            lines += [f"  {miss}" for miss in one.score.misses]
    return "WRONG\n\n" + "\n".join(lines) if lines else "WRONG: nothing"


def _missed_a_target(proved: Sequence[Proved]) -> bool:
    scores = [one.score for one in proved]
    if any(s.missed or s.extra or s.false_passes or s.errors or s.days_wrong for s in scores):
        return True
    counts: Counter[tuple[str, str, bool]] = Counter()
    for s in scores:
        counts += s.retries
    sure = {key: n for key, n in counts.items() if key[2] and key[0] != "insufficient"}
    right = sum(n for (true, told, _), n in sure.items() if true == told)
    wrong = sum(n for (true, told, _), n in counts.items() if told in MANAGED and told != true)
    return bool(wrong) or right < 0.95 * sum(sure.values())
