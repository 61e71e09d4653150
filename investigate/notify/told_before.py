"""What was told to whom, in one file beside the report, so that nobody is told it twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from investigate.errors import UsageError
from investigate.locks import locked
from investigate.notify.news import News, Told
from investigate.whole_files import replace_all

SCHEMA = "investigate.notified/1"
CASES_KEPT = 1_000  # per target; of a schedule with a moving window each run is a case of its own


def file_for(out: Path) -> Path:
    """Return the file that remembers for the report in `out`: beside it, because the folder of a
    report is replaced as a whole."""
    out = out.resolve()
    return out.with_name(f".{out.name}.notified.json")


class ToldBefore:
    """What was told, by target, by case and by check."""

    def __init__(self, path: Path) -> None:
        """Read what is remembered in `path`; raise `UsageError` if it is there and not readable.

        Taking a damaged file for an empty one would tell everything again.
        """
        self.path = path
        self._told = _read(path)

    def of(self, target: str, case: str) -> Told:
        """Return what this target was told of this case."""
        told: Told = self._told.get(target, {}).get(case, {})
        return told

    def add(self, target: str, case: str, news: Sequence[News]) -> None:
        """Remember that this was told, on disk too; raise `OSError` if it cannot be written."""
        cases = self._told.setdefault(target, {})
        codes = cases.pop(case, {})
        for one in news:
            codes.setdefault(one.code, []).append([one.digest, one.count])
        cases[case] = codes  # at the end: the case told of last
        for oldest in list(cases)[:-CASES_KEPT]:
            del cases[oldest]
        content = {"schema": SCHEMA, "told": self._told}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        replace_all({self.path: text})


@contextmanager
def alone(path: Path) -> Iterator[ToldBefore]:
    """Give the memory in `path`, while no other process has it: a second one waits for its turn,
    and then knows what the first one told."""
    with path.with_suffix(".lock").open("w") as lock:
        locked(lock)  # where there are no such locks, nobody waits
        yield ToldBefore(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise _unusable(path, f"its schema is not {SCHEMA}")
    if not _well_formed(content.get("told")):
        raise _unusable(path, "its content has another shape")
    told: dict[str, Any] = content["told"]
    return told


def _well_formed(told: object) -> bool:
    """Whether this is {target: {case: {code: [[digest, count], …]}}}."""
    try:
        pairs = [
            pair
            for cases in told.values()  # type: ignore[attr-defined]
            for codes in cases.values()
            for pairs in codes.values()
            for pair in pairs
        ]
        return all(isinstance(digest, str) and type(count) is int for digest, count in pairs)
    except (AttributeError, TypeError, ValueError):
        return False


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"what people were told before cannot be read from {path}: {why}",
        hint="move the file away; everything found is then told once more",
    )
